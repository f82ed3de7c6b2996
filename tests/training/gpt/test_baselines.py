import math
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from training.gpt import baselines as module
from training.gpt.baselines import baselines

VOCAB = 7


@pytest.fixture
def text():
    """Tokens that mostly follow one another, with some noise: (train, held out)."""
    rng = np.random.default_rng(0)
    ids = np.cumsum(rng.choice([1, 1, 1, 3], size=900)) % VOCAB
    return ids[:800].astype(np.uint16), ids[800:].astype(np.uint16)


def test_losses_are_those_of_plain_counting(text):
    train, held_out = (part.tolist() for part in text)
    unigram, bigram = baselines(*text, vocab_size=VOCAB)
    counts, pairs = Counter(train), Counter(pairwise(train))
    firsts = Counter(train[:-1])

    def alone(b):
        return (counts[b] + unigram.smoothing) / (len(train) + unigram.smoothing * VOCAB)

    def after(a, b):
        m = bigram.smoothing
        return (pairs[a, b] + m * alone(b)) / (firsts[a] + m)

    scored = list(pairwise(held_out))
    expected = -sum(math.log(alone(b)) for _, b in scored) / len(scored)
    assert unigram.loss == pytest.approx(expected, rel=1e-12)
    expected = -sum(math.log(after(a, b)) for a, b in scored) / len(scored)
    assert bigram.loss == pytest.approx(expected, rel=1e-12)
    assert all(math.isclose(sum(after(a, b) for b in range(VOCAB)), 1) for a in range(VOCAB))


def test_the_bigram_knows_more_than_the_unigram(text):
    unigram, bigram = baselines(*text, vocab_size=VOCAB)
    assert bigram.loss < 0.7 * unigram.loss
    assert unigram.loss == pytest.approx(math.log(VOCAB), rel=0.02)  # all are equally frequent


def test_the_held_out_part_has_no_say_in_the_smoothing(text):
    train, held_out = text
    rng = np.random.default_rng(1)
    other = rng.integers(0, VOCAB, 500).astype(np.uint16)
    one, two = (baselines(train, part, vocab_size=VOCAB) for part in (held_out, other))
    assert [b.smoothing for b in one] == [b.smoothing for b in two]
    assert one[1].loss < two[1].loss


def test_pairs_across_the_pieces_of_counting_are_not_lost(text, monkeypatch):
    whole = baselines(*text, vocab_size=VOCAB)
    monkeypatch.setattr(module, "CHUNK_TOKENS", 7)
    assert baselines(*text, vocab_size=VOCAB) == whole


def test_unseen_tokens_of_a_large_vocabulary_cost_something_finite():
    train = np.arange(3000, dtype=np.uint32) % 50
    held_out = np.array([0, 1, 99_999, 5, 5], dtype=np.uint32)
    unigram, bigram = baselines(train, held_out, vocab_size=100_000)
    assert math.isfinite(unigram.loss)
    assert math.isfinite(bigram.loss)
