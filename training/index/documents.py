"""Documents to search in: rows of a table or a Hub data set, or the files of a folder.

    for document in read_documents("corpus.jsonl", hub=None): ...

Documents are read one after the other, so a corpus may be larger than memory. What cannot be read
is left out and told in `problems`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from hub_utils.errors import DataError
from training.index.manifest import Source

if TYPE_CHECKING:
    from hub_utils.connection import Hub

Cell = str | int | float | bool
TABLE_SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")
FILE_SUFFIXES = (".txt", ".md", ".html", ".htm", ".pdf")
MAX_NAMED = 5  # problems told one by one; the rest is counted


@dataclass(frozen=True)
class Document:
    """A text with its name. `id` is the same from build to build."""

    id: str
    title: str
    text: str
    metadata: dict[str, Cell] = field(default_factory=dict)


@dataclass(frozen=True)
class Columns:
    """Which columns hold what; None: the usual name, if it is there."""

    text: str | None = None
    title: str | None = None
    id: str | None = None


class Documents:
    """An iterable of documents. `problems` is complete once it was read to the end."""

    def __init__(self, source: Source, read: Callable[[Documents], Iterator[Document]]) -> None:
        self.source = source
        self._read = read
        self._told: list[str] = []
        self._others = self._empty = 0

    def __iter__(self) -> Iterator[Document]:
        """Every document with text. Raises DataError for a table that cannot be read."""
        self._told, self._others, self._empty = [], 0, 0
        for document in self._read(self):
            if document.text.strip():
                yield document
            else:
                self._empty += 1

    def tell(self, problem: str) -> None:
        """Something was left out."""
        if len(self._told) < MAX_NAMED:
            self._told.append(problem)
        else:
            self._others += 1

    @property
    def problems(self) -> tuple[str, ...]:
        """What was left out, in sentences."""
        more = [f"{self._others:,} more files could not be read."] if self._others else []
        empty = [f"{self._empty:,} documents without text were left out."] if self._empty else []
        return (*self._told, *more, *empty)


def read_documents(
    data: str,
    *,
    hub: Hub | None,
    split: str | None = None,
    text_column: str | None = None,
    title_column: str | None = None,
    id_column: str | None = None,
) -> Documents:
    """The documents of a file, a folder or a Hub data set.

    data: .csv .tsv .jsonl .parquet (BEIR's corpus.jsonl among them), .txt .md .html .pdf, a folder
    of the latter, or a Hub id. split: of a Hub data set; None: all.
    An id is that of the id column (default `_id` or `id`), else the file's path in the folder,
    else the row's place. Raises DataError with what to do.
    """
    columns = Columns(text_column, title_column, id_column)
    path = Path(data)
    if path.is_dir():
        return _folder(path)
    if path.is_file():
        return _file(path, columns)
    if hub is None or _looks_like_path(data):
        known = " ".join((*TABLE_SUFFIXES, *FILE_SUFFIXES))
        raise DataError(
            f"There is no file or folder {data!r}.",
            hint=f"Give a folder, a file ({known}) or the id of a Hub data set.",
        )
    return _dataset(data, columns, hub=hub, split=split)


def _looks_like_path(data: str) -> bool:
    suffix = Path(data).suffix.lower()
    return (
        data.startswith((".", "/", "~"))
        or data.count("/") > 1
        or suffix in (*TABLE_SUFFIXES, *FILE_SUFFIXES)
    )


def _folder(folder: Path) -> Documents:
    from training.index.document_files import read_file

    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in FILE_SUFFIXES)
    paths = [path for path in paths if path.is_file()]
    if not paths:
        raise DataError(
            f"The folder {folder.name!r} has no file to read.",
            hint=f"Put {' '.join(FILE_SUFFIXES)} files there; tables are given one by one.",
        )

    def read(documents: Documents) -> Iterator[Document]:
        for path in paths:
            name = path.relative_to(folder).as_posix()
            yield from read_file(path, name, documents.tell)

    return Documents(Source(folder.resolve().name), read)


def _file(path: Path, columns: Columns) -> Documents:
    suffix = path.suffix.lower()
    if suffix in FILE_SUFFIXES:
        from training.index.document_files import read_file

        return Documents(Source(path.name), lambda found: read_file(path, path.name, found.tell))
    if suffix not in TABLE_SUFFIXES:
        known = " ".join((*TABLE_SUFFIXES, *FILE_SUFFIXES))
        raise DataError(f"{path.name} is of no kind that is read.", hint=f"Give one of: {known}.")
    from training.index.document_tables import read_table

    return Documents(Source(path.name), lambda _: read_table(path, columns))


def _dataset(name: str, columns: Columns, *, hub: Hub, split: str | None) -> Documents:
    from training.index.document_tables import read_splits
    from training.shared.datasets import pull_dataset, splits_of

    pulled = pull_dataset(name, hub=hub, otherwise="give a file or a folder")
    tables = splits_of(
        pulled.folder, source=str(pulled.repo), kinds="text, csv, jsonl or parquet files"
    )
    if split is not None and split not in tables:
        raise DataError(
            f"The data set {pulled.repo} has no split {split!r}; it has {', '.join(tables)}.",
            hint="Choose one of them with --split, or leave it out for all.",
        )
    chosen = {name: table for name, table in tables.items() if split in (None, name)}
    source = Source(str(pulled.repo), pulled.revision, split)
    return Documents(source, lambda _: read_splits(chosen, columns, source=str(pulled.repo)))
