"""The index that answers: dense, keyword and hybrid search over passages in memory or mapped.

Legend: n passages, d dimension, k hits. Rows are places in the published order.
"""

from __future__ import annotations

import difflib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from threading import Thread
from typing import TYPE_CHECKING, Any
from weakref import finalize

import numpy as np

from hub_utils.errors import LabError
from training.index.filters import allowed_rows
from training.index.folding import Group, fold, unfolded
from training.index.fusion import DEFAULT_RULE, Ranking, fuse
from training.index.hits import Context, Hit, Results
from training.index.query import read_query
from training.index.rows import PassageRows
from training.index.stores.base import Floats, Rows, Vectors, VectorStore
from training.index.stores.exact import ExactStore
from training.index.terms import Terms, stemmer_available
from training.shared.batcher import Batcher

if TYPE_CHECKING:
    from training.index.encoder import TextEncoder
    from training.index.keyword import KeywordIndex
    from training.index.manifest import Manifest

log = logging.getLogger(__name__)
MODES = ("hybrid", "dense", "keyword")
MAX_HITS = 1_000
DEPTH = 100  # rows of each ranking that is fused, at least
NEAR = 5  # passages that a query's place on the map is the mean of


@dataclass(frozen=True)
class Wanted:
    """What one search looks for. vector: None in keyword mode; text: "" in dense mode."""

    vector: Floats | None  # (d,)
    text: str
    allowed: Rows | None
    rule: str


