"""The first rows of a data file and the tensors of a weights file, read in bounded bites.

Files come from anybody: a damaged one gives `reason`, never an exception, and nothing is unpickled.
"""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

ROWS = 8
MAX_COLUMNS = 24
MAX_TEXT = 260  # characters of a cell
MAX_PICTURE = 150_000  # bytes of a picture that is put into a page
READ_BYTES = 256_000  # of a text file
MAX_HEADER = 8_000_000  # bytes of a safetensors header
_PICTURES = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpeg", b"GIF8": "gif", b"RIFF": "webp"}


@dataclass(frozen=True)
class Cell:
    """One value: text (cut), or a picture as a data: address."""

    kind: Literal["text", "number", "picture", "missing"]
    text: str


@dataclass(frozen=True)
class Rows:
    """The first rows of a file; `total` is None where counting would mean reading all of it."""

    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Cell, ...], ...] = ()
    total: int | None = None
    reason: str = ""


@dataclass(frozen=True)
class Tensors:
    """What a safetensors file holds: (name, type, shape) each, and the numbers in all of them."""

    tensors: tuple[tuple[str, str, str], ...]
    parameters: int


def can_preview(path: str) -> bool:
    """Whether first rows can be read from files of this name."""
    return Path(path).suffix.lower() in _READERS


def first_rows(name: str, content: Path | bytes, count: int = ROWS) -> Rows:
    """The first rows of a Parquet, CSV, TSV or JSON Lines file."""
    reader = _READERS[Path(name).suffix.lower()]
    try:
        columns, records, total = reader(content, count)
        rows = tuple(tuple(_cell(record.get(c)) for c in columns) for record in records)
    except Exception:
        # Parsers of hostile bytes raise what they like; the page says one thing about all of it.
        return Rows(reason="reason_damaged")
    return Rows(columns, rows, total)


def tensors_of(content: Path | bytes) -> Tensors | None:
    """The header of a safetensors file, None when it has none."""
    try:
        with content.open("rb") if isinstance(content, Path) else io.BytesIO(content) as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length)) if 0 < length <= MAX_HEADER else {}
        header.pop("__metadata__", None)
        tensors = [
            (name, str(t["dtype"]), tuple(map(int, t["shape"]))) for name, t in header.items()
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    if not tensors:
        return None
    shown = tuple((name, kind, " × ".join(map(str, shape)) or "1") for name, kind, shape in tensors)
    return Tensors(shown, sum(_product(shape) for _, _, shape in tensors))


def _product(shape: tuple[int, ...]) -> int:
    product = 1
    for side in shape:
        product *= side
    return product


Read = tuple[tuple[str, ...], Iterable[Mapping[str, Any]], int | None]


def _read_parquet(content: Path | bytes, count: int) -> Read:
    import pyarrow as pa
    import pyarrow.parquet as pq

    source = content if isinstance(content, Path) else pa.BufferReader(content)
    with pq.ParquetFile(source, buffer_size=1 << 16, pre_buffer=False) as file:
        columns = tuple(file.schema_arrow.names[:MAX_COLUMNS])
        total = file.metadata.num_rows
        batches = file.iter_batches(batch_size=count, row_groups=[0], columns=list(columns))
        first = next(batches, None) if total else None
        return columns, first.to_pylist() if first is not None else [], total


def _read_separated(delimiter: str) -> Callable[[Path | bytes, int], Read]:
    def read(content: Path | bytes, count: int) -> Read:
        lines, whole = _lines(content)
        records = list(islice(csv.DictReader(lines, delimiter=delimiter), count + 1))
        columns = tuple(str(name) for name in (records[0] if records else {}) if name)
        return (
            columns[:MAX_COLUMNS],
            records[:count],
            len(records) if _all(records, whole, count) else None,
        )

    return read


def _read_json_lines(content: Path | bytes, count: int) -> Read:
    lines, whole = _lines(content)
    records = [json.loads(line) for line in islice(filter(str.strip, lines), count + 1)]
    columns = dict.fromkeys(name for record in records for name in record)
    total = len(records) if _all(records, whole, count) else None
    return tuple(columns)[:MAX_COLUMNS], records[:count], total


def _all(records: list[Any], whole: bool, count: int) -> bool:
    return whole and len(records) <= count


def _lines(content: Path | bytes) -> tuple[Iterator[str], bool]:
    """Whole lines of the first READ_BYTES, and whether that is the whole file."""
    with content.open("rb") if isinstance(content, Path) else io.BytesIO(content) as file:
        data = file.read(READ_BYTES + 1)
    whole = len(data) <= READ_BYTES
    if not whole:
        data = data[: data.rfind(b"\n", 0, READ_BYTES) + 1]
    return iter(io.StringIO(data.decode("utf-8-sig"), newline="")), whole


def _cell(value: Any) -> Cell:
    if value is None:
        return Cell("missing", "")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return Cell("number", f"{value:.6g}" if isinstance(value, float) else str(value))
    picture = _picture(value)
    if picture:
        return Cell("picture", picture)
    return Cell("text", _cut(value if isinstance(value, str) else _compact(value)))


def _picture(value: Any) -> str | None:
    data = value.get("bytes") if isinstance(value, dict) else value
    if not isinstance(data, bytes) or len(data) > MAX_PICTURE:
        return None
    kind = next((kind for magic, kind in _PICTURES.items() if data.startswith(magic)), None)
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}" if kind else None


def _compact(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(value)
    return json.dumps(value, ensure_ascii=False, default=_shown)


def _shown(value: Any) -> str:
    return f"<{len(value):,} bytes>" if isinstance(value, bytes) else str(value)


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"


_READERS: dict[str, Callable[[Path | bytes, int], Read]] = {
    ".parquet": _read_parquet,
    ".csv": _read_separated(","),
    ".tsv": _read_separated("\t"),
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
}
