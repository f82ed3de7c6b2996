"""How well an index finds: nDCG@10, recall@100 and MRR@10, with 95 % intervals, and its speed.

found = evaluate(index, {"q1": "how do wings lift"}, {"q1": {"doc7": 1}}, mode="hybrid")
found.ndcg_at_10, found.interval("ndcg_at_10"), found.query_p50_ms

Documents are ranked by their best passage. Gains are the judgements themselves, as in trec_eval
and BEIR; with judgements of 0 and 1 the figures are those of sentence-transformers'
InformationRetrievalEvaluator. Queries without a relevant document are left out.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from typing import TYPE_CHECKING

import numpy as np

from hub_utils.errors import DataError
from training.index.fusion import DEFAULT_RULE, Ranking
from training.index.search import MODES, Wanted

if TYPE_CHECKING:
    from training.index.search import SearchIndex
    from training.index.stores.base import Floats

METRICS = ("ndcg_at_10", "recall_at_100", "mrr_at_10")
NEAR, DEEP = 10, 100  # documents that the figures look at
AHEAD = 4  # times as many passages as documents are looked for at once: some share theirs
RESAMPLES = 10_000
TIMED = 200  # queries timed one by one, at most
WARM_UP = 3

Values = tuple[float, float, float]  # of METRICS
Ranked = Callable[[int], Ranking]  # so many rows or more, best first
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
    skip_own: bool = False,
) -> Evaluation:
    """Rank documents for every query and hold the rankings to the judgements.

    timed: how many queries are asked once more, alone, for the time they take. skip_own: a document
    whose id is the query's is no answer, for queries that are documents themselves.
    Raises DataError if no query has a relevant document.
    """
    questions = ask(index, queries, qrels, encode=mode != "keyword")
    rows = []
    for query in questions.asked:
        ranked = partial(index.ranked, query.wanted(mode, rule))
        rows.append(_measured(index, ranked, query, skip_own=skip_own))
    return _evaluation(index, questions, rows, mode=mode, rule=rule, timed=timed)


def compare(
    index: SearchIndex,
    questions: Questions,
    *,
    modes: Sequence[str] = MODES,
    timed: int = 0,
    skip_own: bool = False,
) -> dict[str, Evaluation]:
    """The same for several modes; each query is looked for once."""
    vectors = np.asarray([query.vector for query in questions.asked])
    near = index.nearest(vectors, AHEAD * DEEP)
    rows: dict[str, list[Values]] = {mode: [] for mode in modes}
    for query, dense in zip(questions.asked, near, strict=True):
        wanted = query.wanted("hybrid", DEFAULT_RULE)
        by_mode = cache(partial(index.ranked_by_mode, wanted, dense))
        for mode in modes:
            ranked = partial(_of_mode, by_mode, mode)
            rows[mode].append(_measured(index, ranked, query, skip_own=skip_own))
    return {
        mode: _evaluation(index, questions, rows[mode], mode=mode, rule=DEFAULT_RULE, timed=timed)
        for mode in modes
    }


def relevant(judged: Mapping[str, int]) -> dict[str, int]:
    """The documents that were judged relevant."""
    return {document: gain for document, gain in judged.items() if gain > 0}


def measured(ranking: Sequence[str], judged: Mapping[str, int]) -> Values:
    """METRICS of one query: `ranking` names documents, best first, each once."""
    wanted = relevant(judged)
    gains = [wanted.get(document, 0) for document in ranking[:NEAR]]
    best = sorted(wanted.values(), reverse=True)[:NEAR]
    first = next((rank for rank, gain in enumerate(gains, start=1) if gain), None)
    found = sum(document in wanted for document in ranking[:DEEP])
    return _gain(gains) / _gain(best), found / len(wanted), 1 / first if first else 0.0


def ranked_documents(index: SearchIndex, ranked: Ranked, count: int = DEEP) -> list[str]:
    """Up to `count` documents, best first: each stands where its best passage does.

    One document may hold many of the first passages, so more are ranked until there are enough.
    """
    depth = count
    while True:
        rows = ranked(depth).rows
        names = dict.fromkeys(index.passages.cells(rows, "document"))
        if len(names) >= count or len(rows) < depth:
            return list(names)[:count]
        depth *= 2


def bootstrap(values: np.ndarray, *, seed: int = 0) -> tuple[float, float]:
    """The middle 95 % of means of `values` (q,) drawn again with replacement."""
    low, high = np.percentile(_drawn(len(values), seed) @ values / len(values), (2.5, 97.5))
    return float(low), float(high)


@lru_cache(maxsize=1)  # one evaluation asks for many intervals
def _drawn(count: int, seed: int) -> np.ndarray:
    """(RESAMPLES, count): how often each value is drawn, which is less than the values drawn."""
    generator = np.random.default_rng(seed)
    return generator.multinomial(count, np.full(count, 1 / count), size=RESAMPLES)


@dataclass(frozen=True)
class _Asked:
    """A query with something to find."""

    name: str
    text: str
    vector: Floats | None
    judged: Mapping[str, int]

    def wanted(self, mode: str, rule: str) -> Wanted:
        return Wanted(
            vector=None if mode == "keyword" else self.vector,
            text="" if mode == "dense" else self.text,
            allowed=None,
            rule=rule,
        )


@dataclass(frozen=True)
class Questions:
    """Queries with something to find, encoded."""

    asked: Sequence[_Asked]
    skipped: int  # queries without a relevant document


def ask(
    index: SearchIndex, queries: Mapping[str, str], qrels: Judgements, *, encode: bool = True
) -> Questions:
    """Encode queries. encode: False for keyword mode. Raises DataError if none has an answer."""
    names = [name for name in queries if relevant(qrels.get(name, {}))]
    if not names:
        raise DataError(
            "No query has a relevant document.", hint="Check that the ids of both files agree."
        )
    vectors = index.encode_all([queries[name] for name in names]) if encode else [None] * len(names)
    asked = [
        _Asked(name, queries[name], vector, qrels[name])
        for name, vector in zip(names, vectors, strict=True)
    ]
    return Questions(asked, skipped=len(queries) - len(asked))


def _of_mode(by_mode: Callable[[int], Mapping[str, Ranking]], mode: str, depth: int) -> Ranking:
    return by_mode(depth)[mode]


def _measured(index: SearchIndex, ranked: Ranked, query: _Asked, *, skip_own: bool) -> Values:
    ranking = ranked_documents(index, ranked, DEEP + skip_own)
    kept = [name for name in ranking if not (skip_own and name == query.name)]
    return measured(kept, query.judged)


def _evaluation(
    index: SearchIndex,
    questions: Questions,
    rows: Sequence[Values],
    *,
    mode: str,
    rule: str,
    timed: int,
) -> Evaluation:
    asked = questions.asked
    return Evaluation(
        mode=mode,
        queries=tuple(query.name for query in asked),
        values=dict(zip(METRICS, np.array(rows).T, strict=True)),
        milliseconds=_timed(index, [query.text for query in asked[:timed]], mode=mode, rule=rule),
        skipped=questions.skipped,
    )


def _gain(gains: Sequence[int]) -> float:
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, start=1))


def _timed(index: SearchIndex, texts: Sequence[str], *, mode: str, rule: str) -> np.ndarray:
    for text in texts[:WARM_UP]:
        index.search(text, NEAR, mode=mode, rule=rule)
    taken = []
    for text in texts:
        began = time.perf_counter()
        index.search(text, NEAR, mode=mode, rule=rule)
        taken.append(1000 * (time.perf_counter() - began))
    return np.array(taken)
