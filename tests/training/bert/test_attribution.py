import numpy as np
import pytest
import torch
from transformers import AutoTokenizer

from tests.training.conftest import make_examples
from training.bert import attribution
from training.bert.cli import train_and_publish
from training.bert.config import TrainConfig
from training.bert.data import tokenize
from training.bert.inference import load
from training.bert.model import build, runner
from training.bert.scoring import batch_of
from training.cli import build_parser

TEXT = "  the market said\n new oil prices in the week\t"


@pytest.fixture(scope="module")
def classifier(corpus_file, encoder, tmp_path_factory):
    """Trained in all weights: a random encoder's own word vectors tell nothing."""
    folder = tmp_path_factory.mktemp("tuned")
    options = (
        f"bert --data {corpus_file} --base {encoder} --no-push --output-dir {folder} "
        "--lora-rank 0 --max-steps 150 --batch-size 16 --learning-rate 0.003"
    )
    train_and_publish(build_parser().parse_args(options.split()))
    return load(folder / "repository")


def test_pieces_end_to_end_are_the_text(classifier):
    for text in (TEXT, "oil", "a" * 500, "oil, oil; wheat!", "石油 價格"):
        pieces = classifier.attribute(text)
        assert "".join(piece for piece, _ in pieces) == text
        assert all(-1 <= value <= 1 for _, value in pieces)


def test_a_blank_text_has_no_deciding_words(classifier):
    assert classifier.attribute("   ") == [("   ", 0.0)]
    assert classifier.attribute("") == []


def test_without_the_words_it_names_the_answer_changes_most(classifier):
    def odds(texts, labels):
        found = zip(classifier.classify(texts), labels, strict=True)
        return np.array([np.log(s[label] / (1 - s[label] + 1e-9)) for s, label in found])

    examples = make_examples(40, seed=21)
    labels = [next(iter(scores)) for scores in classifier.classify(examples.texts)]
    without_best, without_least = [], []
    for text in examples.texts:
        pieces = classifier.attribute(text)
        order = np.argsort([-value for _, value in pieces])
        for chosen, texts in ((order[:4], without_best), (order[-4:], without_least)):
            texts.append("".join(w for n, (w, _) in enumerate(pieces) if n not in set(chosen)))
    whole = odds(examples.texts, labels)
    best = whole - odds(without_best, labels)
    least = whole - odds(without_least, labels)
    assert best.mean() > 0.5
    assert best.mean() > 2 * abs(least.mean())


def test_contributions_add_up_where_the_rest_is_linear(encoder):
    """Without biases, with ReLU and a pooler in its linear range, nothing else feeds the logits."""
    torch.manual_seed(0)
    model = build(str(encoder), ("a", "b"), TrainConfig()).eval()
    for layer in model.bert.encoder.layer:
        layer.intermediate.intermediate_act_fn = torch.nn.ReLU()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.zero_()
        model.bert.pooler.dense.weight.mul_(1e-3)
    network = runner(model)
    tokens = tokenize([TEXT], AutoTokenizer.from_pretrained(encoder), max_tokens=64)
    batch = batch_of(tokens, np.array([0]))
    logits = network(batch)[0].detach()
    added = attribution.token_contributions(network, batch, label=1).sum()
    torch.testing.assert_close(added, logits[1] - logits.mean(), atol=0, rtol=0.01)


def test_another_label_can_be_asked_for(classifier):
    predicted = next(iter(classifier.classify([TEXT])[0]))
    other = next(label for label in classifier.labels if label != predicted)
    assert classifier.attribute(TEXT) == classifier.attribute(TEXT, predicted)
    assert classifier.attribute(TEXT, other) != classifier.attribute(TEXT, predicted)


def test_the_linear_pass_gives_the_models_own_logits(encoder):
    torch.manual_seed(0)
    network = runner(build(str(encoder), ("a", "b"), TrainConfig())).eval()
    tokens = tokenize([TEXT], AutoTokenizer.from_pretrained(encoder), max_tokens=64)
    batch = batch_of(tokens, np.array([0]))
    _, logits = attribution._linear_pass(network, batch)
    torch.testing.assert_close(logits, network(batch), atol=1e-5, rtol=0)


def test_words_beyond_what_is_read_get_nothing(classifier):
    text = " ".join(["oil"] * (classifier.max_tokens + 20))
    assert [value for _, value in classifier.attribute(text)][-10:] == [0.0] * 10


def test_other_encoders_have_attributions_too(distilbert):
    torch.manual_seed(0)
    network = runner(build(str(distilbert), ("a", "b"), TrainConfig())).eval()
    tokenizer = AutoTokenizer.from_pretrained(distilbert)
    pieces = attribution.word_contributions(network, tokenizer, TEXT, label=1, max_tokens=64)
    assert "".join(piece for piece, _ in pieces) == TEXT
