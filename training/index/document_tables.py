"""Documents in the rows of a table: csv, tsv, JSON Lines, Parquet, the splits of a data set."""

from __future__ import annotations

import csv
import difflib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hub_utils.errors import DataError
from training.index.documents import Cell, Columns, Document

MAX_FIELD_CHARACTERS = 10_000_000
TEXT, TITLE, IDS = "text", "title", ("_id", "id")
METADATA = "metadata"  # BEIR's own column of further fields
BATCH = 1000  # rows of a data set taken at once

Row = Mapping[str, Any]


def read_table(path: Path, columns: Columns) -> Iterator[Document]:
    """The documents of a file. Raises DataError with the file, the row and what to do."""
    rows = _READERS[path.suffix.lower()](path)
    return _documents(rows, columns, source=path.name, prefix="row")


def read_splits(tables: Mapping[str, Any], columns: Columns, *, source: str) -> Iterator[Document]:
    """The documents of a data set's splits, one after the other. Raises DataError."""
    for split, table in tables.items():
        yield from _documents(_dataset_rows(table), columns, source=source, prefix=split)


def _documents(
    rows: Iterable[Row], columns: Columns, *, source: str, prefix: str
) -> Iterator[Document]:
    """A document a row; its columns are settled by the first."""
    found: _Fields | None = None
    for number, row in enumerate(rows, start=1):
        found = found or _Fields(columns, list(row), source)
        yield found.document(row, f"{prefix}:{number}")
    if found is None:
        raise DataError(f"{source} has no rows.", hint="Put one document on each row.")


class _Fields:
    """The columns of one table."""

    def __init__(self, columns: Columns, names: Sequence[str], source: str) -> None:
        self.text = _column(columns.text, (TEXT,), names, source, option="--text-column")
        if self.text is None and len(names) == 1:
            self.text = names[0]
        if self.text is None:
            raise _unknown(source, TEXT, names, "--text-column")
        self.title = _column(columns.title, (TITLE,), names, source, option="--title-column")
        self.id = _column(columns.id, IDS, names, source, option="--id-column")
        self._own = {self.text, self.title, self.id}

    def document(self, row: Row, place: str) -> Document:
        id = row.get(self.id) if self.id else None
        return Document(
            id=place if id in (None, "") else str(id),
            title=_text(row.get(self.title)) if self.title else "",
            text=_text(row.get(self.text or TEXT)),
            metadata=self._metadata(row),
        )

    def _metadata(self, row: Row) -> dict[str, Cell]:
        """The other columns' single values; BEIR's `metadata` holds some of its own."""
        inner = row.get(METADATA)
        cells = {name: value for name, value in row.items() if name not in self._own}
        if isinstance(inner, Mapping):
            cells = {**inner, **cells}
        return {
            str(name): value
            for name, value in cells.items()
            if name and isinstance(value, str | int | float | bool)
        }


def _column(
    given: str | None, usual: Sequence[str], names: Sequence[str], source: str, *, option: str
) -> str | None:
    if given is None:
        return next((name for name in usual if name in names), None)
    if given not in names:
        raise _unknown(source, given, names, option)
    return given


def _unknown(source: str, name: str, names: Sequence[str], option: str) -> DataError:
    near = difflib.get_close_matches(name, names, n=2, cutoff=0.4)
    guess = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
    return DataError(
        f"{source} has no column {name!r}; it has {', '.join(map(repr, names))}.{guess}",
        hint=f"Name the column with {option}.",
    )


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _delimited_rows(path: Path, delimiter: str) -> Iterator[Row]:
    csv.field_size_limit(MAX_FIELD_CHARACTERS)
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, delimiter=delimiter)
        try:
            for row in reader:
                yield {name: value for name, value in row.items() if isinstance(name, str)}
        except UnicodeDecodeError as error:
            raise _not_utf8(path, reader.line_num) from error
        except csv.Error as error:
            raise DataError(
                f"{path.name}, line {reader.line_num}: {error}.",
                hint="Put fields with line ends or separators in double quotes.",
            ) from error


def _json_rows(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig") as file:
        number = 0
        try:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield _json_row(path, number, line)
        except UnicodeDecodeError as error:
            raise _not_utf8(path, number + 1) from error


def _json_row(path: Path, number: int, line: str) -> Row:
    try:
        row = json.loads(line)
    except (json.JSONDecodeError, RecursionError) as error:
        raise DataError(
            f"{path}, line {number} is not JSON.", hint="Put one JSON object on each line."
        ) from error
    if not isinstance(row, dict):
        raise DataError(
            f"{path}, line {number} is no JSON object.",
            hint='Put one on each line: {"id": "1", "title": "…", "text": "…"}.',
        )
    return row


def _parquet_rows(path: Path) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=BATCH):
                yield from batch.to_pylist()
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(
            f"{path.name} is not a Parquet file that can be read.", hint="Write it again."
        ) from error


def _dataset_rows(table: Any) -> Iterator[Row]:
    """Rows of a split; a ClassLabel column keeps numbers and knows their names."""
    labels = {n: f.names for n, f in table.features.items() if hasattr(f, "names")}
    plain = table.select_columns([n for n, f in table.features.items() if not _is_media(f)])
    for batch in plain.iter(batch_size=BATCH):
        for values in zip(*batch.values(), strict=True):
            row = dict(zip(batch, values, strict=True))
            for name, names in labels.items():
                value = row[name]
                row[name] = None if value is None or value < 0 else names[value]
            yield row


def _is_media(feature: Any) -> bool:
    """Pictures and sounds: reading the row would decode them."""
    return type(feature).__name__ in ("Image", "Audio", "Video", "Pdf")


def _not_utf8(path: Path, line: int) -> DataError:
    return DataError(
        f"{path.name} is not UTF-8 (near line {line}).", hint="Save it again as UTF-8."
    )


_READERS = {
    ".csv": lambda path: _delimited_rows(path, ","),
    ".tsv": lambda path: _delimited_rows(path, "\t"),
    ".jsonl": _json_rows,
    ".parquet": _parquet_rows,
}
