"""What a vector store answers, and the arithmetic that all of them share.

Legend: n passages, q queries, d dimension, k neighbours. A passage goes by its row: its place in
the published order. Vectors have length one, so the product is the cosine.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
Floats = NDArray[np.float32]
Vectors = NDArray[np.floating]  # (n, d), float16 as published or float32; may be memory mapped

NOTHING = -1  # the row where there are fewer than k answers; its score is -inf
# Scores closer than this are ties, and the lower row comes first: sums round differently in
# other libraries and other batch sizes.
DIGITS = 6


class VectorStore(Protocol):
    """A place that finds the nearest of n vectors. Safe to use from several threads."""

    name: str

    def search(
        self, queries: Floats, k: int, *, allowed: Rows | None = None
    ) -> tuple[Rows, Floats]:
        """Rows (q, k) and cosines (q, k) of the nearest passages, nearest first.

        allowed: only these rows, ascending (None: all). Fewer than k answers end in NOTHING.
        """

    def close(self) -> None:
        """Let go of files and connections."""


def best(scores: Floats, k: int) -> tuple[Rows, Floats]:
    """Columns (q, k) and values (q, k) of the k highest of (q, n), ties by the lower column."""
    wanted = min(k, scores.shape[1])
    columns = np.full((len(scores), k), NOTHING, np.int64)
    values = np.full((len(scores), k), -np.inf, np.float32)
    for query, row in enumerate(scores if wanted else ()):
        chosen = _highest(row, wanted)
        columns[query, :wanted], values[query, :wanted] = chosen, row[chosen]
    return columns, values


def _highest(scores: Floats, k: int) -> Rows:
    """Places of the k highest of (n,), highest first; among ties the lower place."""
    if k < len(scores):
        least = np.partition(scores, len(scores) - k)[len(scores) - k]
        places = np.flatnonzero(scores >= least - 10.0**-DIGITS)
    else:
        places = np.arange(len(scores))
    order = np.lexsort((places, -scores[places].round(DIGITS)))
    chosen: Rows = places[order[:k]]
    return chosen


def rescored(vectors: Vectors, queries: Floats, candidates: Rows, k: int) -> tuple[Rows, Floats]:
    """The k best of each query's candidates (q, c) by their exact cosine; NOTHING is skipped."""
    rows = np.full((len(queries), k), NOTHING, np.int64)
    scores = np.full((len(queries), k), -np.inf, np.float32)
    for query, found in enumerate(candidates):
        known = np.unique(found[found != NOTHING])
        cosines = vectors[known].astype(np.float32) @ queries[query]
        places, values = best(cosines[None], min(k, len(known)))
        rows[query, : len(places[0])], scores[query, : len(places[0])] = known[places[0]], values[0]
    return rows, scores
