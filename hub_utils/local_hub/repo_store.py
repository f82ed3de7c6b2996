"""Repositories as wholes: where they lie, create, move, delete, settings, listing, mending."""

from __future__ import annotations

import logging
import secrets
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from .commit_builder import GIT_ATTRIBUTES, build_tree, make_commit
from .durable import fsync_folder
from .errors import RepoExists, RepoNotFound
from .git_objects import BRANCHES, GitRepo
from .index import Index
from .indexer import BlobFacts, Indexer
from .lfs import LfsStore
from .payload import AddBytes
from .records import REPO_TYPES, ListQuery, Page, RepoKey, RepoRecord, RepoType
from .repo_settings import FILE_NAME, RepoSettings, now_text

_log = logging.getLogger(__name__)


class RepoStore:
    """The part of the store that knows repositories, not what is in them."""

    def __init__(self, root: Path, *, max_bytes: int | None = None) -> None:
        self.root = root
        self._repos, self._trash = root / "repos", root / "trash"
        shutil.rmtree(self._trash, ignore_errors=True)
        for folder in (self._repos, self._trash):
            folder.mkdir(parents=True, exist_ok=True)
        self.lfs = LfsStore(root / "lfs", max_bytes=max_bytes)
        self.lfs_lock = threading.Lock()
        self.index = Index(root / "index.sqlite3")
        self.indexer = Indexer(self.index)
        self._locks: dict[RepoKey, threading.RLock] = {}
        self._locks_lock = threading.Lock()
        self._stale: set[RepoKey] = set()
        self._mend_all()

    def close(self) -> None:
        """Let go of the index."""
        self.index.close()

    def create_repo(
        self, key: RepoKey, *, private: bool = False, sdk: str | None = None
    ) -> RepoRecord:
        """Make a repository whose first commit holds .gitattributes, as the real Hub does.

        Raises:
            RepoExists: the name is taken.
        """
        settings = RepoSettings.new(private=private, sdk=sdk)
        with self.locked(key):
            if self._folder(key).exists():
                raise RepoExists(f"You already created this {key.type} repo: {key.id}")
            with self._draft() as draft:
                _first_commit(GitRepo.create(draft), key.namespace)
                settings.write(draft)
                self._appear(key, draft)
        return self.get_repo(key)

    def get_repo(self, key: RepoKey) -> RepoRecord:
        """A repository's record.

        Raises:
            RepoNotFound: there is none of this type and id.
        """
        self.repo(key)
        record = self.index.get(key)
        if record is None:
            raise RepoNotFound(f"Repository not found: {key}.")
        return record

    def list_repos(self, type: RepoType, query: ListQuery) -> Page[RepoRecord]:
        """One page of the repositories that match."""
        for key in list(self._stale):
            self._mend_stale(key)
        return self.index.list(type, query)

    def count_repos(self, type: RepoType, query: ListQuery) -> int:
        """How many repositories match, on all pages together."""
        return self.index.count(type, query)

    def settings(self, key: RepoKey) -> RepoSettings:
        """What git does not hold about a repository."""
        return RepoSettings.read(self.repo(key).path)

    def update_settings(
        self, key: RepoKey, change: Callable[[RepoSettings], RepoSettings]
    ) -> RepoRecord:
        """Replace a repository's settings by what `change` makes of them."""
        with self.locked(key):
            repo = self.repo(key)
            settings = change(RepoSettings.read(repo.path))
            settings.write(repo.path)
            return self.indexer.refresh(key, repo, settings)

    def move_repo(self, old: RepoKey, new: RepoKey) -> None:
        """Give a repository another id; history, settings and files stay."""
        first, second = sorted((old, new))
        with self.locked(first), self.locked(second):
            source, target = self.repo(old).path, self._folder(new)
            if target.exists():
                raise RepoExists(f"There is already a {new}.")
            target.parent.mkdir(parents=True, exist_ok=True)
            source.rename(target)
            fsync_folder(target.parent)
            self.index.rename(old, new)

    def duplicate_repo(self, source: RepoKey, target: RepoKey, *, private: bool) -> RepoRecord:
        """Copy a repository with its history; secrets stay behind.

        Raises:
            RepoExists: the target's name is taken.
        """
        with self.locked(target):
            if self._folder(target).exists():
                raise RepoExists(f"You already created this {target.type} repo: {target.id}")
            with self._draft() as draft:
                with self.locked(source):
                    shutil.copytree(self.repo(source).path, draft)
                settings = RepoSettings.read(draft)
                space = replace(settings.space, secrets={})
                copied = replace(settings, created_at=now_text(), private=private, space=space)
                copied.write(draft)
                self._appear(target, draft)
        return self.get_repo(target)

    def delete_repo(self, key: RepoKey) -> None:
        """Remove a repository, and the large files that no other one uses."""
        with self.locked(key):
            trash = self._trash / secrets.token_hex(8)
            self.repo(key).path.rename(trash)
            fsync_folder(self._folder(key).parent)
            with self.lfs_lock:
                orphans = self.index.remove(key)
                for sha256 in orphans:
                    self.lfs.path(sha256).unlink(missing_ok=True)
        shutil.rmtree(trash, ignore_errors=True)

    def repo(self, key: RepoKey) -> GitRepo:
        """A repository's git, for reading.

        Raises:
            RepoNotFound: there is none of this type and id.
        """
        folder = self._folder(key)
        if not (folder / FILE_NAME).exists():
            raise RepoNotFound(f"Repository not found: {key}.")
        if key in self._stale:
            self._mend_stale(key)
        return GitRepo(folder)

    @contextmanager
    def locked(self, key: RepoKey) -> Iterator[None]:
        """Be the only writer to a repository."""
        with self._locks_lock:
            lock = self._locks.setdefault(key, threading.RLock())
        with lock:
            yield

    def index_commit(self, key: RepoKey, branch: str, oid: str, blobs: BlobFacts) -> None:
        """Index a commit that is on disk. A failure (a full disk) is mended later, never raised:
        the commit itself is safe."""
        try:
            repo = GitRepo(self._folder(key))
            self.indexer.record_commit(key, repo, branch, oid, blobs)
            if branch == "main":
                self.indexer.refresh(key, repo, RepoSettings.read(repo.path))
        except (OSError, sqlite3.Error) as error:
            _log.warning("the index of %s will be mended: %s", key, error)
            self._stale.add(key)

    @contextmanager
    def _draft(self) -> Iterator[Path]:
        """A place to make a repository; what has not appeared by the end is removed."""
        draft = self._trash / secrets.token_hex(8)
        try:
            yield draft
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def _appear(self, key: RepoKey, draft: Path) -> None:
        target = self._folder(key)
        target.parent.mkdir(parents=True, exist_ok=True)
        draft.rename(target)
        fsync_folder(target.parent)
        try:
            self._mend(key)
        except BaseException:
            target.rename(draft)
            raise

    def _folder(self, key: RepoKey) -> Path:
        return self._repos / f"{key.type}s" / key.namespace / f"{key.name}.git"

    def _mend_all(self) -> None:
        """Compare what is on disk with the index, and mend the index where they differ."""
        found = set(self._keys_on_disk())
        for key in self.index.keys() - found:
            self.index.remove(key)
        for key in found:
            self._mend(key)

    def _mend(self, key: RepoKey) -> None:
        repo = GitRepo(self._folder(key))
        repo.sweep()
        record, settings = self.index.get(key), RepoSettings.read(repo.path)
        if record is None:
            self.indexer.rebuild(key, repo, settings)
            return
        head = repo.ref(f"{BRANCHES}main")
        as_indexed = (record.sha, record.private, record.gated)
        if as_indexed != (head, settings.private, settings.gated):
            self.indexer.rebuild(key, repo, settings)

    def _mend_stale(self, key: RepoKey) -> None:
        """Try again; while it fails, the older index serves."""
        with self.locked(key):
            try:
                if key in self._stale and self._folder(key).exists():
                    repo = GitRepo(self._folder(key))
                    self.indexer.rebuild(key, repo, RepoSettings.read(repo.path))
                self._stale.discard(key)
            except (OSError, sqlite3.Error) as error:
                _log.warning("the index of %s cannot be mended yet: %s", key, error)

    def _keys_on_disk(self) -> Iterator[RepoKey]:
        for type in REPO_TYPES:
            for settings in (self._repos / f"{type}s").glob(f"*/*.git/{FILE_NAME}"):
                folder = settings.parent
                yield RepoKey(type, f"{folder.parent.name}/{folder.name.removesuffix('.git')}")


def _first_commit(repo: GitRepo, author: str) -> None:
    with repo.objects() as store:
        built = build_tree(
            store,
            None,
            [AddBytes(".gitattributes", GIT_ATTRIBUTES)],
            lfs_size=lambda operation: operation.size or 0,
            copied_blob=lambda copy: copy.source,
        )
    commit = make_commit(built.tree, None, message="initial commit", author=author)
    repo.write([*built.objects, commit])
    repo.set_ref(f"{BRANCHES}main", commit.id.decode())
