"""How often each passage has which terms; those of an earlier revision are counted beforehand.

counts = TermCounts()
counts.learn(earlier_table)           # while an encoder loads
counts.of(table)                      # what was learned is not counted again

Legend: n passages, m pairs of a passage and a term that it has.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from training.index.passages import embedded
from training.index.terms import Terms, stemmer_available

if TYPE_CHECKING:
    import pyarrow as pa

BLOCK = 8192  # passages whose terms are counted at once: some 800,000 numbers


@dataclass(frozen=True, slots=True)
class Counted:
    """The terms of passages, passage after passage."""

    terms: np.ndarray  # (m,) int32 numbers of the vocabulary
    times: np.ndarray  # (m,) float32
    distinct: np.ndarray  # (n,) int64: how many of the pairs are a passage's
    lengths: np.ndarray  # (n,) int64: terms of a passage, each as often as it is there

    @property
    def rows(self) -> np.ndarray:
        """(m,) int32: the passage of each pair."""
        return np.repeat(np.arange(len(self.distinct), dtype=np.int32), self.distinct)


class TermCounts:
    """Counts of terms by a passage's text hash. In memory: 8 bytes a pair, 700 a passage."""

    def __init__(self) -> None:
        self.stemming = stemmer_available()
        self.vocabulary: dict[str, int] = {}
        self._terms = Terms(stemming=self.stemming)
        self._known: dict[str, Counted] = {}

    def __len__(self) -> int:
        return len(self._known)

    def learn(self, table: pa.Table) -> None:
        """Count what is new among passages with the columns title, text and text_hash."""
        import pyarrow as pa

        hashes = table["text_hash"].to_pylist()
        new = [row for row, name in enumerate(hashes) if name not in self._known]
        texts = texts_of(table.select(["title", "text"]).take(pa.array(new, pa.int64())))
        numbers = self._terms.numbered(texts, self.vocabulary)
        each = (one for block in blocks(numbers) for one in _each(block))
        self._known.update(zip((hashes[row] for row in new), each, strict=True))

    def of(self, table: pa.Table) -> Counted:
        """The terms of these passages. It learns what is new."""
        self.learn(table)
        return joined(self._known[name] for name in table["text_hash"].to_pylist())


def blocks(columns: Iterable[array[int]]) -> Iterator[Counted]:
    """Count passages that are given by the numbers of their terms, BLOCK at once."""
    remaining = iter(columns)
    while block := list(islice(remaining, BLOCK)):
        lengths = np.fromiter(map(len, block), np.int64, len(block))
        numbers = np.concatenate([np.asarray(column, np.int64) for column in block])
        rows = np.repeat(np.arange(len(block)), lengths)
        pairs, times = np.unique(rows << 32 | numbers, return_counts=True)
        distinct = np.bincount(pairs >> 32, minlength=len(block))
        terms = (pairs & 0xFFFFFFFF).astype(np.int32)
        yield Counted(terms, times.astype(np.float32), distinct, lengths)


def joined(parts: Iterable[Counted]) -> Counted:
    """One after the other."""
    empty = np.empty(0, np.int32)
    kinds = (empty, empty.astype(np.float32), empty.astype(np.int64), empty.astype(np.int64))
    given = ((part.terms, part.times, part.distinct, part.lengths) for part in parts)
    return Counted(*(np.concatenate(arrays) for arrays in zip(kinds, *given, strict=True)))


def texts_of(table: pa.Table) -> Iterator[str]:
    """What was embedded of each passage of a table with the columns title and text."""
    for batch in table.select(["title", "text"]).to_batches():
        yield from map(embedded, batch["title"].to_pylist(), batch["text"].to_pylist())


def _each(block: Counted) -> Iterator[Counted]:
    """The passages of a block, as views."""
    stop = 0
    for row, pairs in enumerate(block.distinct.tolist()):
        start, stop = stop, stop + pairs
        one = slice(row, row + 1)
        yield Counted(
            block.terms[start:stop],
            block.times[start:stop],
            block.distinct[one],
            block.lengths[one],
        )
