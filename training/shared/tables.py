"""Read labelled texts from a csv, tsv, jsonl or parquet file, or say what is wrong with it.

Each reader returns rows as dictionaries together with the row's place in the file, so that every
complaint can name the row.
"""

from __future__ import annotations

import csv
import difflib
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub_utils.errors import DataError

TEXT_COLUMN = "text"
LABEL_COLUMN = "label"
MAX_FIELD_CHARACTERS = 10_000_000
# What others call the two columns; used to recognise a header, never to guess a column.
TEXT_WORDS = {
    "text", "texts", "sentence", "sentences", "review", "comment", "content", "contents", "body",
    "message", "document", "article", "question", "query", "title", "headline", "tweet", "post",
    "description", "input", "utterance", "phrase", "abstract",
}  # fmt: skip
LABEL_WORDS = {
    "label", "labels", "class", "classes", "category", "categories", "target", "topic", "sentiment",
    "intent", "tag", "tags", "rating", "stars", "score", "polarity", "team", "output", "answer",
    "group",
}  # fmt: skip


@dataclass(frozen=True)
class Columns:
    """Which columns hold the texts and the labels; None: the default name."""

    text: str | None = None
    label: str | None = None

    @property
    def text_name(self) -> str:
        """The text column's name."""
        return self.text or TEXT_COLUMN

    @property
    def label_name(self) -> str:
        """The label column's name."""
        return self.label or LABEL_COLUMN

    @property
    def chosen(self) -> bool:
        """Whether the user named any."""
        return self.text is not None or self.label is not None


@dataclass(frozen=True)
class Examples:
    """Texts with their labels, one a row."""

    texts: tuple[str, ...]
    labels: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: Iterable[int]) -> Examples:
        """The examples of these rows, in this order."""
        chosen = list(rows)
        return Examples(
            tuple(self.texts[row] for row in chosen), tuple(self.labels[row] for row in chosen)
        )


@dataclass(frozen=True)
class Row:
    """A row as read. `number`: its line in the file, or its place among the records, from 1."""

    number: int
    cells: dict[str, Any]


@dataclass(frozen=True)
class Rows:
    """All rows of a file. `headerless`: it named no columns, so positions were used."""

    names: tuple[str, ...]
    rows: list[Row]
    headerless: bool = False


def read_examples(path: Path, columns: Columns | None = None) -> Examples:
    """The labelled texts of a file. Raises DataError with the file, the row and what to do."""
    columns = columns or Columns()
    table = _read(path, columns)
    if not table.rows:
        raise DataError(f"{path} has no rows.", hint="Put one labelled text on each row.")
    for name in (columns.text_name, columns.label_name):
        _require_column(path, name, table.names)
    if table.headerless:
        pairs = [(row.cells[TEXT_COLUMN], row.cells[LABEL_COLUMN]) for row in table.rows]
        _refuse_header_as_row(path, pairs)
    return examples_from(table.rows, columns, source=str(path))


def examples_from(rows: Sequence[Row], columns: Columns, *, source: str) -> Examples:
    """Check every row and take its text and label. Raises DataError."""
    texts = [_cell(row, columns.text_name, "text", source=source) for row in rows]
    labels = [_cell(row, columns.label_name, "label", source=source) for row in rows]
    examples = Examples(tuple(texts), tuple(labels))
    require_two_labels(examples, source=source)
    return examples


def require_two_labels(examples: Examples, *, source: str) -> None:
    """Raises DataError when all rows have the same label."""
    if len(set(examples.labels)) < 2:
        raise DataError(
            f"All {len(examples)} rows of {source} have the same label, {examples.labels[0]!r}.",
            hint="A classifier needs at least two different labels.",
        )


def unknown_column(source: str, name: str, names: Sequence[str]) -> DataError:
    """The complaint about a column that is not there, with the near ones named."""
    near = difflib.get_close_matches(name, names, n=2, cutoff=0.4) or _synonyms(name, names)
    guess = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
    option = "--label-column" if name == LABEL_COLUMN else "--text-column"
    return DataError(
        f"{source} has no column {name!r}; it has {', '.join(map(repr, names))}.{guess}",
        hint=f"Name the column with --text-column or --label-column (here: {option}).",
    )


def _synonyms(name: str, names: Sequence[str]) -> list[str]:
    known = LABEL_WORDS if name == LABEL_COLUMN else TEXT_WORDS
    return [other for other in names if known & _words(other)][:2]


def _words(name: str) -> set[str]:
    """The words of a column's name: "review_text" has two."""
    return set(re.split(r"[_\W]+", name.lower()))


def _read(path: Path, columns: Columns) -> Rows:
    if not path.exists():
        near = difflib.get_close_matches(path.name, _siblings(path), n=1)
        guess = f" Did you mean {near[0]!r}?" if near else ""
        raise DataError(f"There is no file {path}.{guess}", hint="Check the path.")
    if path.is_dir():
        raise DataError(f"{path} is a folder.", hint="Give one file of labelled texts.")
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise DataError(
            f"{path} ends in {path.suffix or 'no suffix'!r}, which is not known here.",
            hint=f"Use one of: {' '.join(READERS)}, or the id of a Hub data set.",
        )
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty.", hint="Put one labelled text on each row.")
    return reader(path, columns)


def _siblings(path: Path) -> list[str]:
    return [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []


def _decode(path: Path) -> str:
    data = path.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path} is not UTF-8: row {row} has the byte 0x{data[error.start]:02x}.",
            hint=f"Save it as UTF-8, for example: iconv -f LATIN1 -t UTF-8 {path.name} > utf8"
            f"{path.suffix}",
        ) from None