class SearchIndex:
    """A loaded index. Safe to use from several threads: queries that meet are encoded together."""

    def __init__(
        self,
        passages: PassageRows,
        vectors: Vectors,
        encoder: TextEncoder,
        *,
        store: VectorStore | None = None,
        keyword: KeywordIndex | None = None,
        places: Floats | None = None,
        about: About | None = None,
    ) -> None:
        """`store`: None searches exactly. `places`: (n, 2) on the map, NaN where there is none."""
        self.passages, self.vectors, self.encoder = passages, vectors, encoder
        self.store: VectorStore = store or ExactStore(vectors)
        self.keyword, self.places = keyword, places
        self.about = about or About()
        self._encode: Batcher[str, Floats] = Batcher(partial(_query_vectors, encoder))
        self._failure: LabError | None = None
        self._opening: Thread | None = None
        self._released: Callable[[], object] | None = None

    def __len__(self) -> int:
        return len(self.passages)

    @property
    def repo(self) -> str:
        """Where it was published; "" for one made in memory."""
        return self.about.repo

    @property
    def revision(self) -> str | None:
        """Its commit."""
        return self.about.revision

    @property
    def away(self) -> bool:
        """Whether the Hub could not be reached, and this is the newest cached revision."""
        return self.about.away

    @property
    def manifest(self) -> Manifest | None:
        """How it was made; None for one made in memory."""
        return self.about.manifest

    def search(
        self,
        query: str,
        k: int = 10,
        *,
        mode: str = "hybrid",
        filters: Mapping[str, Any] | None = None,
        fold: bool = True,
        rule: str = DEFAULT_RULE,
    ) -> Results:
        """The k best passages for a text.

        mode: "dense" by meaning, "keyword" by words, "hybrid" by both, fused by `rule`.
        filters: see filters.py. fold: near-copies become one hit, which carries their ids.
        Empty, endless and foreign queries are answered, with a notice. Raises LabError for an
        unknown mode or column, and for k out of 1 to MAX_HITS.
        """
        began = time.perf_counter()
        self._check(mode, k)
        read = read_query(query)
        if not read.text:
            return Results(notice=read.notice)
        wanted = Wanted(
            vector=None if mode == "keyword" else self._encode(read.text),
            text="" if mode == "dense" else read.text,
            allowed=allowed_rows(self.passages.table, filters),
            rule=rule,
        )
        hits = self._hits(wanted, k, folding=fold)
        marked = self._marked(hits, read.text)
        notice = read.notice or self._why_nothing(marked, mode, filters)
        return Results(marked, time.perf_counter() - began, notice)

    def more_like(
        self, passage_id: str, k: int = 10, *, filters: Mapping[str, Any] | None = None
    ) -> Results:
        """The k passages nearest to one, from other documents.

        Raises LabError for an id that is not in the index.
        """
        began = time.perf_counter()
        self._check("dense", k)
        row = self.passages.row_of(passage_id)
        allowed = allowed_rows(self.passages.table, filters)
        own = self.passages.neighbours(row)
        wanted = Wanted(self.vector(row), "", allowed, DEFAULT_RULE)
        found = self._hits(wanted, k + len(own), folding=True, without=own)
        return Results(tuple(found[:k]), time.perf_counter() - began)

    def context(self, passage_id: str, **options: int) -> Context:
        """The passage between its document's text before and after. Raises LabError."""
        return self.passages.context(self.passages.row_of(passage_id), **options)

    def vector(self, row: int) -> Floats:
        """The vector (d,) of a passage."""
        return np.asarray(self.vectors[row], np.float32)

    def encode(self, text: str) -> Floats:
        """The vector (d,) of a query."""
        return self._encode(read_query(text).text)

    def encode_all(self, texts: Sequence[str]) -> Floats:
        """The vectors (n, d) of queries that nobody waits for one by one."""
        return self.encoder.encode_queries([read_query(text).text for text in texts])

    def ranked(self, wanted: Wanted, depth: int) -> Ranking:
        """`depth` rows or more, best first, as `search` has them before it folds."""
        return self._ranked(wanted, depth)[2]

    def ranked_by_mode(self, wanted: Wanted, near: Ranking, depth: int) -> dict[str, Ranking]:
        """What `ranked` gives in every mode, for what is wanted in hybrid mode.

        near: what `nearest` found; more is looked for if it is not deep enough.
        """
        dense, keyword, fused = self._ranked(wanted, depth, near=near)
        return {"hybrid": fused, "dense": dense, "keyword": keyword}

    def nearest(self, vectors: Floats, depth: int) -> list[Ranking]:
        """Of each of (q, d) vectors the `depth` nearest rows: many at once take less time."""
        rows, scores = self.store.search(vectors, min(depth, max(1, len(self))))
        return [Ranking.of(*found) for found in zip(rows, scores, strict=True)]

    def place(self, query: str | Floats) -> Floats | None:
        """Where a text or vector lies on the map: (2,); None where there is no map."""
        from training.index.map import place

        if self.places is None:
            return None
        vector = self.encode(query) if isinstance(query, str) else np.asarray(query, np.float32)
        rows, _ = self.store.search(vector[None], NEAR, allowed=self._placed)
        near = rows[0][rows[0] >= 0]
        if not len(near):
            return None
        found: Floats = place(
            vector[None], np.asarray(self.vectors[near], np.float32), self.places[near]
        )[0]
        return found

    def improve(self, better: Callable[[], VectorStore]) -> None:
        """Open another store in a thread of its own and search there once it is ready."""
        self._opening = Thread(target=self._improve, args=(better,), daemon=True)
        self._opening.start()

    def prepare(self, seconds: float | None = None) -> VectorStore:
        """Wait, at most `seconds`, for the store that was asked for. Raises LabError if it failed.

        Until then, and where it failed, search is exact: the same hits, later in a large corpus.
        """
        if self._opening is not None:
            self._opening.join(seconds)
        if self._failure is not None:
            raise self._failure
        return self.store

    def hold(self, release: Callable[[], None]) -> None:
        """Call `release` when the index is closed, or when nobody has it any more."""
        self._released = finalize(self, release)

    def close(self) -> None:
        """Let go of the store's files and connections."""
        if self._opening is not None:
            self._opening.join()
        self.store.close()
        if self._released is not None:
            self._released()

    def _improve(self, better: Callable[[], VectorStore]) -> None:
        try:
            self.store = better()
        except LabError as error:
            log.warning("%s is searched exactly: %s", self.repo, error.line())
            self._failure = error
        except Exception as error:
            log.exception("%s is searched exactly", self.repo)
            self._failure = LabError(f"The vector store cannot be opened: {error}.")

    @cached_property
    def _placed(self) -> Rows | None:
        """The rows that have a place; None if all have."""
        there = ~np.isnan(np.asarray(self.places)).any(axis=1)
        return None if there.all() else np.flatnonzero(there).astype(np.int64)

    def _check(self, mode: str, k: int) -> None:
        if mode not in MODES:
            near = difflib.get_close_matches(mode, MODES, n=1)
            guess = f" Did you mean {near[0]!r}?" if near else ""
            raise LabError(f"There is no mode {mode!r}.{guess}", hint=f"Use {', '.join(MODES)}.")
        if not 1 <= k <= MAX_HITS:
            raise LabError(f"k={k} is not a number of hits.", hint=f"Use 1 to {MAX_HITS:,}.")
        if mode != "dense" and self.keyword is None:
            raise LabError(
                f"This index has no keyword index, which {mode} search needs.",
                hint="Use dense search, or build the index again.",
            )

    def _hits(
        self, wanted: Wanted, k: int, *, folding: bool, without: Rows | None = None
    ) -> list[Hit]:
        """Rank, leave out, fold; more rows are ranked where folding leaves too few."""
        depth = 2 * k + 10 if folding else k
        while True:
            dense, keyword, ranking = self._ranked(wanted, depth)
            kept = ranking if without is None else ranking.without(without)
            rows = kept.rows[:depth]
            groups = self._folded(rows) if folding else unfolded(rows)
            if len(groups) >= k or len(ranking) < depth:
                break
            depth *= 4
        scores = _Scores(ranking.as_dict(), dense.as_dict(), keyword.as_dict())
        return [self._hit(group, wanted, scores) for group in groups[:k]]

    def _ranked(
        self, wanted: Wanted, depth: int, *, near: Ranking | None = None
    ) -> tuple[Ranking, Ranking, Ranking]:
        """(dense, keyword, the one that counts)."""
        both = wanted.vector is not None and bool(wanted.text)
        deep = min(max(depth, DEPTH) if both else depth, max(1, len(self)))
        dense = keyword = Ranking.empty()
        if near is not None and len(near) >= deep:
            dense = near.first(deep)
        elif wanted.vector is not None:
            rows, scores = self.store.search(wanted.vector[None], deep, allowed=wanted.allowed)
            dense = Ranking.of(rows[0], scores[0])
        if wanted.text and self.keyword is not None:
            rows, scores = self.keyword.search(wanted.text, deep, allowed=wanted.allowed)
            keyword = Ranking.of(rows, scores)
        if both:
            return dense, keyword, fuse(dense, keyword, wanted.rule)
        return dense, keyword, keyword if wanted.vector is None else dense

    def _folded(self, rows: Rows) -> list[Group]:
        hashes = [self.passages.cell(row, "text_hash") for row in rows.tolist()]
        return fold(rows, self.vectors[rows], hashes)

    def _hit(self, group: Group, wanted: Wanted, scores: _Scores) -> Hit:
        row, cell = group.row, self.passages.cell
        dense = scores.dense.get(row)
        if dense is None and wanted.vector is not None:
            dense = float(self.vector(row) @ wanted.vector)
        return Hit(
            id=cell(row, "id"),
            document=cell(row, "document"),
            title=cell(row, "title") or "",
            text=cell(row, "text"),
            score=scores.ranking[row],
            row=row,
            dense=dense,
            keyword=scores.keyword.get(row),
            metadata=self.passages.metadata(row),
            duplicates=tuple(cell(copy, "id") for copy in group.copies),
        )

    def _marked(self, hits: list[Hit], query: str) -> tuple[Hit, ...]:
        """The hits with the places of the query's words in them."""
        stems = frozenset(self._terms.of_query(query))
        return tuple(replace(hit, highlights=self._terms.spans(hit.text, stems)) for hit in hits)

    @cached_property
    def _terms(self) -> Terms:
        stemming = stemmer_available() if self.keyword is None else self.keyword.stemming
        return Terms(stemming=stemming)

    def _why_nothing(
        self, hits: tuple[Hit, ...], mode: str, filters: Mapping[str, Any] | None
    ) -> str | None:
        if hits:
            return None
        if mode == "keyword":
            return "No passage has these words." if not filters else _NOTHING_FILTERED
        return _NOTHING_FILTERED if filters else "The index has no passages."


_NOTHING_FILTERED = "No passage meets these filters and this query."


def _query_vectors(encoder: TextEncoder, texts: list[str]) -> Sequence[Floats]:
    """Vectors of queries that came together."""
    if len(texts) == 1:
        return [encoder.encode_query(texts[0])]
    return list(encoder.encode_queries(texts))


@dataclass(frozen=True)
class About:
    """Where an index came from."""

    repo: str = ""
    revision: str | None = None
    away: bool = False
    manifest: Manifest | None = None


@dataclass(frozen=True)
class _Scores:
    """Score by row: of the ranking that counts, and of both modes."""

    ranking: dict[int, float]
    dense: dict[int, float]
    keyword: dict[int, float]
