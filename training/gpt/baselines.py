"""What counting alone reaches: the unigram and the bigram model of the same text.

A model that learned anything beats the first; one that looks back more than a token the second.

    unigram:  p(b)     = (n(b) + a) / (n + a·v)
    bigram:   p(b | a) = (n(a, b) + m·p(b)) / (n(a) + m)

The bigram's m added counts are spread like the unigram's, which is kinder to rare words than an
even spread: MacKay & Peto 1995, "A hierarchical Dirichlet language model". a and m are those that
predict the last tenth of the training part best from the rest; the held-out part has no say.

Legend: n tokens, v vocabulary, p pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

COUNTED_TOKENS = 100_000_000  # of a longer training part the first are counted
CHUNK_TOKENS = 1 << 20  # pairs are counted in pieces of this many
TUNING_SHARE = 0.1  # of the training part, its end
SMOOTHINGS = np.geomspace(1e-3, 1e5, 33)  # added counts that are tried

Losses = Callable[[float], float]  # nats per token for an amount of smoothing


@dataclass(frozen=True)
class Baseline:
    """How well a counting model predicts the held-out tokens but the first."""

    loss: float  # nats per token
    smoothing: float  # added counts: a of the unigram, m of the bigram


def baselines(
    train: np.ndarray, held_out: np.ndarray, *, vocab_size: int
) -> tuple[Baseline, Baseline]:
    """(unigram, bigram) learned from (n,) `train` ids, measured on `held_out` ids.

    Of a training part of more than COUNTED_TOKENS only the first are counted.
    """
    train = train[:COUNTED_TOKENS]
    cut = max(1, len(train) - max(2, round(TUNING_SHARE * len(train))))
    counted, tuning = train[:cut], train[cut:]
    even = _best(_unigram_losses(counted, tuning, vocab_size))
    spread = _best(_bigram_losses(counted, tuning, _unigram(counted, even, vocab_size)))
    unigram = _unigram(train, even, vocab_size)
    return (
        Baseline(_unigram_losses(train, held_out, vocab_size)(even), even),
        Baseline(_bigram_losses(train, held_out, unigram)(spread), spread),
    )


def _best(losses: Losses) -> float:
    return float(min(SMOOTHINGS, key=losses))


def _unigram(train: np.ndarray, added: float, vocab_size: int) -> np.ndarray:
    """(v,) probabilities."""
    counts = np.bincount(train, minlength=vocab_size)
    probabilities: np.ndarray = (counts + added) / (len(train) + added * vocab_size)
    return probabilities


def _unigram_losses(train: np.ndarray, scored: np.ndarray, vocab_size: int) -> Losses:
    counts = np.bincount(train, minlength=vocab_size)
    times = np.bincount(scored[1:], minlength=vocab_size)

    def losses(added: float) -> float:
        nats = np.log(len(train) + added * vocab_size) - np.log(counts + added)
        return float(times @ nats / max(1, times.sum()))

    return losses


def _bigram_losses(train: np.ndarray, scored: np.ndarray, unigram: np.ndarray) -> Losses:
    """Sparse: only pairs that are scored are counted, so a large vocabulary costs no memory."""
    size = len(unigram)
    pairs, times = np.unique(_pairs(scored, size), return_counts=True)  # (p,)
    found = _count(train, pairs, size)
    firsts = np.bincount(train[:-1], minlength=size)[pairs // size]
    spread = unigram[pairs % size]

    def losses(added: float) -> float:
        nats = np.log(firsts + added) - np.log(found + added * spread)
        return float(times @ nats / max(1, times.sum()))

    return losses


def _count(train: np.ndarray, pairs: np.ndarray, size: int) -> np.ndarray:
    """(p,) how often each of the sorted `pairs` occurs in `train`."""
    found = np.zeros(len(pairs), dtype=np.int64)
    for part in _parts(train):
        keys = _pairs(part, size)
        places = np.minimum(np.searchsorted(pairs, keys), len(pairs) - 1)
        found += np.bincount(places[pairs[places] == keys], minlength=len(pairs))
    return found


def _parts(train: np.ndarray) -> Iterator[np.ndarray]:
    """Pieces that share a token, so that no pair is lost between them."""
    for start in range(0, len(train) - 1, CHUNK_TOKENS):
        yield train[start : start + CHUNK_TOKENS + 1]


def _pairs(ids: np.ndarray, size: int) -> np.ndarray:
    """(n - 1,) each token and its next as one number."""
    wide = ids.astype(np.int64)
    return wide[:-1] * size + wide[1:]
