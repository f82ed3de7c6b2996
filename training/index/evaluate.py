"""How well an index finds: nDCG@10, recall@100 and MRR@10, with 95 % intervals, and its speed.

found = evaluate(index, {"q1": "how do wings lift"}, {"q1": {"doc7": 1}}, mode="hybrid")
found.ndcg_at_10, found.interval("ndcg_at_10"), found.query_p50_ms

Documents are ranked by their best passage. Gains are the judgements themselves, as in trec_eval
and BEIR; with judgements of 0 and 1 the figures are those of sentence-transformers'
InformationRetrievalEvaluator. Queries without a relevant document are left out.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hub_utils.errors import DataError
from training.index.fusion import DEFAULT_RULE
from training.index.search import MODES, Wanted

if TYPE_CHECKING:
    from training.index.search import SearchIndex
    from training.index.stores.base import Floats

METRICS = ("ndcg_at_10", "recall_at_100", "mrr_at_10")
NEAR, DEEP = 10, 100  # documents that the figures look at
RESAMPLES = 10_000
TIMED = 200  # queries timed one by one, at most
WARM_UP = 3

Judgements = Mapping[str, Mapping[str, int]]  # query → document → 0 for not relevant, 1 and above


@dataclass(frozen=True)
class Evaluation:
    """Figures of every query, in the queries' order."""

    mode: str
    queries: tuple[str, ...]  # ids of those with a relevant document
    values: Mapping[str, np.ndarray]  # metric → (q,)
    milliseconds: np.ndarray  # (t,) of queries asked one by one, text in to ten hits out
    skipped: int = 0  # queries without a relevant document

    @property
    def ndcg_at_10(self) -> float:
        """Gain of the first ten, discounted by rank, as a share of the best possible."""
        return self.mean("ndcg_at_10")

    @property
    def recall_at_100(self) -> float:
        """Share of the relevant documents among the first hundred."""
        return self.mean("recall_at_100")

    @property
    def mrr_at_10(self) -> float:
        """One over the rank of the first relevant document, 0 beyond ten."""
        return self.mean("mrr_at_10")

    @property
    def query_p50_ms(self) -> float | None:
        """The median time of a query; None where none was timed."""
        return float(np.median(self.milliseconds)) if len(self.milliseconds) else None

    def mean(self, metric: str) -> float:
        """Over the queries."""
        return float(self.values[metric].mean())

    def interval(self, metric: str, *, seed: int = 0) -> tuple[float, float]:
        """95 % of means over queries drawn again with replacement lie in it."""
        return bootstrap(self.values[metric], seed=seed)

    def ahead_of(self, other: Evaluation, metric: str, *, seed: int = 0) -> tuple[float, float]:
        """The same interval for the difference to `other` on the same queries."""
        if self.queries != other.queries:
            raise ValueError("the two evaluations are of different queries")
        return bootstrap(self.values[metric] - other.values[metric], seed=seed)

    def figures(self) -> dict[str, object]:
        """All of it, for programs."""
        found: dict[str, object] = {name: round(self.mean(name), 6) for name in METRICS}
        for name in METRICS:
            found[f"{name}_interval"] = [round(edge, 6) for edge in self.interval(name)]
        if len(self.milliseconds):
            found["query_p50_ms"] = round(float(np.median(self.milliseconds)), 3)
            found["query_p95_ms"] = round(float(np.percentile(self.milliseconds, 95)), 3)
        return {**found, "mode": self.mode, "queries": len(self.queries), "skipped": self.skipped}


def evaluate(
    index: SearchIndex,
    queries: Mapping[str, str],
    qrels: Judgements,
    *,
    mode: str = "hybrid",
    rule: str = DEFAULT_RULE,
    timed: int = TIMED,
) -> Evaluation:
    """Rank documents for every query and hold the rankings to the judgements.

    timed: how many queries are asked once more, alone, for the time they take.
    Raises DataError if no query has a relevant document.
    """
    return compare(index, queries, qrels, modes=[mode], rule=rule, timed=timed)[mode]


