"""Hybrid search: one ranking out of the dense one and the keyword one. A table of rules.

Each rule takes the two rankings and gives every row that either found a score; the best come
first. Which rule is the default is decided by measurement (benchmarks/index_quality.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from hub_utils.errors import LabError
from training.index.stores.base import NOTHING, Floats, Rows

RRF_K = 60  # Cormack, Clarke and Büttcher (2009): how fast a rank loses weight


@dataclass(frozen=True)
class Ranking:
    """Rows (k,) and their scores (k,), best first."""

    rows: Rows
    scores: Floats

    @classmethod
    def of(cls, rows: Rows, scores: Floats) -> Ranking:
        """A ranking without the places where nothing was found."""
        found = rows != NOTHING
        return cls(rows[found], scores[found])

    @classmethod
    def empty(cls) -> Ranking:
        """Nothing found."""
        return cls(np.empty(0, np.int64), np.empty(0, np.float32))

    def first(self, count: int) -> Ranking:
        """The best ones."""
        return Ranking(self.rows[:count], self.scores[:count])

    def without(self, rows: Rows) -> Ranking:
        """The ranking with these rows left out."""
        kept = ~np.isin(self.rows, rows)
        return Ranking(self.rows[kept], self.scores[kept])

    def as_dict(self) -> dict[int, float]:
        """Row → score."""
        return dict(zip(self.rows.tolist(), self.scores.tolist(), strict=True))

    def __len__(self) -> int:
        return len(self.rows)


Rule = Callable[[Ranking, Ranking], Ranking]  # (dense, keyword) → fused


def fuse(dense: Ranking, keyword: Ranking, rule: str) -> Ranking:
    """The two rankings as one. Raises LabError for an unknown rule."""
    if rule not in RULES:
        raise LabError(
            f"There is no fusion rule {rule!r}.", hint=f"Use one of: {', '.join(RULES)}."
        )
    return RULES[rule](dense, keyword)


def by_rank(dense: Ranking, keyword: Ranking, *, weight: float = 0.5, k: int = RRF_K) -> Ranking:
    """Reciprocal rank fusion: the sum of 1 / (k + rank), `weight` of it from the dense ranking."""
    scores: dict[int, float] = {}
    for ranking, share in ((dense, 2 * weight), (keyword, 2 - 2 * weight)):
        for rank, row in enumerate(ranking.rows.tolist(), start=1):
            scores[row] = scores.get(row, 0.0) + share / (k + rank)
    return _ordered(scores)


def by_score(
    dense: Ranking,
    keyword: Ranking,
    *,
    weight: float = 0.5,
    normalise: Callable[[Floats], Floats],
) -> Ranking:
    """A weighted sum of normalised scores; a row that a ranking lacks gets its lowest there.

    Convex combination as in Bruch, Gai and Ingber (2023), who find it ahead of rank fusion.
    """
    scores: dict[int, float] = {}
    for ranking, share in ((dense, weight), (keyword, 1 - weight)):
        if not len(ranking):
            continue
        for row, score in zip(ranking.rows.tolist(), normalise(ranking.scores), strict=True):
            scores[row] = scores.get(row, 0.0) + share * float(score)
    return _ordered(scores)


def from_lowest_to_highest(scores: Floats) -> Floats:
    """The lowest becomes 0, the highest 1."""
    low, high = scores.min(), scores.max()
    if high <= low:
        return np.ones_like(scores)
    normalised: Floats = (scores - low) / (high - low)
    return normalised


def from_zero_to_highest(scores: Floats) -> Floats:
    """0 stays 0 and the highest becomes 1: for scores whose least possible value is 0."""
    positive: Floats = np.maximum(scores, 0)
    return positive / positive.max() if positive.max() > 0 else positive


def by_spread(scores: Floats) -> Floats:
    """Three standard deviations below the mean become 0, three above it 1."""
    deviation = float(scores.std())
    if deviation == 0:
        return np.full_like(scores, 0.5)
    normalised: Floats = np.clip((scores - scores.mean()) / (6 * deviation) + 0.5, 0, 1)
    return normalised


RULES: dict[str, Rule] = {
    "rrf": by_rank,
    "rrf-dense": partial(by_rank, weight=0.7),
    "rrf-keyword": partial(by_rank, weight=0.3),
    "rrf-10": partial(by_rank, k=10),
    "min-max": partial(by_score, normalise=from_lowest_to_highest),
    "min-max-dense": partial(by_score, weight=0.7, normalise=from_lowest_to_highest),
    "zero-max": partial(by_score, normalise=from_zero_to_highest),
    "zero-max-dense": partial(by_score, weight=0.7, normalise=from_zero_to_highest),
    "spread": partial(by_score, normalise=by_spread),
}
DEFAULT_RULE = "rrf"


def _ordered(scores: dict[int, float]) -> Ranking:
    rows = np.fromiter(scores, np.int64, len(scores))
    values = np.fromiter(scores.values(), np.float32, len(scores))
    order = np.lexsort((rows, -values))
    return Ranking(rows[order], values[order])
