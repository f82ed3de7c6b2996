"""Write one seed into its repository: nothing, or exactly one commit.

A seed is written once. Its stamp in `seeds.json` names what it was made from and the commit that
was made; while both still hold, a start does nothing. A new version of a package, or of the code
here, makes one new commit, unless somebody else has changed the repository: then it is theirs.
Stamps are a shortcut only: without one the files are built and compared with what is there.
"""

from __future__ import annotations

import hashlib
import json
import logging
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from .durable import write_durably
from .errors import RepoExists, StaleParent
from .payload import AddBytes, AddLfs, DeleteFile, Operation
from .records import RepoKey
from .seed_cards import CARDS
from .seed_sources import find_source
from .store import Store

logger = logging.getLogger(__name__)

AUTHOR = "lab-seeds"  # tells the seeder's commits from everybody else's
STAMPS = "seeds.json"
LFS_SUFFIXES = (".parquet", ".safetensors")

Files = Mapping[str, bytes | Path]


@dataclass(frozen=True)
class Seed:
    """A repository that comes from packages: `build` gives its files, path → bytes or a file."""

    key: RepoKey
    packages: tuple[str, ...]
    build: Callable[[], Files]


@dataclass(frozen=True)
class Stamp:
    """What a seed was made from, and the commit that was made."""

    fingerprint: str
    commit: str


class Stamps:
    """The stamps of all seeds in one small file, replaced as a whole."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, key: RepoKey) -> Stamp | None:
        """The stamp of a seed; None when there is none or the file is unreadable."""
        entry = self._read().get(str(key))
        return Stamp(*entry) if entry else None

    def put(self, key: RepoKey, stamp: Stamp) -> None:
        """Remember a seed's stamp."""
        entries = self._read() | {str(key): [stamp.fingerprint, stamp.commit]}
        write_durably(self._path, json.dumps(entries, indent=1).encode(), mode=0o600)

    def _read(self) -> dict[str, list[str]]:
        try:
            entries: dict[str, list[str]] = json.loads(self._path.read_bytes())
        except (FileNotFoundError, ValueError):
            return {}
        return entries


def write_seed(store: Store, seed: Seed, stamps: Stamps) -> None:
    """Bring one seed's repository up to date: no commit, or exactly one.

    Raises:
        MissingSourceError: a package that it comes from is not installed.
    """
    fingerprint = fingerprint_of(seed)
    head = _head(store, seed.key)
    if stamps.get(seed.key) == Stamp(fingerprint, head):
        return
    if not _is_ours(store, seed.key):
        logger.info("%s was changed by somebody else; its seed leaves it alone", seed.key.id)
        return
    with tempfile.TemporaryDirectory(prefix="seed-", dir=store.root) as scratch:
        operations = _operations(store, seed.key, seed.build(), Path(scratch))
        with suppress(StaleParent):  # somebody else's commit came first: it stays
            head = store.commit(
                seed.key, "main", operations, summary=_summary(seed), author=AUTHOR, parent=head
            )
            stamps.put(seed.key, Stamp(fingerprint, head))


def _head(store: Store, key: RepoKey) -> str:
    with suppress(RepoExists):
        store.create_repo(key)
    return store.resolve(key, "main")


def _is_ours(store: Store, key: RepoKey) -> bool:
    """Whether only the seeder has written here; a new repository has its first commit alone."""
    newest = store.commits(key, "main", limit=2)
    return len(newest) == 1 or newest[0].author == AUTHOR


def _operations(store: Store, key: RepoKey, files: Files, scratch: Path) -> list[Operation]:
    there = {
        entry.path for entry in store.tree(key, "main", recursive=True) if entry.type == "file"
    }
    gone = sorted(there - set(files) - {".gitattributes"})
    added = [_add(store, key, path, content, scratch) for path, content in files.items()]
    return [*added, *(DeleteFile(path) for path in gone)]


def _add(store: Store, key: RepoKey, path: str, content: bytes | Path, scratch: Path) -> Operation:
    if not path.endswith(LFS_SUFFIXES):
        return AddBytes(path, content.read_bytes() if isinstance(content, Path) else content)
    on_disk = content if isinstance(content, Path) else scratch / "content"
    if isinstance(content, bytes):
        on_disk.write_bytes(content)
    stored = store.add_lfs_file(key, on_disk)
    return AddLfs(path, stored.sha256, stored.size)


def _summary(seed: Seed) -> str:
    sources = (find_source(package) for package in seed.packages)
    return "Seed from " + ", ".join(f"{source.package} {source.version}" for source in sources)


def fingerprint_of(seed: Seed) -> str:
    """Changes when a package's version, a builder or a card's text does."""
    digest = hashlib.sha256()
    for package in seed.packages:
        digest.update(f"{package}=={find_source(package).version}\n".encode())
    for path in [*sorted(Path(__file__).parent.glob("seed*.py")), *sorted(CARDS.glob("*.md"))]:
        digest.update(path.read_bytes())
    return digest.hexdigest()
