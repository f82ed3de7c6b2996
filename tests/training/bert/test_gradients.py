import numpy as np
import pytest
import torch
from accelerate import Accelerator
from transformers import AutoTokenizer

from tests.training.conftest import make_examples
from training.bert import gradients
from training.bert.config import TrainConfig
from training.bert.data import tokenize
from training.bert.gradients import Backward, Feed
from training.bert.model import build, prepare, runner
from training.bert.scoring import hidden_of


@pytest.fixture(scope="module")
def tokens(encoder):
    tokenizer = AutoTokenizer.from_pretrained(encoder)
    return tokenize(make_examples(40, seed=3).texts, tokenizer, max_tokens=32)


def backward_of(encoder, tokens, **changes):
    config = TrainConfig(lora_rank=4, **changes)
    torch.manual_seed(0)
    network = runner(prepare(build(str(encoder), ("a", "b"), config), config, frozen=1))
    weights = [p for p in network.parameters() if p.requires_grad]
    targets = torch.arange(len(tokens)) % 2
    feed = Feed(tokens, targets, None, hidden_of(network.eval(), tokens, stop=1), frozen=1)
    return Backward(network.train(), weights, feed, config, Accelerator(cpu=True)), weights


def gradients_of(backward, weights, rows, thin=0.0):
    for weight in weights:
        weight.grad = None
    loss = backward(rows, step=1, thin=thin)
    return loss, [weight.grad.clone() for weight in weights]


def test_threads_give_the_gradients_of_one_thread(encoder, tokens, monkeypatch):
    rows = np.arange(12)
    monkeypatch.setattr(gradients, "cores", lambda: 3)
    threaded, weights = backward_of(encoder, tokens)
    assert threaded.threaded
    loss, together = gradients_of(threaded, weights, rows)
    monkeypatch.setattr(gradients, "cores", lambda: 1)
    single, weights = backward_of(encoder, tokens)
    assert not single.threaded
    expected_loss, expected = gradients_of(single, weights, rows)
    assert loss == pytest.approx(expected_loss, abs=1e-5)
    for ours, theirs in zip(together, expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-3)
    threaded.close()


def test_the_same_step_gives_the_same_bits_whatever_the_timing(encoder, tokens, monkeypatch):
    monkeypatch.setattr(gradients, "cores", lambda: 3)
    backward, weights = backward_of(encoder, tokens)
    first = gradients_of(backward, weights, np.arange(12), thin=0.5)
    for _ in range(5):
        again = gradients_of(backward, weights, np.arange(12), thin=0.5)
        assert first[0] == again[0]
        assert all(torch.equal(a, b) for a, b in zip(first[1], again[1], strict=True))
    backward.close()


def test_dropout_keeps_to_one_thread(encoder, tokens):
    backward, _ = backward_of(encoder, tokens, dropout=0.1)
    assert not backward.threaded


def test_thinning_leaves_out_about_its_share_but_never_the_first_token(tokens, monkeypatch):
    monkeypatch.setattr(gradients, "MIN_KEPT_TOKENS", 1)
    feed = Feed(tokens, torch.zeros(len(tokens), dtype=torch.long), None)
    rows = np.arange(len(tokens))
    whole, _, _ = feed.batch(rows, thin=0.0, rng=np.random.default_rng(0))
    thin, _, _ = feed.batch(rows, thin=0.5, rng=np.random.default_rng(0))
    assert len(whole.ids) == len(tokens.ids)
    assert 0.4 < len(thin.ids) / len(whole.ids) < 0.65
    assert torch.equal(thin.ids[thin.firsts], whole.ids[whole.firsts])
    assert thin.positions.max() > thin.grid.shape[1] - 1  # places in the whole text


def test_short_texts_are_not_thinned(tokens):
    feed = Feed(tokens, torch.zeros(len(tokens), dtype=torch.long), None)
    rows = np.arange(len(tokens))
    assert tokens.lengths.max() < gradients.MIN_KEPT_TOKENS
    whole, _, _ = feed.batch(rows, thin=0.6, rng=np.random.default_rng(0))
    assert torch.equal(whole.ids, torch.from_numpy(tokens.ids))


def test_rare_labels_weigh_more_when_asked(encoder, tokens):
    backward, weights = backward_of(encoder, tokens)
    plain, _ = gradients_of(backward, weights, np.array([0, 1]))
    feed = backward._feed
    object.__setattr__(feed, "weights", torch.tensor([2.0, 2.0]))
    weighted, _ = gradients_of(backward, weights, np.array([0, 1]))
    assert weighted == pytest.approx(2 * plain, rel=1e-4)
    backward.close()
