"""A reader's query, made safe to search with, and what to tell the reader about that."""

from __future__ import annotations

from dataclasses import dataclass

MAX_CHARACTERS = 4_000  # far beyond what an encoder reads of a query


@dataclass(frozen=True)
class Query:
    """What is searched for. `notice`: what the reader should know; None: all is as written."""

    text: str
    notice: str | None = None


def read_query(text: str) -> Query:
    """`text` without what no tokenizer reads (lone surrogates, NUL), cut to MAX_CHARACTERS."""
    clean = text.encode("utf-8", "ignore").decode("utf-8").replace("\0", " ").strip()
    if not clean:
        return Query("", "The query is empty. Write what you look for.")
    if len(clean) <= MAX_CHARACTERS:
        return Query(clean)
    return Query(
        clean[:MAX_CHARACTERS],
        f"The query has {len(clean):,} characters; its first {MAX_CHARACTERS:,} were searched for.",
    )
