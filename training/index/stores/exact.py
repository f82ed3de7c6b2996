"""Exact search: every vector is looked at. The reference that all other stores are held to.

One product of the queries with all vectors. Up to `WHOLE` numbers stay in memory as float32; of
more, block after block is widened from float16 as it is read.
"""

from __future__ import annotations

from functools import cached_property
from threading import Lock

import numpy as np

from training.index.stores.base import Floats, Rows, Vectors, best

WHOLE = 100_000_000  # numbers kept as float32: 400 MB, 260,000 vectors of 384
MANY = 8  # queries from which on one product for all pays
BLOCK = 8_000_000  # numbers of a block: 32 MB of float32


class ExactStore:
    """All of (n, d) `vectors`, compared one by one."""

    name = "exact"

    def __init__(self, vectors: Vectors, *, whole: int = WHOLE) -> None:
        self._vectors, self._kept = vectors, vectors.size <= whole
        self._widening = Lock()

    def search(
        self, queries: Floats, k: int, *, allowed: Rows | None = None
    ) -> tuple[Rows, Floats]:
        """Rows and cosines as `VectorStore.search` says."""
        if allowed is None:
            return best(self._cosines(queries), k)
        places, values = best(self._cosines(queries, allowed), k)
        rows = np.where(places < 0, places, allowed[places] if len(allowed) else places)
        return rows, values

    def close(self) -> None:
        """Nothing is held but memory."""

    def _cosines(self, queries: Floats, allowed: Rows | None = None) -> Floats:
        """Cosines (q, n), or (q, a) of the allowed rows."""
        if self._kept:
            return _products(self._whole if allowed is None else self._whole[allowed], queries)
        return self._by_blocks(queries, allowed)

    @cached_property
    def _float32(self) -> Floats:
        return np.ascontiguousarray(self._vectors, dtype=np.float32)

    @property
    def _whole(self) -> Floats:
        with self._widening:  # two first searches at once would widen twice
            return self._float32

    def _by_blocks(self, queries: Floats, allowed: Rows | None) -> Floats:
        count = len(self._vectors) if allowed is None else len(allowed)
        step = max(1, BLOCK // self._vectors.shape[1])
        cosines = np.empty((len(queries), count), np.float32)
        for start in range(0, count, step):
            chosen = slice(start, start + step)
            block = self._vectors[chosen if allowed is None else allowed[chosen]]
            cosines[:, chosen] = queries @ block.astype(np.float32).T
        return cosines


def _products(vectors: Floats, queries: Floats) -> Floats:
    """(q, n) products of (n, d) vectors with (q, d) queries.

    Of a few queries by rows, on one thread: BLAS's threads would go on spinning for 20 ms, and the
    next query's encoder would share its cores with them.
    """
    if len(queries) < MANY:
        return np.stack([np.vecdot(vectors, query) for query in queries])
    # (n, d) @ (d, q): the large matrix is read once, row by row
    return np.ascontiguousarray((vectors @ queries.T).T)
