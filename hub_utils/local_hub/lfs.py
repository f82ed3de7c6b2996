"""The content-addressed store of large files: streamed in, verified, then renamed into place.

`objects/ab/cd/<sha256>` is complete or absent; what is being written lies in `incoming/`, which
is emptied when the server starts.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
from pathlib import Path
from types import TracebackType

from .durable import fsync_folder
from .errors import DiskFull, UploadMismatch

_READ_BYTES = 1 << 22
_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\noid sha256:([0-9a-f]{64})\nsize (\d+)\n"
)


class LfsStore:
    """Objects by their SHA-256. `max_bytes` bounds all objects together; None is the disk's end."""

    def __init__(self, root: Path, *, max_bytes: int | None = None) -> None:
        self.root = root
        self.max_bytes = max_bytes
        self.incoming = root / "incoming"
        shutil.rmtree(self.incoming, ignore_errors=True)
        self.incoming.mkdir(parents=True)

    def path(self, sha256: str) -> Path:
        """Where an object lies, or would."""
        return self.root / "objects" / sha256[:2] / sha256[2:4] / sha256

    def size(self, sha256: str) -> int | None:
        """An object's size in bytes, None when it is not here."""
        try:
            return self.path(sha256).stat().st_size
        except FileNotFoundError:
            return None

    def writer(self, sha256: str, size: int) -> LfsWriter:
        """Take in an object that must turn out to have this hash and this size in bytes."""
        return LfsWriter(self, sha256, size)

    def add(self, source: Path) -> tuple[str, int]:
        """Store a file of this machine; gives its hash and its size in bytes."""
        sha256, size = hash_file(source)
        if self.size(sha256) is None:
            with self.writer(sha256, size) as writer, source.open("rb") as file:
                while chunk := file.read(_READ_BYTES):
                    writer.write(chunk)
                writer.finish()
        return sha256, size

    def used_bytes(self) -> int:
        """Bytes in complete objects."""
        objects = (self.root / "objects").glob("*/*/*")
        return sum(path.stat().st_size for path in objects)


class LfsWriter:
    """One upload, open for writing. Leaving its `with` block before `publish` leaves nothing."""

    def __init__(self, store: LfsStore, sha256: str, size: int) -> None:
        limit = store.max_bytes
        if limit is not None and store.used_bytes() + size > limit:
            raise DiskFull(f"The Hub keeps at most {limit:,} bytes of large files.")
        self._store, self._sha256, self._size = store, sha256, size
        self._hash, self._written = hashlib.sha256(), 0
        self._path = store.incoming / f"{sha256}.{secrets.token_hex(8)}"
        self._file = self._path.open("xb", buffering=0)

    def __enter__(self) -> LfsWriter:
        return self

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Append bytes.

        Raises:
            UploadMismatch: there are more than were announced.
            OSError: the disk is full.
        """
        self._written += len(chunk)
        if self._written > self._size:
            raise UploadMismatch(f"The upload is longer than the announced {self._size:,} bytes.")
        self._hash.update(chunk)
        view = memoryview(chunk)
        while view:  # a raw file may take only a part
            view = view[self._file.write(view) :]

    def finish(self) -> None:
        """Seal and publish."""
        self.seal()
        self.publish()

    def seal(self) -> None:
        """Check the bytes and make them durable.

        Raises:
            UploadMismatch: size or hash are not those announced.
        """
        if self._written != self._size:
            raise UploadMismatch(
                f"The upload has {self._written:,} bytes, {self._size:,} were announced."
            )
        if self._hash.hexdigest() != self._sha256:
            raise UploadMismatch(f"The bytes do not have the sha256 {self._sha256}.")
        os.fsync(self._file.fileno())
        self._file.close()

    def publish(self) -> None:
        """Let the sealed object appear in the store."""
        target = self._store.path(self._sha256)
        target.parent.mkdir(parents=True, exist_ok=True)
        self._path.replace(target)
        for folder in target.parents[:3]:
            fsync_folder(folder)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
        self._path.unlink(missing_ok=True)


def hash_file(path: Path) -> tuple[str, int]:
    """A file's SHA-256 and its size in bytes."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(_READ_BYTES):
            digest.update(chunk)
            size += len(chunk)
    return digest.hexdigest(), size


def pointer(sha256: str, size: int) -> bytes:
    """The text that git keeps in place of an object (git-lfs pointer, version 1)."""
    return (
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()
    )


def parse_pointer(blob: bytes) -> tuple[str, int] | None:
    """Hash and size of a pointer, None when the blob is an ordinary file."""
    match = _POINTER.fullmatch(blob) if len(blob) < 200 else None
    return (match[1].decode(), int(match[2])) if match else None
