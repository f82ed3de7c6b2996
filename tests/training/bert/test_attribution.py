import numpy as np
import pytest
import torch
from transformers import AutoTokenizer

from training.bert import attribution
from training.bert.config import TrainConfig
from training.bert.data import tokenize
from training.bert.inference import load
from training.bert.model import build, runner
from training.bert.scoring import batch_of

TEXT = "  the market said\n new oil prices in the week\t"


@pytest.fixture(scope="module")
def classifier(finished):
    return load(finished[0] / "repository")


def test_pieces_end_to_end_are_the_text(classifier):
    for text in (TEXT, "oil", "a" * 500, "oil, oil; wheat!", "石油 價格"):
        pieces = classifier.attribute(text)
        assert "".join(piece for piece, _ in pieces) == text
        assert all(-1 <= value <= 1 for _, value in pieces)


def test_a_blank_text_has_no_deciding_words(classifier):
    assert classifier.attribute("   ") == [("   ", 0.0)]
    assert classifier.attribute("") == []


def test_the_telling_word_decides(classifier):
    values = {piece.strip(): value for piece, value in classifier.attribute(TEXT, "crude")}
    assert max(values, key=values.get) == "oil"


def test_it_points_where_leaving_a_word_out_hurts(classifier):
    text = "the company said profit of the week dividend in new reuter shares market"
    words = text.split()
    without = [" ".join(words[:n] + words[n + 1 :]) for n in range(len(words))]
    # Log odds: probabilities near 1 hide what a word did.
    left = [np.log(s["earn"] / (1 - s["earn"])) for s in classifier.classify(without)]
    harm = [-odds for odds in left]
    said = [value for _, value in classifier.attribute(text, "earn")]
    assert np.corrcoef(harm, said)[0, 1] > 0.5


def test_another_label_can_be_asked_for(classifier):
    text = "oil oil wheat barrel"
    crude = [value for _, value in classifier.attribute(text, "crude")]
    grain = [value for _, value in classifier.attribute(text, "grain")]
    assert crude[2] < crude[0]
    assert grain[2] > grain[0]


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
