"""Documents on their way into shards: read once, spread over files by a hash of their id.

A document's place depends on nothing but its id, so a changed one changes one shard. Nothing is
kept in memory but what is about to be written: the corpus may be larger than that.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub_utils.atomic import read_json
from hub_utils.errors import DataError
from training.index.config import MAX_SHARDS
from training.index.manifest import COLUMNS, Source
from training.shared.files import write_text

if TYPE_CHECKING:
    from training.index.documents import Document

FILE = "spool.json"  # written last: says that the spool is complete
FLUSH_BYTES = 32 * 2**20
SHARD_BYTES = 2**20  # of text that a shard is meant to hold
_INT64 = 2**63
_TYPES: dict[type, str] = {bool: "bool", int: "int64", float: "double", str: "string"}


@dataclass(frozen=True)
class Spooled:
    """What was read."""

    documents: int
    size: int  # bytes on disk, about those of the texts
    columns: Mapping[str, str]  # metadata by column name → type
    names: Mapping[str, str]  # metadata by column name → its name in the documents
    source: Mapping[str, Any]
    problems: tuple[str, ...]  # what could not be read, said to the user


@dataclass(frozen=True)
class Entry:
    """A document as spooled; its body is read only where it must be cut."""

    id: str
    hash: str  # of id, title, text and metadata
    body: bytes

    def document(self) -> Document:
        """The document again."""
        from training.index.documents import Document

        title, text, metadata = json.loads(self.body)
        return Document(id=self.id, title=title, text=text, metadata=metadata)


def spread(documents: Iterable[Document], folder: Path) -> Spooled:
    """Write all documents into `folder`. Raises DataError if there is none."""
    count, kinds = 0, dict[str, set[str]]()
    with _Files(folder) as files:
        for document in documents:
            files.add(bucket(document.id), _line(document))
            count += 1
            for name, value in document.metadata.items():
                kinds.setdefault(name, set()).add(_kind(value))
    problems = tuple(str(problem) for problem in getattr(documents, "problems", ()))
    source = _source(getattr(documents, "source", None))
    if not count:
        raise DataError(
            f"{source.name} holds no document with text.",
            hint="; ".join(problems[:3]) or "Name the column of the texts with --text-column.",
        )
    names = _column_names(sorted(kinds))
    columns = {column: _common(kinds[name]) for column, name in names.items()}
    spooled = Spooled(count, files.size, columns, names, asdict(source), problems)
    write_text(folder / FILE, json.dumps(asdict(spooled)))
    return spooled


def complete(folder: Path) -> Spooled | None:
    """What a finished spool in `folder` holds; None if there is none."""
    found = read_json(folder / FILE)
    return Spooled(**{**found, "problems": tuple(found["problems"])}) if found else None


def entries(folder: Path, shard: int, shards: int) -> list[Entry]:
    """The documents of one shard, in the order of their ids. Raises DataError for an id twice."""
    each = MAX_SHARDS // shards
    found = [
        _entry(line)
        for number in range(shard * each, (shard + 1) * each)
        for line in _lines(folder / _name(number))
    ]
    found.sort(key=lambda entry: entry.id)
    for before, entry in pairwise(found):
        if before.id == entry.id:
            raise DataError(
                f"Two documents have the id {entry.id!r}.",
                hint="Give each its own id, or name another column with --id-column.",
            )
    return found


def content(found: Iterable[Entry]) -> str:
    """SHA-256 over documents in their order."""
    digest = sha256()
    for entry in found:
        digest.update(entry.hash.encode("ascii"))
    return digest.hexdigest()


def size(folder: Path, shard: int, shards: int) -> int:
    """Bytes spooled for one shard."""
    each = MAX_SHARDS // shards
    paths = (folder / _name(number) for number in range(shard * each, (shard + 1) * each))
    return sum(path.stat().st_size for path in paths if path.exists())


def bucket(document_id: str) -> int:
    """The place of a document among MAX_SHARDS; a shard holds neighbouring ones."""
    head = sha256(document_id.encode("utf-8", "replace")).digest()[:4]
    return int.from_bytes(head, "big") * MAX_SHARDS >> 32


def shards_for(size: int, *, previous: int | None = None) -> int:
    """Shards for so many bytes: a power of two; `previous` as long as it is about right.

    Another number of shards moves every passage to another file, so it changes only when the
    corpus has become more than twice as large, or less than half, as the number was meant for.
    """
    wanted = 1
    while wanted < MAX_SHARDS and wanted * SHARD_BYTES < size:
        wanted *= 2
    if previous and wanted // 2 <= previous <= 2 * wanted:
        return previous
    return wanted


class _Files:
    """Appends to many files, a piece at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.size = folder, 0
        self._waiting: dict[int, list[bytes]] = {}
        self._bytes = 0
        folder.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> _Files:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._flush()

    def add(self, number: int, line: bytes) -> None:
        self._waiting.setdefault(number, []).append(line)
        self._bytes += len(line)
        self.size += len(line)
        if self._bytes > FLUSH_BYTES:
            self._flush()

    def _flush(self) -> None:
        for number, lines in self._waiting.items():
            with (self.folder / _name(number)).open("ab") as file:
                file.writelines(lines)
        self._waiting, self._bytes = {}, 0


def _name(number: int) -> str:
    return f"{number:04d}.jsonl"


def _line(document: Document) -> bytes:
    """The id, a tab, the rest: JSON leaves neither tabs nor line ends in either."""
    body = json.dumps(
        [document.title, document.text, document.metadata], ensure_ascii=False, sort_keys=True
    )
    # Half of a surrogate pair is no character, and Parquet refuses it.
    line = f"{json.dumps(document.id, ensure_ascii=False)}\t{body}\n"
    return line.encode("utf-8", "replace")


def _lines(path: Path) -> Iterator[bytes]:
    if path.exists():
        with path.open("rb") as file:
            yield from file


def _entry(line: bytes) -> Entry:
    id, _, body = line.partition(b"\t")
    return Entry(json.loads(id), sha256(line).hexdigest()[:32], body)


def _kind(value: Any) -> str:
    kind = _TYPES.get(type(value), "string")
    return "double" if kind == "int64" and not -_INT64 <= value < _INT64 else kind


def _common(kinds: set[str]) -> str:
    """The type that can hold all."""
    if len(kinds) == 1:
        return next(iter(kinds))
    return "double" if kinds == {"int64", "double"} else "string"


def _column_names(names: Iterable[str]) -> dict[str, str]:
    """Column name → metadata name: a name that the index itself uses gets an underscore."""
    columns: dict[str, str] = {}
    for name in names:
        column = name
        while column in COLUMNS or column in columns:
            column += "_"
        columns[column] = name
    return columns


def _source(given: Any) -> Source:
    if given is None:
        return Source("documents")
    return Source(
        name=str(given.name),
        revision=getattr(given, "revision", None),
        split=getattr(given, "split", None),
    )
