"""The embedded Hub's storage: git repositories, large files and their index. No HTTP.

A commit is durable once `commit` returns: objects first, then the branch, then the index. The
index is a cache: what a killed process left behind is mended when the store is opened.
One process at a time may have a root open (the server holds a lock); threads may share a Store.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from . import reader
from .commit_builder import Built, build_tree, make_commit
from .errors import BadRequest, EntryNotFound, RevisionNotFound, StaleParent
from .git_objects import BRANCHES, GitRepo
from .history import describe, line_of
from .lfs import LfsWriter
from .paths import check_path, is_commit_like, shown
from .payload import (
    AddBytes,
    AddLfs,
    CopyLfs,
    DeleteFile,
    DeleteFolder,
    Operation,
)
from .records import (
    CommitInfo,
    Entry,
    LfsRef,
    ListQuery,
    Page,
    Ref,
    Refs,
    RepoKey,
    RepoRecord,
    RepoType,
)
from .ref_store import RefStore

__all__ = [
    "AddBytes", "AddLfs", "CommitInfo", "CopyLfs", "DeleteFile", "DeleteFolder", "Entry", "LfsRef",
    "ListQuery", "Operation", "Page", "Ref", "Refs", "RepoKey", "RepoRecord", "RepoType", "Store",
]  # fmt: skip


class Store(RefStore):
    """Contents: commits, trees, files. Repositories and refs come from the base classes."""

    # -- reading -----------------------------------------------------------------------------

    def tree(
        self,
        key: RepoKey,
        revision: str,
        path: str = "",
        *,
        recursive: bool = False,
        expand: bool = False,
    ) -> list[Entry]:
        """The entries of a folder, in git's order; `expand` adds each one's last commit.

        Raises:
            RevisionNotFound, EntryNotFound: there is no such revision or folder.
        """
        repo, sha = self._at(key, revision)
        clean = check_path(path) if path.strip("/") else ""
        entries = reader.read_folder(self.indexer, repo, sha, clean, recursive=recursive)
        if entries is None:
            raise EntryNotFound(f"There is no folder {shown(path)} at {sha[:7]}.", commit=sha)
        if expand:
            return reader.with_last_commits(self.indexer, key, repo, sha, entries)
        return entries

    def entries(
        self, key: RepoKey, revision: str, paths: Sequence[str], *, expand: bool = False
    ) -> list[Entry]:
        """The entries at some paths, without those that are not there."""
        repo, sha = self._at(key, revision)
        found = reader.read_paths(self.indexer, repo, sha, [check_path(path) for path in paths])
        if expand:
            return reader.with_last_commits(self.indexer, key, repo, sha, found)
        return found

    def entry(self, key: RepoKey, revision: str, path: str) -> Entry:
        """One file or folder.

        Raises:
            EntryNotFound: it is not there; the error carries the commit that was looked at.
        """
        repo, sha = self._at(key, revision)
        found = reader.read_paths(self.indexer, repo, sha, [check_path(path)])
        if not found:
            raise EntryNotFound(f"There is no {shown(path)} at {sha[:7]}.", commit=sha)
        return found[0]

    def read(self, key: RepoKey, revision: str, path: str) -> bytes:
        """A whole file's bytes; meant for cards and other small files."""
        entry = self.entry(key, revision, path)
        if entry.type == "directory":
            raise EntryNotFound(f"{shown(path)} is a folder.", commit=self.resolve(key, revision))
        stored = self.local_path(key, entry)
        return stored.read_bytes() if stored else self.blob(key, entry.oid)

    def blob(self, key: RepoKey, oid: str) -> bytes:
        """The bytes that git itself keeps under an id: a small file, or an LFS pointer."""
        return self.repo(key).blob(oid)

    def local_path(self, key: RepoKey, entry: Entry) -> Path | None:
        """Where a large file's bytes lie; None when git holds them.

        Raises:
            EntryNotFound: git has the pointer, but the object is gone from the disk.
        """
        path = self.stored_path(entry)
        if entry.lfs is not None and path is None:
            raise EntryNotFound(f"The contents of {shown(entry.path)} in {key} are lost.")
        return path

    def stored_path(self, entry: Entry) -> Path | None:
        """Where a large file's bytes lie; None when git holds them or nobody does."""
        path = self.lfs.path(entry.lfs.sha256) if entry.lfs else None
        return path if path and path.exists() else None

    def commits(
        self, key: RepoKey, revision: str, *, skip: int = 0, limit: int = 50
    ) -> list[CommitInfo]:
        """The commits that lead to a revision, newest first."""
        repo, sha = self._at(key, revision)
        with repo.objects() as store:
            line = line_of(store, sha, at_most=skip + limit)
        return [describe(commit) for commit in line[skip:]]

    # -- writing -----------------------------------------------------------------------------

    def commit(
        self,
        key: RepoKey,
        branch: str,
        operations: Sequence[Operation],
        *,
        summary: str,
        description: str = "",
        author: str = "lab",
        parent: str | None = None,
    ) -> str:
        """Apply operations to a branch in one commit and return its id.

        Without `parent` the operations apply to whatever the branch holds by now, so concurrent
        writers all land. Operations that change nothing make no commit.

        Raises:
            RevisionNotFound: there is no such branch.
            StaleParent: `parent` is not the branch's head any more.
            BadRequest, EntryNotFound: an operation cannot be applied; nothing is changed.
        """
        branch = branch.removeprefix(BRANCHES)
        with self.locked(key):
            repo = self.repo(key)
            head = _head(repo, branch)
            if parent and not (is_commit_like(parent) and head.startswith(parent)):
                raise StaleParent(
                    "A commit has happened since. Please refresh and try again: "
                    f"{branch} is at {head[:7]}, not at {shown(parent)}."
                )
            before = repo.commit(head)
            built = self._build(key, repo, head, operations)
            if before is not None and before.tree == built.tree:
                return head
            message = f"{summary}\n\n{description}".strip() or "Update"
            commit = make_commit(built.tree, head, message=message, author=author)
            oid = commit.id.decode()
            repo.write([*built.objects, commit])
            repo.set_ref(BRANCHES + branch, oid)
            self.index_commit(key, branch, oid, built.blobs)
        return oid

    def upload(self, key: RepoKey, sha256: str, size: int) -> LfsWriter:
        """Take in a large file for a repository; finish it with `finish_upload`."""
        self.repo(key)
        return self.lfs.writer(sha256, size)

    def finish_upload(self, key: RepoKey, sha256: str, writer: LfsWriter) -> None:
        """Check an upload's bytes and let the repository use it."""
        writer.seal()
        with self.lfs_lock:
            writer.publish()
            try:
                self.index.attach(key, [sha256])
            except BaseException:
                if not self.index.is_used(sha256):
                    self.lfs.path(sha256).unlink(missing_ok=True)
                raise

    def add_lfs_file(self, key: RepoKey, path_on_disk: Path) -> LfsRef:
        """Store a file of this machine for a repository; commit it with AddLfs."""
        sha256, size = self.lfs.add(path_on_disk)
        with self.lfs_lock:
            self.index.attach(key, [sha256])
        return LfsRef(sha256, size, 0)

    def copy_lfs(self, source: RepoKey, target: RepoKey, sha256: str) -> bool:
        """Let one repository use another's large file; False when the source has none such."""
        if not self.has_lfs(source, sha256):
            return False
        self.index.attach(target, [sha256])
        return True

    def has_lfs(self, key: RepoKey, sha256: str) -> bool:
        """Whether a repository may use a large file: uploaded to it, or in its history."""
        return self.index.is_attached(key, sha256) and self.lfs.size(sha256) is not None

    def squash(self, key: RepoKey, branch: str, message: str, *, author: str = "lab") -> str:
        """Replace a branch's history by one commit of its present contents."""
        branch = branch.removeprefix(BRANCHES)
        with self.locked(key):
            repo = self.repo(key)
            before = repo.commit(_head(repo, branch))
            if before is None:
                raise RevisionNotFound(f"The branch {shown(branch)} has no commit.")
            commit = make_commit(before.tree, None, message=message, author=author)
            repo.write([commit])
            repo.set_ref(BRANCHES + branch, commit.id.decode())
            self.index_commit(key, branch, commit.id.decode(), {})
        return commit.id.decode()

    def _build(
        self, key: RepoKey, repo: GitRepo, head: str, operations: Sequence[Operation]
    ) -> Built:
        def copied_blob(copy: CopyLfs) -> str:
            entry = self.entry(key, copy.revision or head, copy.source)
            if entry.type == "directory":
                raise BadRequest(f"{shown(copy.source)} is a folder; copy its files one by one.")
            return entry.oid

        def lfs_size(operation: AddLfs) -> int:
            return self._lfs_size(key, operation)

        checked = [_checked(operation) for operation in operations]
        commit = repo.commit(head)
        with repo.objects() as store:
            root = commit.tree if commit else None
            return build_tree(store, root, checked, lfs_size=lfs_size, copied_blob=copied_blob)

    def _lfs_size(self, key: RepoKey, operation: AddLfs) -> int:
        size = self.lfs.size(operation.sha256)
        if size is None or not self.index.is_attached(key, operation.sha256):
            raise BadRequest(
                f"The large file {shown(operation.path)} was not uploaded to {key}: do that first."
            )
        if operation.size is not None and operation.size != size:
            raise BadRequest(
                f"{shown(operation.path)} has {size:,} bytes, the commit says {operation.size:,}."
            )
        return size


def _head(repo: GitRepo, branch: str) -> str:
    head = repo.ref(BRANCHES + branch)
    if head is None:
        raise RevisionNotFound(f"There is no branch {shown(branch)} to commit to.")
    return head


def _checked(operation: Operation) -> Operation:
    checked: dict[str, Any] = {"path": check_path(operation.path)}
    return replace(operation, **checked)
