"""The terms of passages as numbers, each text cut once: those of an earlier revision beforehand.

terms = TermNumbers()
terms.learn(earlier_table)            # while an encoder loads
terms.of(table)                       # of each passage; what was learned is not cut again
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import TYPE_CHECKING

from training.index.terms import Terms, stemmer_available

if TYPE_CHECKING:
    import pyarrow as pa


class TermNumbers:
    """Numbers of terms by a passage's text hash. In memory are 4 bytes a term."""

    def __init__(self) -> None:
        self.stemming = stemmer_available()
        self.vocabulary: dict[str, int] = {}
        self._terms = Terms(stemming=self.stemming)
        self._known: dict[str, array[int]] = {}

    def __len__(self) -> int:
        return len(self._known)

    def learn(self, table: pa.Table) -> None:
        """Cut what is new among passages with the columns title, text and text_hash."""
        import pyarrow as pa

        hashes = table["text_hash"].to_pylist()
        new = [row for row, name in enumerate(hashes) if name not in self._known]
        texts = embedded(table.select(["title", "text"]).take(pa.array(new, pa.int64())))
        numbers = self._terms.numbered(texts, self.vocabulary)
        self._known.update(zip((hashes[row] for row in new), numbers, strict=True))

    def of(self, table: pa.Table) -> list[array[int]]:
        """Of each passage the numbers of its terms, in their order. It learns what is new."""
        self.learn(table)
        return [self._known[name] for name in table["text_hash"].to_pylist()]


def embedded(table: pa.Table) -> Iterator[str]:
    """What was embedded of each passage."""
    for batch in table.select(["title", "text"]).to_batches():
        pairs = zip(batch["title"].to_pylist(), batch["text"].to_pylist(), strict=True)
        yield from (f"{title}\n{text}" if title else text for title, text in pairs)
