"""A reader's own file as an index in memory: bounded, kept for the session and for a while.

The file is read, cut and embedded by the encoder of the index that is served, so that both answer
the same way. Nothing of it is written anywhere.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub_utils.errors import DataError
from tabs.i18n import PageError

if TYPE_CHECKING:
    import numpy as np

    from hub_utils.connection import Hub
    from training.index.documents import Document
    from training.index.encoder import TextEncoder
    from training.index.inference import SearchIndex

SUFFIXES = (".txt", ".md", ".html", ".pdf", ".csv", ".tsv", ".jsonl")
MAX_MEGABYTES = 5
MAX_PASSAGES = 1_000
MAX_CHARACTERS = 2_000_000  # of text, before it is cut: a PDF may unfold
KEPT = 8  # indexes, of all readers together
KEPT_S = 1_800.0  # seconds after it was last used
BATCH = 64  # passages between two looks at the stop button

Report = Callable[[int, int], None]  # passages done, of how many


@dataclass(frozen=True)
class OwnIndex:
    """An indexed file."""

    name: str
    index: SearchIndex
    documents: int
    seconds: float


class OwnIndexes:
    """Keeps the indexes of the readers' files by a key that only their session knows."""

    def __init__(
        self,
        *,
        kept: int = KEPT,
        seconds: float = KEPT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kept, self._seconds, self._clock = kept, seconds, clock
        self._all: OrderedDict[str, tuple[float, OwnIndex]] = OrderedDict()  # newest use last
        self._lock = threading.Lock()

    def put(self, own: OwnIndex, *, instead_of: str = "") -> str:
        """Keep it, in the place of the session's one before; its key."""
        key = secrets.token_urlsafe(16)
        with self._lock:
            self._all.pop(instead_of, None)
            self._all[key] = (self._clock(), own)
            self._forget()
        return key

    def get(self, key: str) -> OwnIndex:
        """The index of `key`. PageError once it is no longer kept."""
        with self._lock:
            self._forget()
            if key not in self._all:
                raise PageError("own.gone", minutes=round(self._seconds / 60))
            own = self._all.pop(key)[1]
            self._all[key] = (self._clock(), own)
            return own

    def drop(self, key: str) -> None:
        """Forget it now."""
        with self._lock:
            self._all.pop(key, None)

    def __contains__(self, key: str) -> bool:
        with self._lock:
            self._forget()
            return key in self._all

    def __len__(self) -> int:
        with self._lock:
            self._forget()
            return len(self._all)

    def _forget(self) -> None:
        """Those used longest ago, and those beyond the number that is kept."""
        oldest = self._clock() - self._seconds
        while self._all:
            key, (used, _) = next(iter(self._all.items()))
            if used >= oldest and len(self._all) <= self._kept:
                break
            del self._all[key]


def index_file(
    path: Path,
    encoder: TextEncoder,
    *,
    hub: Hub,
    report: Report,
    stopped: Callable[[], bool] = lambda: False,
) -> OwnIndex:
    """Index a file within the page's bounds. DataError or PageError for one that cannot be."""
    from training.index.inference import index_texts

    _check(path)
    began = time.perf_counter()
    read = _bounded(_read(path, hub), path.name)
    documents = [document for document in read if document.text.strip()]
    if not documents:
        raise PageError("own.no_text", name=path.name)
    index = index_texts(documents, _Told(encoder, path.name, report, stopped))  # type: ignore[arg-type]
    return OwnIndex(path.name, index, len(documents), time.perf_counter() - began)


def _check(path: Path) -> None:
    if path.suffix.lower() not in (*SUFFIXES, ".htm"):
        raise PageError("batch.suffix", name=path.name, known=" ".join(SUFFIXES))
    megabytes = path.stat().st_size / 1e6
    if megabytes > MAX_MEGABYTES:
        given = f"{megabytes:.1f}"
        raise PageError("own.too_big", name=path.name, given=given, limit=MAX_MEGABYTES)


def _read(path: Path, hub: Hub) -> Iterator[Document]:
    from training.index.documents import read_documents

    try:
        yield from read_documents(str(path), hub=hub)
    except DataError as error:  # name the user's file, not our copy of it
        raise DataError(str(error).replace(str(path), path.name), hint=error.hint) from error


def _bounded(documents: Iterable[Document], name: str) -> Iterator[Document]:
    characters = 0
    for number, document in enumerate(documents, 1):
        characters += len(document.text)
        if number > MAX_PASSAGES or characters > MAX_CHARACTERS:
            raise PageError("own.too_long", name=name, limit=f"{MAX_PASSAGES:,}")
        yield document


class _Told:
    """The encoder, while it reads a file: within the bounds, with reports, until it is stopped."""

    def __init__(
        self, encoder: TextEncoder, name: str, report: Report, stopped: Callable[[], bool]
    ) -> None:
        self._encoder, self._name = encoder, name
        self._report, self._stopped = report, stopped

    def __getattr__(self, name: str) -> Any:
        return getattr(self._encoder, name)

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        import numpy as np

        if len(texts) > MAX_PASSAGES:
            raise PageError("own.too_long", name=self._name, limit=f"{MAX_PASSAGES:,}")
        parts = []
        for start in range(0, len(texts), BATCH):
            if self._stopped():
                raise PageError("own.stopped", name=self._name)
            self._report(start, len(texts))
            parts.append(self._encoder.encode(texts[start : start + BATCH]))
        return np.concatenate(parts)