def _read_csv(path: Path, columns: Columns) -> Rows:
    return _read_delimited(path, columns, delimiter=",", quoted=True)


def _read_tsv(path: Path, columns: Columns) -> Rows:
    text = _decode(path)
    # Tab-separated text often holds lone quotation marks; quote only where a cell is fully quoted.
    quoted = any(line.startswith('"') and '"\t"' in line for line in text.splitlines()[:50])
    return _read_delimited(path, columns, delimiter="\t", quoted=quoted)


def _read_delimited(path: Path, columns: Columns, *, delimiter: str, quoted: bool) -> Rows:
    csv.field_size_limit(MAX_FIELD_CHARACTERS)
    reader = csv.reader(
        io.StringIO(_decode(path), newline=""),
        delimiter=delimiter,
        quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
        strict=True,
    )
    lines: list[tuple[int, list[str]]] = []
    try:
        lines.extend((reader.line_num, cells) for cells in reader if cells)
    except csv.Error as error:
        raise DataError(
            f"{path}, row {reader.line_num}: cannot be read as {path.suffix[1:]} ({error}).",
            hint="Check the quotation marks around that row's cells.",
        ) from None
    if not lines:
        return Rows((), [])
    names, headerless = _header(lines[0][1], columns, tabs=delimiter == "\t")
    body = lines if headerless else lines[1:]
    return Rows(names, [_named(path, names, line) for line in body], headerless)


def _header(first: list[str], columns: Columns, *, tabs: bool) -> tuple[tuple[str, ...], bool]:
    """The columns' names, and whether the first line was no header but an example.

    Only two columns with a tab between them may go without a header.
    """
    names = tuple(cell.strip() for cell in first)
    wanted = {columns.text_name, columns.label_name}
    if tabs and len(names) == 2 and not columns.chosen and not wanted & set(names):
        return (columns.text_name, columns.label_name), True
    return names, False


def _named(path: Path, names: tuple[str, ...], line: tuple[int, list[str]]) -> Row:
    number, cells = line
    if len(cells) != len(names):
        raise DataError(
            f"{path}, row {number}: {len(cells)} cells where {len(names)} were expected "
            f"({', '.join(names)}).",
            hint="Quote a cell that holds the separator, or remove what is too much.",
        )
    return Row(number, dict(zip(names, cells, strict=True)))


def _read_jsonl(path: Path, columns: Columns) -> Rows:
    rows, names = [], {}
    for number, line in enumerate(_decode(path).splitlines(), start=1):
        if line.strip():
            rows.append(Row(number, _parse_json(path, number, line, columns)))
            names.update(dict.fromkeys(rows[-1].cells))
    return Rows(tuple(names), rows)


def _parse_json(path: Path, number: int, line: str, columns: Columns) -> dict[str, Any]:
    expected = f'{{"{columns.text_name}": "…", "{columns.label_name}": "…"}}'
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}, row {number}: not JSON ({error.msg} at character {error.colno}).",
            hint=f"Each row must be one object: {expected}",
        ) from None
    if not isinstance(value, dict):
        raise DataError(
            f"{path}, row {number}: a {type(value).__name__} where an object was expected.",
            hint=f"Each row must be one object: {expected}",
        )
    return value


def _read_parquet(path: Path, _columns: Columns) -> Rows:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(
            f"{path} cannot be read as parquet ({str(error).splitlines()[0]}).",
            hint="Write it again, for example with pandas: frame.to_parquet(path)",
        ) from None
    rows = [Row(number, cells) for number, cells in enumerate(table.to_pylist(), start=1)]
    return Rows(tuple(table.column_names), rows)


READERS: dict[str, Callable[[Path, Columns], Rows]] = {
    ".csv": _read_csv,
    ".tsv": _read_tsv,
    ".jsonl": _read_jsonl,
    ".parquet": _read_parquet,
}


def _require_column(path: Path, name: str, names: Sequence[str]) -> None:
    if name not in names:
        raise unknown_column(str(path), name, names)


def _cell(row: Row, column: str, what: str, *, source: str) -> str:
    value = row.cells.get(column)
    text = "" if value is None or value != value else str(value)
    if not text.strip():
        raise DataError(
            f"{source}, row {row.number}: the {what} is empty (column {column!r}).",
            hint=f"Give that row a {what}, or remove it.",
        )
    return text if what == "text" else text.strip()


def _refuse_header_as_row(path: Path, pairs: Sequence[tuple[str, str]]) -> None:
    """A header in other words than text and label would become an example with its own label."""
    text, label = (cell.strip() for cell in pairs[0])
    counts = Counter(label.strip() for _, label in pairs)
    if counts[label] > 1 or not (_named_like_columns(text, label) or _only_rare(label, counts)):
        return
    if LABEL_WORDS & _words(text) or TEXT_WORDS & _words(label):
        text, label = label, text
    raise DataError(
        f"{path}, row 1 looks like a header: {pairs[0][0]!r}, {pairs[0][1]!r}.",
        hint=f"Say so: --text-column {text!r} --label-column {label!r}.",
    )


def _named_like_columns(text: str, label: str) -> bool:
    """Both cells are single words, and at least one is what people call such a column."""
    if not all(re.fullmatch(r"[^\W\d][\w-]{0,29}", cell) for cell in (text, label)):
        return False
    return bool((TEXT_WORDS | LABEL_WORDS) & (_words(text) | _words(label)))


def _only_rare(label: str, counts: Counter[str]) -> bool:
    """`label` occurs once, every other label more often, in a file long enough to say so."""
    frequent = sum(count > 1 for count in counts.values())
    return counts.total() >= 10 and counts[label] == 1 and frequent == len(counts) - 1
