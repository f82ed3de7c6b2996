"""One shard from its documents: rows taken over where nothing changed, the others cut anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from training.index.shards import Passages, schema, text_hash

if TYPE_CHECKING:
    import pyarrow as pa

    from training.index.documents import Document
    from training.index.passages import Passage
    from training.index.spool import Entry

Cut = Callable[[list["Document"]], list[list["Passage"]]]


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


def draft(
    entries: Sequence[Entry],
    earlier: Passages | None,
    *,
    cut: Cut,
    columns: Mapping[str, str],
    names: Mapping[str, str],
) -> Draft:
    """Plan a shard from its documents, in their order.

    earlier: the shard's last revision, with the same columns. names: column → metadata name.
    """
    known = _documents(earlier)
    documents = [e.document() for e in entries if (e.id, e.hash) not in known]
    fresh = iter(zip(documents, cut(documents), strict=True))
    base = 0 if earlier is None else len(earlier)
    rows: list[tuple[Entry, Document, Passage]] = []
    order: list[np.ndarray] = []
    for entry in entries:
        start, stop = known.get((entry.id, entry.hash), (0, 0))
        if stop == start:  # an earlier document has a passage at least
            document, passages = next(fresh)
            first = len(rows)
            rows += [(entry, document, passage) for passage in passages]
            start, stop = base + first, base + len(rows)
        order.append(np.arange(start, stop))
    embedded = [passage.embedded for _, _, passage in rows]
    hashes = [text_hash(text) for text in embedded]
    new = _table(rows, hashes, columns, names)
    return Draft(earlier, new, embedded, hashes, np.concatenate([*order, np.arange(0)]))


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
