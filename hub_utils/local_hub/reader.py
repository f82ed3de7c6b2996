"""Read a revision: entries of a folder or of single paths, with sizes and last commits."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Sequence
from dataclasses import replace

from dulwich.object_store import DiskObjectStore

from .git_objects import GitRepo, commit_of, tree_of
from .indexer import BlobFacts, Indexer
from .lfs import pointer
from .records import Entry, LfsRef, RepoKey

Node = tuple[str, bool, str]  # path, whether it is a folder, oid


def read_folder(
    indexer: Indexer, repo: GitRepo, sha: str, path: str, *, recursive: bool
) -> list[Entry] | None:
    """The entries below a folder (an empty path is the root), None when it is no folder."""
    with repo.objects() as store:
        root = _find(store, sha, path)
        if root is None or not root[1]:
            return None
        nodes = list(_walk(store, root[2], f"{path}/" if path else "", recursive=recursive))
    return _entries(indexer, repo, nodes)


def read_paths(indexer: Indexer, repo: GitRepo, sha: str, paths: Sequence[str]) -> list[Entry]:
    """The entries at some paths; those that are not there are left out."""
    with repo.objects() as store:
        nodes = [node for path in paths if (node := _find(store, sha, path)) is not None]
    return _entries(indexer, repo, nodes)


def with_last_commits(
    indexer: Indexer, key: RepoKey, repo: GitRepo, sha: str, entries: Sequence[Entry]
) -> list[Entry]:
    """The same entries, each with the commit that last touched it."""
    last = indexer.last_commits(key, repo, sha)
    infos = indexer.commit_infos(repo, {last[e.path] for e in entries if e.path in last})
    return [replace(e, last_commit=infos.get(last.get(e.path, ""))) for e in entries]


def _find(store: DiskObjectStore, sha: str, path: str) -> Node | None:
    commit = commit_of(store, sha)
    if commit is None:
        return None
    oid, folder = commit.tree, True
    for part in filter(None, path.encode("utf-8", "replace").split(b"/")):
        tree = tree_of(store, oid) if folder else None
        if tree is None or part not in tree:
            return None
        mode, oid = tree[part]
        folder = stat.S_ISDIR(mode)
    return path, folder, oid.decode()


def _walk(store: DiskObjectStore, oid: str, prefix: str, *, recursive: bool) -> Iterator[Node]:
    for name, mode, child in tree_of(store, oid.encode()).items():
        path = prefix + name.decode("utf-8", "replace")
        folder = stat.S_ISDIR(mode)
        yield path, folder, child.decode()
        if folder and recursive:
            yield from _walk(store, child.decode(), f"{path}/", recursive=True)


def _entries(indexer: Indexer, repo: GitRepo, nodes: Sequence[Node]) -> list[Entry]:
    facts = indexer.blob_facts(repo, [oid for _, folder, oid in nodes if not folder])
    return [_entry(node, facts) for node in nodes]


def _entry(node: Node, facts: BlobFacts) -> Entry:
    path, folder, oid = node
    if folder:
        return Entry(path, "directory", 0, oid)
    size, sha256 = facts[oid]
    lfs = LfsRef(sha256, size, len(pointer(sha256, size))) if sha256 else None
    return Entry(path, "file", size, oid, lfs)
