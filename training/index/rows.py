"""The passages of an index by row: texts and metadata, read where they lie.

The columns may be memory mapped; nothing is copied but the cells that are asked for.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from hub_utils.errors import LabError
from training.index.hits import Context

if TYPE_CHECKING:
    import pyarrow as pa

    from training.index.stores.base import Rows

# What every index has; other columns are the corpus's metadata.
COLUMNS = (
    *("id", "document", "title", "text", "number", "start", "end"),
    *("text_hash", "document_hash"),
)
NOT_METADATA = frozenset((*COLUMNS, "embedding", "x", "y"))
CONTEXT_CHARACTERS = 2_000  # on either side


class PassageRows:
    """A pyarrow table of passages in published order: by document, then by number."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table
        ends = np.cumsum([batch.num_rows for batch in table.to_batches()], dtype=np.int64)
        self._ends, self._batches = ends, table.to_batches()

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @cached_property
    def metadata_columns(self) -> tuple[str, ...]:
        """Names of the corpus's own columns."""
        return tuple(name for name in self.table.column_names if name not in NOT_METADATA)

    def cell(self, row: int, column: str) -> Any:
        """One value, as Python has it."""
        batch = int(np.searchsorted(self._ends, row, side="right"))
        first = int(self._ends[batch]) - self._batches[batch].num_rows
        return self._batches[batch].column(column)[row - first].as_py()

    def cells(self, rows: Rows, column: str) -> list[Any]:
        """A column's values in many rows, in the order of `rows`."""
        import pyarrow as pa

        values: list[Any] = self.table[column].take(pa.array(rows, pa.int64())).to_pylist()
        return values

    def metadata(self, row: int) -> dict[str, Any]:
        """The corpus's own columns of a row, without the empty ones."""
        cells = {name: self.cell(row, name) for name in self.metadata_columns}
        return {name: value for name, value in cells.items() if value is not None}

    def row_of(self, passage_id: str) -> int:
        """The row of a passage. Raises LabError if there is none of this id."""
        import pyarrow as pa
        import pyarrow.compute as pc

        column = self.table["id"]
        row = pc.index(column, pa.scalar(str(passage_id), column.type)).as_py()
        if row < 0:
            raise LabError(
                f"There is no passage {passage_id!r} in this index.",
                hint="Use the id of a hit of the same revision.",
            )
        return int(row)

    def document_rows(self, row: int) -> range:
        """The rows of the document that `row` belongs to."""
        document, first, last = self.cell(row, "document"), row, row
        while first > 0 and self.cell(first - 1, "document") == document:
            first -= 1
        while last + 1 < len(self) and self.cell(last + 1, "document") == document:
            last += 1
        return range(first, last + 1)

    def context(self, row: int, *, characters: int = CONTEXT_CHARACTERS) -> Context:
        """The passage with up to `characters` of its document before and after it."""
        rows = self.document_rows(row)
        before = _joined(self, [r for r in rows if r < row], until=self.cell(row, "start"))
        after = _joined(self, [r for r in rows if r > row], since=self.cell(row, "end"))
        return Context(
            id=self.cell(row, "id"),
            document=self.cell(row, "document"),
            title=self.cell(row, "title") or "",
            before=before[-characters:] if characters else "",
            text=self.cell(row, "text"),
            after=after[:characters],
        )

    def neighbours(self, row: int) -> Rows:
        """The rows of the same document, for leaving them out."""
        return np.asarray(self.document_rows(row), np.int64)


def _joined(
    passages: PassageRows, rows: list[int], *, since: int = 0, until: int | None = None
) -> str:
    """The document's text from `since` on, up to `until`: what overlaps comes once."""
    text, position = "", since
    for row in rows:
        start, end = passages.cell(row, "start"), passages.cell(row, "end")
        piece = passages.cell(row, "text")[max(0, position - start) :]
        if until is not None and end > until:
            piece = piece[: max(0, until - max(start, position))]
        if start > position and (text or since):
            text += " "
        text += piece
        position = max(position, end)
    if until is not None and position < until and text:
        text += " "
    return text
