"""One shard from its documents: rows taken over where nothing changed, the others cut anew.

outline = Outline.of(entries, earlier)               # which documents have to be cut
draft = outline.draft(passages, columns=…, names=…)  # their passages; they have no vectors yet
draft.finished(vectors)                              # the shard
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from training.index.shards import Passages, schema, text_hash

if TYPE_CHECKING:
    import pyarrow as pa

    from training.index.documents import Document
    from training.index.passages import Passage
    from training.index.spool import Entry


@dataclass(frozen=True)
class Draft:
    """A shard whose new passages have no vectors yet.

    Row r of the shard is row order[r] of the earlier shard's rows followed by the new ones.
    """

    earlier: Passages | None
    new: pa.Table
    embedded: list[str]  # what is embedded of each new passage
    hashes: list[str]  # and its text hash
    order: np.ndarray  # (rows,) int64

    @property
    def kept(self) -> int:
        """Rows taken over."""
        return len(self.order) - len(self.hashes)

    def finished(self, vectors: np.ndarray) -> Passages:
        """The shard, given the (new, d) vectors of the new passages."""
        import pyarrow as pa

        if self.earlier is None:
            return Passages(self.new, vectors)
        table = pa.concat_tables([self.earlier.table, self.new]).take(self.order)
        return Passages(table, np.concatenate([self.earlier.vectors, vectors])[self.order])


@dataclass(frozen=True)
class Outline:
    """A shard whose new documents are not cut yet."""

    entries: Sequence[Entry]  # its documents, in their order
    earlier: Passages | None  # its last revision, with the same columns
    kept: Mapping[tuple[str, str], tuple[int, int]]  # (document, hash) → its rows there, from to
    documents: list[Document]  # the others

    @classmethod
    def of(cls, entries: Sequence[Entry], earlier: Passages | None) -> Outline:
        """Hold the documents to the shard's last revision."""
        kept = _documents(earlier)
        new = [entry.document() for entry in entries if (entry.id, entry.hash) not in kept]
        return cls(entries, earlier, kept, new)

    @property
    def characters(self) -> int:
        """Of the documents that have to be cut."""
        return sum(len(document.text) for document in self.documents)

    @property
    def earlier_rows(self) -> int:
        """Of the earlier revision, which are in memory."""
        return 0 if self.earlier is None else len(self.earlier)

    def draft(
        self,
        passages: Sequence[list[Passage]],
        *,
        columns: Mapping[str, str],
        names: Mapping[str, str],
    ) -> Draft:
        """The shard with the passages of each new document. names: column → metadata name."""
        fresh = iter(zip(self.documents, passages, strict=True))
        rows: list[tuple[Entry, Document, Passage]] = []
        order: list[np.ndarray] = []
        for entry in self.entries:
            start, stop = self.kept.get((entry.id, entry.hash), (0, 0))
            if stop == start:  # an earlier document has a passage at least
                document, found = next(fresh)
                start = self.earlier_rows + len(rows)
                rows += [(entry, document, passage) for passage in found]
                stop = self.earlier_rows + len(rows)
            order.append(np.arange(start, stop))
        embedded = [passage.embedded for _, _, passage in rows]
        hashes = [text_hash(text) for text in embedded]
        new = _table(rows, hashes, columns, names)
        return Draft(self.earlier, new, embedded, hashes, np.concatenate([*order, np.arange(0)]))


def _documents(passages: Passages | None) -> dict[tuple[str, str], tuple[int, int]]:
    """(document, its hash) → the rows from where to where."""
    if passages is None:
        return {}
    ids = passages.table["document"].to_pylist()
    hashes = passages.table["document_hash"].to_pylist()
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for row, key in enumerate(zip(ids, hashes, strict=True)):
        start, _ = found.get(key, (row, row))
        found[key] = (start, row + 1)
    return found


def _table(
    rows: Sequence[tuple[Entry, Document, Passage]],
    hashes: list[str],
    columns: Mapping[str, str],
    names: Mapping[str, str],
) -> pa.Table:
    import pyarrow as pa

    cells: dict[str, list[Any]] = {
        name: [getattr(passage, name) for _, _, passage in rows]
        for name in ("id", "document", "title", "text", "number", "start", "end")
    }
    for column, kind in columns.items():
        name = names[column]
        cells[column] = [_cell(document.metadata.get(name), kind) for _, document, _ in rows]
    cells["text_hash"] = hashes
    cells["document_hash"] = [entry.hash for entry, _, _ in rows]
    return pa.table(cells, schema=schema(columns))


def _cell(value: Any, kind: str) -> Any:
    if value is None:
        return None
    if kind == "string":
        return str(value)
    return float(value) if kind == "double" else value
