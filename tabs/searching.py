"""What the Search tab does, without its layout: search an index by one mode or all, narrow it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tabs.i18n import PageError

if TYPE_CHECKING:
    from training.index.inference import Hit, Results, SearchIndex

MODES = ("hybrid", "dense", "keyword")
ALL = "all"  # the three side by side
MAX_CHARACTERS = 200_000  # of a query; what an encoder reads of it is said by the index
MAX_HITS = 50
DEFAULT_HITS = 10
FEW = 40  # values that a column may have to be offered as a filter


@dataclass(frozen=True)
class Ask:
    """What is looked for."""

    query: str
    k: int = DEFAULT_HITS
    mode: str = "hybrid"  # or ALL
    filters: Mapping[str, list[Any]] = field(default_factory=dict)

    @property
    def modes(self) -> tuple[str, ...]:
        """The modes to search by."""
        return MODES if self.mode == ALL else (self.mode,)


@dataclass(frozen=True)
class Found:
    """What was found, by mode in the order of the columns; `like`: the passage that was meant."""

    index: SearchIndex
    query: str
    by_mode: Mapping[str, Results]
    seconds: float
    like: str = ""

    @property
    def hits(self) -> tuple[Hit, ...]:
        """The hits of the first mode."""
        return next(iter(self.by_mode.values())).hits

    @cached_property
    def ranks(self) -> dict[str, dict[str, int]]:
        """By mode: the rank of a passage, from 1."""
        return {
            mode: {hit.id: rank for rank, hit in enumerate(results.hits, 1)}
            for mode, results in self.by_mode.items()
        }


@dataclass(frozen=True)
class Facet:
    """A column with few values, by which hits can be filtered."""

    column: str
    values: tuple[Any, ...]  # in their order


def asked(
    query: str,
    k: Any,
    mode: str,
    chosen: Sequence[str] | None = None,
    *,
    known: Sequence[str] = (*MODES, ALL),
) -> Ask:
    """A checked wish; `chosen` are tokens of `choices`. PageError for what cannot be done."""
    if not (query or "").strip():
        raise PageError("search.empty")
    if len(query) > MAX_CHARACTERS:
        raise PageError("search.too_long", given=len(query), limit=MAX_CHARACTERS)
    if not isinstance(k, (int, float)) or not 1 <= k <= MAX_HITS:
        raise PageError("search.range", given=k, limit=MAX_HITS)
    if mode not in known:
        raise PageError("search.unknown_mode", given=mode, known=", ".join(known))
    return Ask(query, int(k), mode, filters_of(chosen or ()))


def search(index: SearchIndex, ask: Ask) -> Found:
    """Search by every mode that is asked for. Raises LabError."""
    began = time.perf_counter()
    by_mode = {
        mode: index.search(ask.query, ask.k, mode=mode, filters=ask.filters or None)
        for mode in ask.modes
    }
    return Found(index, ask.query, by_mode, time.perf_counter() - began)


def more_like(index: SearchIndex, passage: str, k: int, chosen: Sequence[str] | None) -> Found:
    """The nearest passages of other documents. Raises LabError for an unknown passage."""
    began = time.perf_counter()
    filters = filters_of(chosen or ()) or None
    results = index.more_like(passage, k, filters=filters)
    meant = index.context(passage, characters=0)
    return Found(
        index,
        meant.title or meant.text,
        {"dense": results},
        time.perf_counter() - began,
        like=passage,
    )


def facets(index: SearchIndex) -> tuple[Facet, ...]:
    """The corpus's columns that have 2 to FEW values, each of several documents."""
    table = index.passages.table
    found = [Facet(name, _values(table[name])) for name in index.passages.metadata_columns]
    most = min(FEW, len(table["document"].unique()) // 2)
    return tuple(facet for facet in found if 2 <= len(facet.values) <= most)


def _values(column: Any) -> tuple[Any, ...]:
    """The distinct values of a column, ordered; none if there are too many or they are numbers."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_floating(kind) or len(distinct := column.unique()) > FEW + 1:
        return ()
    values = [value for value in distinct.to_pylist() if value is not None and value != ""]
    return tuple(sorted(values))


def choices(found: Iterable[Facet]) -> list[tuple[str, str]]:
    """(label, token) of every value of every facet; the column is named where there are several."""
    several = len(facet_list := list(found)) > 1
    return [
        (f"{facet.column}: {value}" if several else str(value), json.dumps([facet.column, value]))
        for facet in facet_list
        for value in facet.values
    ]


def filters_of(chosen: Sequence[str]) -> dict[str, list[Any]]:
    """One of the values chosen in each column, as the index takes it. PageError for others."""
    filters: dict[str, list[Any]] = {}
    for token in chosen:
        try:
            column, value = json.loads(token)
        except (ValueError, TypeError):
            raise PageError("search.unknown_filter", given=token) from None
        filters.setdefault(str(column), []).append(value)
    return filters


def as_json(found: Found) -> list[dict[str, Any]]:
    """The hits of the first mode as plain values, for programs."""
    return [
        {
            "id": hit.id,
            "document": hit.document,
            "title": hit.title,
            "text": hit.text,
            "score": round(float(hit.score), 6),
            "metadata": dict(hit.metadata),
        }
        for hit in found.hits
    ]
