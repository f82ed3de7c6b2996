"""What is kept on disk beside a published index: its columns and vectors mapped, and its stores.

    cache = Cache(root, repo="lab/newsgroups-index", stamp=stamp_of(revision, manifest_bytes))
    passages = open_passages(cache, folder, manifest)
    store = open_store(cache, "chroma", passages.vectors)

All of it is made from the Parquet on the Hub, can be deleted at any time, and is checked before
use: an entry that is damaged, half written or of another version is built again. An entry appears
by one rename. Two processes that want the same one: the second waits and uses it. Entries of older
revisions go, unless a process uses them.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from training.index.shards import hash_of
from training.shared.files import disk_room

log = logging.getLogger(__name__)
FORMAT = 1
MARKER = "entry.json"
KEPT = 2  # revisions of an index

Opened = TypeVar("Opened")


def stamp_of(revision: str | None, manifest: bytes) -> str:
    """A short name of one revision's contents."""
    return sha256((revision or "").encode() + b"\0" + manifest).hexdigest()[:20]


class Cache:
    """The folder of one revision of one index. Held until `close`: nobody removes it meanwhile."""

    def __init__(self, root: Path, *, repo: str, stamp: str) -> None:
        self.repo, self.stamp = repo, stamp
        self._home = root / (repo.replace("/", "--") or "index")
        self.folder = self._home / stamp
        self.folder.mkdir(parents=True, exist_ok=True)
        self._held: int | None = _lock(self._lock_file(stamp), shared=True)
        os.utime(self.folder)
        self._remove_older()

    def entry(
        self,
        name: str,
        settings: Mapping[str, Any],
        *,
        fill: Callable[[Path], None],
        open: Callable[[Path], Opened],
        changing: str = "",
    ) -> Opened:
        """What `open` makes of the entry's folder, which `fill` fills if need be.

        `open` raises ValueError or OSError if it cannot use what is there. changing: a file that
        opening may change, which is checked by `open` alone.
        """
        place = self.folder / name
        found = self._opened(place, settings, open)
        if found is not None:
            return found
        with _only_builder(self._lock_file(f"{self.stamp}.{name}")):
            found = self._opened(place, settings, open)
            if found is not None:
                return found
            self._build(place, settings, fill, changing)
        return open(place)

    def close(self) -> None:
        """Let others remove it."""
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def _opened(
        self, place: Path, settings: Mapping[str, Any], open: Callable[[Path], Opened]
    ) -> Opened | None:
        if not place.exists():
            return None
        try:
            _check(place, settings)
            return open(place)
        except (ValueError, OSError, KeyError, TypeError) as error:
            log.warning("%s of %s is built again: %s", place.name, self.repo, error)
            return None

    def _build(
        self,
        place: Path,
        settings: Mapping[str, Any],
        fill: Callable[[Path], None],
        changing: str,
    ) -> None:
        for left in self.folder.glob(f".{place.name}-*"):  # by a builder that was killed
            shutil.rmtree(left, ignore_errors=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{place.name}-", dir=self.folder))
        try:
            with disk_room(self.folder):
                fill(partial)
                _mark(partial, settings, changing)
            # Who has the damaged one open keeps its files: only the name goes.
            shutil.rmtree(place, ignore_errors=True)
            partial.rename(place)
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def _remove_older(self) -> None:
        stamps = [path for path in self._home.iterdir() if path.is_dir()]
        stamps.sort(key=lambda path: path.stat().st_mtime, reverse=True)
        for old in stamps[KEPT:]:
            with suppress(OSError):
                held = _lock(self._lock_file(old.name), shared=False, wait=False)
                shutil.rmtree(old, ignore_errors=True)
                os.close(held)

    def _lock_file(self, name: str) -> Path:
        return self._home / f"{name}.lock"


def _mark(folder: Path, settings: Mapping[str, Any], changing: str) -> None:
    """Write what the entry is and how its files are, last."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    files = {
        path.relative_to(folder).as_posix(): hash_of(path)
        for path in paths
        if not changing or not path.name.startswith(changing)
    }
    content = {"format": FORMAT, "settings": dict(settings), "files": files}
    (folder / MARKER).write_text(json.dumps(content), "utf-8")


def _check(folder: Path, settings: Mapping[str, Any]) -> None:
    """Raises ValueError or OSError if an entry is not whole or not of these settings."""
    content = json.loads((folder / MARKER).read_text("utf-8"))
    if (content["format"], content["settings"]) != (FORMAT, json.loads(json.dumps(settings))):
        raise ValueError("it was made by another version or with other settings")
    for name, digest in content["files"].items():
        if hash_of(folder / name) != digest:
            raise ValueError(f"{name} is damaged")


@contextmanager
def _only_builder(path: Path) -> Iterator[None]:
    descriptor = _lock(path, shared=False)
    try:
        yield
    finally:
        os.close(descriptor)


def _lock(path: Path, *, shared: bool, wait: bool = True) -> int:
    """A lock that ends with the descriptor or its process. Raises OSError if it may not wait."""
    import fcntl

    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        fcntl.flock(descriptor, kind if wait else kind | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
