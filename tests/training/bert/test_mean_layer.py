import re
from dataclasses import replace

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from hub_utils.names import RepoId
from tests.training.conftest import make_examples
from training.bert import model as models
from training.bert.config import preset
from training.bert.data import Corpus, Source, tokenize
from training.bert.evaluate import evaluate
from training.bert.publish import Outcome, write_repository
from training.bert.scoring import batch_of
from training.bert.train import train
from training.shared.progress import Progress


def opened(folder, **changes):
    return models.build(str(folder), ("a", "b", "c"), replace(preset("quick"), **changes))


def test_only_a_sentence_encoder_gets_the_layer(encoder, sentence_encoder):
    assert opened(encoder).config.num_hidden_layers == 3
    assert opened(sentence_encoder).config.num_hidden_layers == 4


def test_it_starts_as_the_mean_of_all_tokens(sentence_encoder):
    import numpy as np

    network = models.runner(opened(sentence_encoder)).eval()
    tokens = tokenize(
        ["oil and corn", "wheat"], AutoTokenizer.from_pretrained(sentence_encoder), max_tokens=16
    )
    batch = batch_of(tokens, np.arange(2))
    with torch.inference_mode():
        below = network.hidden(batch, stop=3)
        first = network.hidden(batch, stop=4)
        for text, vectors in enumerate(below.split(tokens.lengths.tolist())):
            expected = torch.nn.functional.layer_norm(vectors[0] + 3 * vectors.mean(0), (32,))
            # The second norm sees the first one's output, which is normed already.
            torch.testing.assert_close(first[text], expected, atol=1e-4, rtol=0)


@pytest.fixture(scope="module")
def trained(sentence_encoder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("mean-layer")
    corpus = Corpus(
        make_examples(200, seed=1), make_examples(60, seed=2), Source("lab/topics"), "the rest"
    )
    config = replace(preset("quick"), max_seconds=None, max_steps=40, max_tokens=32, lora_rank=2)
    progress = Progress("bert", folder, quiet=True)
    found = train(corpus, config, base=sentence_encoder, output=folder, progress=progress)
    evaluation = evaluate(found.model, found.tokenizer, corpus, max_tokens=32)
    repo = RepoId.parse("lab/topics")
    outcome = Outcome(corpus, config, found, evaluation, 0.5, repo, "python -m training bert")
    return write_repository(outcome, folder / "repository")


def test_it_is_trained_whole_and_the_model_stays_a_stock_one(trained, sentence_encoder):
    stock = AutoModelForSequenceClassification.from_pretrained(trained)
    assert stock.config.num_hidden_layers == 4
    fresh = opened(sentence_encoder)
    for name in ("attention.self.query", "output.dense"):
        weight = f"encoder.layer.3.{name}.weight"
        assert not torch.equal(
            stock.base_model.get_parameter(weight), fresh.base_model.get_parameter(weight)
        )


@pytest.mark.filterwarnings("ignore:.*gradient_checkpointing:FutureWarning")  # peft's own
def test_the_cards_way_to_load_the_adapter_gives_the_merged_logits(trained, sentence_encoder):
    card = (trained / "README.md").read_text("utf-8")
    said = re.search(r"num_labels=(\d+), num_hidden_layers=(\d+)", card)
    assert said, card
    base = AutoModelForSequenceClassification.from_pretrained(
        sentence_encoder, num_labels=int(said[1]), num_hidden_layers=int(said[2])
    )
    adapted = PeftModel.from_pretrained(base, trained / "adapter").eval()
    merged = AutoModelForSequenceClassification.from_pretrained(trained).eval()
    inputs = AutoTokenizer.from_pretrained(trained)("oil barrel prices", return_tensors="pt")
    with torch.inference_mode():
        torch.testing.assert_close(
            adapted(**inputs).logits, merged(**inputs).logits, atol=1e-4, rtol=0
        )
