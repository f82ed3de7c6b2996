"""One bare git repository on disk: durable writes, compare-and-swap of branches, plain reads.

Objects are on the disk before a ref names them, refs are replaced by rename, and no lock files
are left by a killed process: only `.tmp-*` files, which `sweep` removes.
Locking between threads is the store's business.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from dulwich.object_format import DEFAULT_OBJECT_FORMAT
from dulwich.object_store import DiskObjectStore
from dulwich.objects import Blob, Commit, ObjectID, ShaFile, Tag, Tree
from dulwich.pack import write_pack_index, write_pack_objects
from dulwich.refs import DiskRefsContainer, Ref, check_ref_format
from dulwich.repo import Repo

from .durable import fsync_folder, write_durably, write_synced

BRANCHES, TAGS = "refs/heads/", "refs/tags/"
_LOOSE_AT_MOST = 24  # more new objects than this become one pack: two fsyncs instead of many


class GitRepo:
    """A bare repository at `path`; cheap to make, opens files only while it reads or writes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, path: Path) -> GitRepo:
        """An empty bare repository whose default branch is main."""
        Repo.init_bare(str(path), mkdir=True, default_branch=b"main").close()
        return cls(path)

    @contextmanager
    def objects(self) -> Iterator[DiskObjectStore]:
        """The object store, opened for reading by one thread."""
        with closing(DiskObjectStore(str(self.path / "objects"))) as store:
            yield store

    # -- reading -----------------------------------------------------------------------------

    def blob(self, oid: str) -> bytes:
        """A blob's bytes."""
        with self.objects() as store:
            found = store[ObjectID(oid.encode())]
            return found.as_raw_string() if isinstance(found, Blob) else b""

    def commit(self, oid: str) -> Commit | None:
        """A commit, or None when there is no commit of this id."""
        with self.objects() as store:
            return commit_of(store, oid)

    def find_commits(self, prefix: str) -> list[str]:
        """Ids of the commits that start with a hex prefix."""
        with self.objects() as store:
            found = {oid.decode() for oid in store.iter_prefix(prefix.encode())}
            return sorted(oid for oid in found if commit_of(store, oid))

    def ref(self, name: str) -> str | None:
        """The object that a full ref name points to, None when there is no such ref."""
        full = Ref(name.encode("utf-8", "replace"))
        if not check_ref_format(full):
            return None
        try:
            found = self._refs().read_ref(full)
        except (ValueError, OSError):
            return None
        return found.decode() if found else None

    def refs(self, prefix: str) -> dict[str, str]:
        """Short name → object, sorted, of the refs under a prefix such as `refs/heads/`."""
        found = self._refs().as_dict(Ref(prefix.encode()))
        return {name.decode(): oid.decode() for name, oid in sorted(found.items())}

    # -- writing -----------------------------------------------------------------------------

    def write(self, objects: Sequence[ShaFile]) -> None:
        """Make objects durable; those that are there already cost nothing."""
        with self.objects() as store:
            new = list({obj.id: obj for obj in objects if obj.id not in store}.values())
        if len(new) > _LOOSE_AT_MOST:
            self._write_pack(new)
        else:
            self._write_loose(new)

    def set_ref(self, name: str, oid: str) -> None:
        """Create or move a ref, durably and in one step."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(path, oid.encode() + b"\n")

    def delete_ref(self, name: str) -> None:
        """Remove a ref and the folders that it leaves empty."""
        self._refs().remove_if_equals(Ref(name.encode()), None)
        fsync_folder(self.path / "refs")

    def sweep(self) -> None:
        """Remove what a killed process left half-written."""
        for folder in ("refs", "objects/pack"):
            for pattern in (".tmp-*", "*.lock"):
                for leftover in (self.path / folder).rglob(pattern):
                    leftover.unlink(missing_ok=True)
        for leftover in (self.path / "objects").glob(".tmp-*"):
            leftover.unlink(missing_ok=True)

    def _refs(self) -> DiskRefsContainer:
        return DiskRefsContainer(str(self.path))

    def _write_loose(self, objects: Iterable[ShaFile]) -> None:
        folder = self.path / "objects"
        for obj in objects:
            name = obj.id.decode()
            target = folder / name[:2] / name[2:]
            target.parent.mkdir(exist_ok=True)
            with _temporary(folder) as temporary:
                write_synced(temporary, obj.as_legacy_object(compression_level=1))
                temporary.replace(target)
        # One is enough for all renames: file systems keep their journal in order, and the ref that
        # will name these objects is fsynced after them.
        fsync_folder(folder)

    def _write_pack(self, objects: Sequence[ShaFile]) -> None:
        folder = self.path / "objects" / "pack"
        with _temporary(folder) as pack, _temporary(folder) as index:
            with pack.open("xb") as file:
                entries, checksum = write_pack_objects(
                    file, objects, DEFAULT_OBJECT_FORMAT, deltify=False, compression_level=1
                )
                file.flush()
                os.fsync(file.fileno())
            with index.open("xb") as file:
                rows = sorted((oid, offset, crc) for oid, (offset, crc) in entries.items())
                write_pack_index(file, rows, checksum)
                file.flush()
                os.fsync(file.fileno())
            name = f"pack-{checksum.hex()}"
            pack.replace(folder / f"{name}.pack")
            index.replace(folder / f"{name}.idx")  # last: git looks for packs by their index
        fsync_folder(folder)


def commit_of(store: DiskObjectStore, oid: str) -> Commit | None:
    """The commit that an id names, through annotated tags; None for anything else."""
    found: ShaFile | None = None
    target = ObjectID(oid.encode())
    while target in store:
        found = store[target]
        if not isinstance(found, Tag):
            break
        target = found.object[1]
    return found if isinstance(found, Commit) else None


def tree_of(store: DiskObjectStore, oid: bytes) -> Tree:
    """A tree; an object of another kind reads as an empty one."""
    found = store[ObjectID(oid)]
    return found if isinstance(found, Tree) else Tree()


def folders_of(path: str) -> Iterator[str]:
    """The folders that hold a path, innermost first: a/b/c gives a/b, a."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


@contextmanager
def _temporary(folder: Path) -> Iterator[Path]:
    path = folder / f".tmp-{secrets.token_hex(8)}"
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)
