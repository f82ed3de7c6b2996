"""What a search gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Span = tuple[int, int]  # characters of a text, from the first to before the second


@dataclass(frozen=True)
class Hit:
    """One passage that was found.

    Its texts are the corpus's own, letter by letter: escape them where they go into HTML.
    """

    id: str
    document: str
    title: str
    text: str
    score: float  # of the mode: cosine, BM25 or the fused score
    row: int
    dense: float | None = None  # cosine, where it is known
    keyword: float | None = None  # BM25, where the passage has one of the words
    highlights: tuple[Span, ...] = ()  # in `text`: the query's words, whatever their ending
    metadata: Mapping[str, Any] = field(default_factory=dict)
    duplicates: tuple[str, ...] = ()  # ids of near-copies that were folded into this hit


@dataclass(frozen=True)
class Results:
    """Hits, best first."""

    hits: tuple[Hit, ...] = ()
    seconds: float = 0.0  # text in to hits out
    notice: str | None = (
        None  # what the reader should know: the query was cut, nothing has the words
    )


@dataclass(frozen=True)
class Context:
    """A passage in its document. Where passages were cut at spaces, one space stands for them."""

    id: str
    document: str
    title: str
    before: str
    text: str
    after: str
