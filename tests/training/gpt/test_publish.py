"""What is laid out for a Hub: nothing is claimed that was not measured, and nothing can do harm."""

import json
import re
from dataclasses import replace

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from hub_utils.cards import front_matter
from hub_utils.names import RepoId
from tests.training.gpt.conftest import tiny_model
from training.gpt.config import TrainConfig
from training.gpt.data import Source, Texts, corpus_of
from training.gpt.evaluate import evaluate
from training.gpt.native import from_stock
from training.gpt.publish import Outcome, card, thinned, write_repository
from training.gpt.samples import Sample
from training.gpt.train import Trained

HARM = "<script>alert(1)</script> ![x](https://evil.example/x.png)\n# Loud\n\n```\n---\ntext"


@pytest.fixture(scope="module")
def outcome():
    """A model that was not trained, measured all the same."""
    text = "The wolf and the seven little kids went home. " * 60
    texts = Texts((text[:2400],), (text[2400:],), Source("tale.txt"), "the last tenth", False)
    config = TrainConfig(tokenizer="char", context=24)
    corpus = corpus_of(texts, config)
    model = tiny_model(vocab_size=len(corpus.tokenizer))
    history = [
        {
            "step": n,
            "seconds": n / 10,
            "loss": 3 - n / 100,
            **({"validation": 2.9} if n % 9 == 0 else {}),
        }
        for n in range(1, 40)
    ]
    trained = Trained(model, corpus.tokenizer, True, 4.0, 39, 3900, 975.0, 12_345, history)
    return Outcome(
        corpus=corpus,
        config=config,
        trained=trained,
        evaluation=evaluate(model, corpus),
        samples=[Sample("Once a wolf", f" {HARM}"), Sample("The", " end\n"), Sample("<b>", "x")],
        repo=RepoId.parse("lab/tale-gpt"),
        command="python -m training gpt --data tale.txt",
    )


@pytest.fixture(scope="module")
def folder(outcome, tmp_path_factory):
    return write_repository(outcome, tmp_path_factory.mktemp("out") / "repository")


def test_the_folder_is_a_stock_model_with_its_tokenizer(folder, outcome):
    model = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert type(model).__name__ == "LlamaForCausalLM"
    assert tokenizer("wolf")["input_ids"] == outcome.corpus.tokenizer("wolf")["input_ids"]
    assert from_stock(folder).config.context == 24
    assert not [path.name for path in folder.rglob("*") if path.suffix in (".bin", ".pt", ".pkl")]


def test_figures_for_programs_are_those_that_were_measured(folder, outcome):
    figures = json.loads((folder / "evaluation.json").read_text("utf-8"))
    assert figures["loss"] == outcome.evaluation.loss
    assert figures["bits_per_byte"] == outcome.evaluation.bits_per_byte
    assert figures["baselines"]["bigram"]["loss"] == outcome.evaluation.bigram.loss
    assert figures["samples"][0] == {"prompt": "Once a wolf", "text": f" {HARM}"}
    assert (folder / "pictures" / "learning_curve.png").read_bytes().startswith(b"\x89PNG")


def test_the_front_matter_has_bits_per_byte_first(folder, outcome):
    metadata = front_matter((folder / "README.md").read_text("utf-8"))
    assert metadata["pipeline_tag"] == "text-generation"
    assert metadata["library_name"] == "transformers"
    assert "language" not in metadata  # nobody said which
    metrics = metadata["model-index"][0]["results"][0]["metrics"]
    assert [metric["type"] for metric in metrics] == ["bits_per_byte", "loss", "perplexity"]
    assert metrics[0]["value"] == pytest.approx(outcome.evaluation.bits_per_byte, abs=1e-6)


def test_the_card_says_how_good_how_large_and_how_long(outcome):
    text = card(outcome)
    evaluation = outcome.evaluation
    for line in (
        f"| **this model** | {evaluation.loss:.4f} | {evaluation.bits_per_byte:.4f} |",
        f"{evaluation.as_bits_per_byte(evaluation.bigram.loss):.4f} |",
        "| stock architecture | `LlamaForCausalLM` |",
        "| parameters | 12,345 |",
        "3,900 tokens seen",
        "from 12 to 24 tokens stand before each",
        "| context | 24 tokens |",
        "![Learning curve](pictures/learning_curve.png)",
    ):
        assert line in text


def test_what_the_model_wrote_is_quoted_and_can_do_no_harm(outcome):
    from hub_utils.local_hub.render import card_html
    from tests.hub_utils.local_hub.html_tags import Tags

    html = card_html(card(outcome), files_url="/files", pages_url="/pages")
    tags = Tags(html).found
    assert not [attributes for tag, attributes in tags if tag in ("script", "a")]
    assert [a["src"] for tag, a in tags if tag == "img"] == ["/files/pictures/learning_curve.png"]
    assert [tag for tag, _ in tags].count("blockquote") == 3
    assert "Loud" not in re.findall(r"<h\d[^>]*>([^<]*)", html)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "<b>Once a wolf</b> &lt;script" in html


def test_the_snippet_asks_for_no_more_than_the_context_holds(outcome):
    long = replace(outcome, samples=[Sample("Once upon a time an", "")])
    assert f"max_new_tokens={24 - 19}," in card(long)


def test_a_long_learning_curve_is_thinned_but_keeps_what_was_validated():
    history = [{"step": n, "loss": 1.0} for n in range(5000)]
    history[1234]["validation"] = 2.0
    kept = thinned(history)
    assert len(kept) < 600
    assert history[1234] in kept
    assert thinned(history[:100]) == history[:100]