def compare(
    index: SearchIndex,
    queries: Mapping[str, str],
    qrels: Judgements,
    *,
    modes: Sequence[str] = MODES,
    rule: str = DEFAULT_RULE,
    timed: int = TIMED,
) -> dict[str, Evaluation]:
    """The same for several modes; each query is encoded once."""
    asked = {name: text for name, text in queries.items() if relevant(qrels.get(name, {}))}
    if not asked:
        raise DataError(
            "No query has a relevant document.", hint="Check that the ids of both files agree."
        )
    texts = list(asked.values())
    encoded = [index.encode(text) if set(modes) != {"keyword"} else None for text in texts]
    return {
        mode: Evaluation(
            mode=mode,
            queries=tuple(asked),
            values=_values(
                [
                    measured(
                        ranked_documents(index, _wanted(text, vector, mode, rule)), qrels[name]
                    )
                    for (name, text), vector in zip(asked.items(), encoded, strict=True)
                ]
            ),
            milliseconds=_timed(index, texts[:timed], mode=mode, rule=rule),
            skipped=len(queries) - len(asked),
        )
        for mode in modes
    }


def relevant(judged: Mapping[str, int]) -> dict[str, int]:
    """The documents that were judged relevant."""
    return {document: gain for document, gain in judged.items() if gain > 0}


def measured(ranking: Sequence[str], judged: Mapping[str, int]) -> tuple[float, float, float]:
    """METRICS of one query: `ranking` names documents, best first, each once."""
    wanted = relevant(judged)
    gains = [wanted.get(document, 0) for document in ranking[:NEAR]]
    best = sorted(wanted.values(), reverse=True)[:NEAR]
    first = next((rank for rank, gain in enumerate(gains, start=1) if gain), None)
    found = sum(document in wanted for document in ranking[:DEEP])
    return _gain(gains) / _gain(best), found / len(wanted), 1 / first if first else 0.0


def ranked_documents(index: SearchIndex, wanted: Wanted) -> list[str]:
    """Up to DEEP documents, best first: each stands where its best passage does.

    One document may hold many of the first passages, so more are ranked until there are enough.
    """
    depth = DEEP
    while True:
        rows = index.ranked(wanted, depth).rows.tolist()
        names = dict.fromkeys(index.passages.cell(row, "document") for row in rows)
        if len(names) >= DEEP or len(rows) < depth:
            return list(names)[:DEEP]
        depth *= 2


def bootstrap(values: np.ndarray, *, seed: int = 0) -> tuple[float, float]:
    """The middle 95 % of means of `values` (q,) drawn again with replacement."""
    generator = np.random.default_rng(seed)
    # How often each value is drawn; the values themselves would be RESAMPLES times as many.
    shares = np.full(len(values), 1 / len(values))
    counts = generator.multinomial(len(values), shares, size=RESAMPLES)  # (r, q)
    low, high = np.percentile(counts @ values / len(values), (2.5, 97.5))
    return float(low), float(high)


def _wanted(text: str, vector: Floats | None, mode: str, rule: str) -> Wanted:
    return Wanted(
        vector=None if mode == "keyword" else vector,
        text="" if mode == "dense" else text,
        allowed=None,
        rule=rule,
    )


def _values(rows: Sequence[tuple[float, float, float]]) -> dict[str, np.ndarray]:
    return dict(zip(METRICS, np.array(rows).T, strict=True))


def _gain(gains: Sequence[int]) -> float:
    return sum(gain / np.log2(rank + 1) for rank, gain in enumerate(gains, start=1))


def _timed(index: SearchIndex, texts: Sequence[str], *, mode: str, rule: str) -> np.ndarray:
    for text in texts[:WARM_UP]:
        index.search(text, NEAR, mode=mode, rule=rule)
    taken = []
    for text in texts:
        began = time.perf_counter()
        index.search(text, NEAR, mode=mode, rule=rule)
        taken.append(1000 * (time.perf_counter() - began))
    return np.array(taken)
