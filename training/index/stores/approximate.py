"""What the approximate stores share: their candidates are ranked by exact cosines, and filters.

A store names candidates quickly; the published vectors then decide. So the scores are the same
everywhere, and a store may round its own copy of the vectors hard.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from training.index.stores.base import NOTHING, Floats, Rows, Vectors, rescored
from training.index.stores.exact import ExactStore

FEW = 20_000  # rows that are compared one by one rather than looked for: some 20 ms
RARE = 0.05  # share of allowed rows below which too many candidates would be thrown away


class ApproximateStore(ABC):
    """Finds candidates among (n, d) `vectors`; `_candidates` is the back end's part."""

    name: str

    def __init__(self, vectors: Vectors) -> None:
        self._vectors = vectors
        self._exact = ExactStore(vectors, whole=0)

    @abstractmethod
    def _candidates(self, queries: Floats, count: int) -> Rows:
        """At least `count` near rows (q, c) where there are so many, in any order; or NOTHING."""

    def search(
        self, queries: Floats, k: int, *, allowed: Rows | None = None
    ) -> tuple[Rows, Floats]:
        """Rows and cosines as `VectorStore.search` says."""
        queries = np.ascontiguousarray(queries, np.float32)
        count = len(self._vectors)
        if allowed is None:
            candidates = self._candidates(queries, min(k, count))
            return rescored(self._vectors, queries, candidates, k)
        share = len(allowed) / max(1, count)
        if len(allowed) <= FEW or share < RARE:
            return self._exact.search(queries, k, allowed=allowed)
        return self._filtered(queries, k, allowed, wanted=int(2 * k / share) + 50)

    def close(self) -> None:  # noqa: B027 - most stores hold nothing
        """Let go of files and connections."""

    def _filtered(
        self, queries: Floats, k: int, allowed: Rows, *, wanted: int
    ) -> tuple[Rows, Floats]:
        """Candidates beyond k, without those that are not allowed."""
        candidates = self._candidates(queries, min(wanted, len(self._vectors)))
        may = np.zeros(len(self._vectors) + 1, bool)  # the last place is NOTHING's
        may[allowed] = True
        candidates = np.where(may[candidates], candidates, NOTHING)
        if ((candidates != NOTHING).sum(axis=1) < min(k, len(allowed))).any():
            return self._exact.search(queries, k, allowed=allowed)
        return rescored(self._vectors, queries, candidates, k)
