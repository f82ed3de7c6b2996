"""Keep the index true to git: step by step with each commit, or from nothing after a loss."""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from threading import Lock

from dulwich.object_store import DiskObjectStore
from dulwich.objects import ObjectID

from . import lfs
from .card_facts import FACT_FILES, read_facts
from .git_objects import BRANCHES, TAGS, GitRepo, commit_of, tree_of
from .history import (
    Change,
    changes_between,
    describe,
    last_commits,
    line_of,
    parent_tree,
    touched_paths,
)
from .index import Index
from .records import CommitInfo, RepoKey, RepoRecord
from .repo_settings import RepoSettings

_REVISIONS_KEPT = 32  # last commits of revisions that are no branch's head
_COMMITS_KEPT = 20_000
BlobFacts = Mapping[str, tuple[int, str | None]]


class Indexer:
    """Derives rows of the index from git; keeps what never changes in memory."""

    def __init__(self, index: Index) -> None:
        self.index = index
        self._old: OrderedDict[str, dict[str, str]] = OrderedDict()
        self._commits: OrderedDict[str, CommitInfo] = OrderedDict()
        self._lock = Lock()

    def record_commit(
        self, key: RepoKey, repo: GitRepo, branch: str, oid: str, blobs: BlobFacts
    ) -> None:
        """Index a commit that was just made on a branch."""
        self.index.add_blobs(blobs)
        self.index.attach(key, [sha256 for _, sha256 in blobs.values() if sha256])
        with repo.objects() as store:
            commit = commit_of(store, oid)
            assert commit is not None, f"commit {oid} was just written"  # noqa: S101
            parent = commit.parents[0].decode() if commit.parents else None
            if self.index.branches(key).get(branch) != parent:
                self._catch_up(key, store, branch, oid)
                return
            changes = changes_between(store, parent_tree(store, commit), commit.tree)
            touched, gone = touched_paths(store, commit.tree, changes)
            self.index.advance(key, branch, oid, touched, gone)

    def refresh(self, key: RepoKey, repo: GitRepo, settings: RepoSettings) -> RepoRecord:
        """Write a repository's record from its main branch and its settings."""
        record = derive_record(key, repo, settings)
        self.index.put(record)
        return record

    def rebuild(self, key: RepoKey, repo: GitRepo, settings: RepoSettings) -> None:
        """Index a repository from nothing but its files."""
        self.refresh(key, repo, settings)
        with repo.objects() as store:
            for branch, head in repo.refs(BRANCHES).items():
                self._catch_up(key, store, branch, head)
            heads = [*repo.refs(BRANCHES).values(), *repo.refs(TAGS).values()]
            self._attach_history(key, repo, store, heads)

    def catch_up(self, key: RepoKey, repo: GitRepo, branch: str, head: str) -> None:
        """Bring a branch's last commits to its head."""
        with repo.objects() as store:
            self._catch_up(key, store, branch, head)

    def last_commits(self, key: RepoKey, repo: GitRepo, revision: str) -> Mapping[str, str]:
        """Path → last commit at a revision, files and folders."""
        for branch, sha in self.index.branches(key).items():
            if sha == revision:
                return self.index.last_commits(key, branch)
        with self._lock:
            known = dict(self._old)
        found = known.get(revision)
        if found is None:
            with repo.objects() as store:
                found = last_commits(store, revision, known)
            with self._lock:
                self._old[revision] = found
                while len(self._old) > _REVISIONS_KEPT:
                    self._old.popitem(last=False)
        return found

    def commit_infos(self, repo: GitRepo, oids: Iterable[str]) -> dict[str, CommitInfo]:
        """Facts of several commits, read at most once each."""
        wanted = set(oids)
        with self._lock:
            found = {oid: self._commits[oid] for oid in wanted if oid in self._commits}
        missing = wanted - found.keys()
        if missing:
            with repo.objects() as store:
                commits = [commit_of(store, oid) for oid in missing]
            found.update({commit.id.decode(): describe(commit) for commit in commits if commit})
            with self._lock:
                self._commits.update(found)
                while len(self._commits) > _COMMITS_KEPT:
                    self._commits.popitem(last=False)
        return found

    def blob_facts(self, repo: GitRepo, oids: Sequence[str]) -> BlobFacts:
        """Size of the contents in bytes, and sha256 for what is in LFS, of several blobs."""
        facts = self.index.blobs(oids)
        missing = {oid for oid in oids if oid not in facts}
        if missing:
            with repo.objects() as store:
                read = {oid: _blob_fact(store, oid) for oid in missing}
            with suppress(sqlite3.Error):  # a full disk must not keep anybody from reading
                self.index.add_blobs(read)
            facts.update(read)
        return facts

    def _catch_up(self, key: RepoKey, store: DiskObjectStore, branch: str, head: str) -> None:
        known = {
            sha: self.index.last_commits(key, name)
            for name, sha in self.index.branches(key).items()
            if name == branch and sha != head
        }
        self.index.replace_branch(key, branch, head, last_commits(store, head, known))

    def _attach_history(
        self, key: RepoKey, repo: GitRepo, store: DiskObjectStore, heads: Iterable[str]
    ) -> None:
        seen: set[str] = set()
        changes: list[Change] = []
        for head in heads:
            for commit in line_of(store, head, stop=seen):
                seen.add(commit.id.decode())
                changes += changes_between(store, parent_tree(store, commit), commit.tree)
        oids = sorted({change.oid for change in changes if change.oid})
        facts = self.blob_facts(repo, oids)
        self.index.attach(key, {sha256 for _, sha256 in facts.values() if sha256})


def derive_record(key: RepoKey, repo: GitRepo, settings: RepoSettings) -> RepoRecord:
    """A repository's record, from git and its settings alone."""
    sha = repo.ref(f"{BRANCHES}main") or ""
    created = datetime.fromisoformat(settings.created_at)
    with repo.objects() as store:
        commit = commit_of(store, sha)
        tree = tree_of(store, commit.tree) if commit else None
        names = (
            {name.decode("utf-8", "replace"): oid for name, _, oid in tree.items()} if tree else {}
        )
        files = {
            name: store.get_raw(ObjectID(names[name]))[1] for name in FACT_FILES if name in names
        }
    facts = read_facts(key.type, files, names)
    modified = max(created, describe(commit).date) if commit else created
    sdk = str(facts.card_data.get("sdk") or "") or settings.sdk
    return RepoRecord(
        key=key,
        private=settings.private,
        gated=settings.gated,
        sha=sha,
        created_at=created,
        last_modified=modified,
        tags=facts.tags,
        card_data=facts.card_data,
        pipeline_tag=facts.pipeline_tag,
        library_name=facts.library_name,
        sdk=sdk if key.type == "space" else None,
        config=facts.config,
    )


def _blob_fact(store: DiskObjectStore, oid: str) -> tuple[int, str | None]:
    content = store.get_raw(ObjectID(oid.encode()))[1]
    found = lfs.parse_pointer(content)
    return (found[1], found[0]) if found else (len(content), None)
