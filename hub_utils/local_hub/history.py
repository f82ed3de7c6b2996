"""Who last touched each path: derived commit by commit, never by one walk a path. No SQL."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone

from dulwich.diff_tree import tree_changes
from dulwich.object_store import DiskObjectStore, tree_lookup_path
from dulwich.objects import Commit, ObjectID

from .git_objects import commit_of, folders_of
from .records import CommitInfo


@dataclass(frozen=True)
class Change:
    """A file that a commit added or changed (`oid` is its blob) or removed (`oid` is None)."""

    path: str
    oid: str | None


def changes_between(store: DiskObjectStore, old: bytes | None, new: bytes) -> list[Change]:
    """The files in which two trees differ."""
    found = []
    for change in tree_changes(store, ObjectID(old) if old else None, ObjectID(new)):
        if change.new is not None and change.new.path is not None and change.new.sha is not None:
            found.append(Change(_text(change.new.path), change.new.sha.decode()))
        elif change.old is not None and change.old.path is not None:
            found.append(Change(_text(change.old.path), None))
    return found


def touched_paths(
    store: DiskObjectStore, tree: bytes, changes: Iterable[Change]
) -> tuple[set[str], set[str]]:
    """The paths (folders too) that a commit touched, and those that it made vanish."""
    touched, gone = set[str](), set[str]()
    for change in changes:
        (touched if change.oid else gone).add(change.path)
        touched.update(folders_of(change.path))
    doubtful = {folder for path in gone for folder in folders_of(path)}
    vanished = {folder for folder in doubtful if not _is_folder(store, tree, folder)}
    return touched - vanished, (gone | vanished) - touched


def line_of(
    store: DiskObjectStore, head: str, *, stop: Iterable[str] = (), at_most: int | None = None
) -> list[Commit]:
    """First-parent line from `head` back to its root, or to a commit in `stop` (left out)."""
    stops, line = set(stop), list[Commit]()
    current: str | None = head
    while current and current not in stops and (at_most is None or len(line) < at_most):
        commit = commit_of(store, current)
        if commit is None:
            break
        line.append(commit)
        current = commit.parents[0].decode() if commit.parents else None
    return line


def last_commits(
    store: DiskObjectStore, head: str, known: dict[str, dict[str, str]]
) -> dict[str, str]:
    """Path → last commit at `head`, starting from the nearest revision in `known`."""
    line = line_of(store, head, stop=known)
    base = head
    if line:
        base = line[-1].parents[0].decode() if line[-1].parents else ""
    last = dict(known.get(base, {}))
    for commit in reversed(line):
        tree = parent_tree(store, commit)
        touched, gone = touched_paths(store, commit.tree, changes_between(store, tree, commit.tree))
        last.update(dict.fromkeys(touched, commit.id.decode()))
        for path in gone:
            last.pop(path, None)
    return last


def parent_tree(store: DiskObjectStore, commit: Commit) -> bytes | None:
    """The tree that a commit started from, None for a first commit."""
    parent = commit_of(store, commit.parents[0].decode()) if commit.parents else None
    return parent.tree if parent else None


def describe(commit: Commit) -> CommitInfo:
    """A commit's facts for people."""
    text = commit.message.decode("utf-8", "replace")
    title, _, message = text.partition("\n")
    return CommitInfo(
        oid=commit.id.decode(),
        title=title.strip(),
        message=message.strip(),
        author=commit.author.decode("utf-8", "replace").partition(" <")[0],
        date=datetime.fromtimestamp(commit.commit_time, timezone.utc),
    )


def _is_folder(store: DiskObjectStore, tree: bytes, path: str) -> bool:
    try:
        mode, _ = tree_lookup_path(store.__getitem__, ObjectID(tree), path.encode())
    except (KeyError, NotADirectoryError, ValueError):
        return False
    return stat.S_ISDIR(mode)


def _text(path: bytes) -> str:
    return path.decode("utf-8", "replace")
