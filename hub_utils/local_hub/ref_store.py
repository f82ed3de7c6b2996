"""Branches, tags, and what a revision names."""

from __future__ import annotations

import time
from collections.abc import Callable

from dulwich.objects import Commit, ObjectID, Tag

from .errors import BadRequest, RefExists, RevisionNotFound
from .git_objects import BRANCHES, TAGS, GitRepo
from .paths import check_ref_name, is_commit_like, shown
from .records import Ref, Refs, RepoKey
from .repo_store import RepoStore

DEFAULT_BRANCH = "main"


class RefStore(RepoStore):
    """The part of the store that knows refs."""

    def resolve(self, key: RepoKey, revision: str) -> str:
        """The 40-hex commit that a branch, a tag, a full ref or a commit's id (or start) names.

        Raises:
            RevisionNotFound: nothing of that name, or several commits start so.
        """
        return self._at(key, revision)[1]

    def refs(self, key: RepoKey) -> Refs:
        """All branches and tags, by name; a tag's target is its commit."""
        repo = self.repo(key)
        branches = [Ref(n, BRANCHES + n, oid) for n, oid in repo.refs(BRANCHES).items()]
        tags = [(name, repo.commit(oid)) for name, oid in repo.refs(TAGS).items()]
        return Refs(branches, [Ref(n, TAGS + n, c.id.decode()) for n, c in tags if c is not None])

    def create_branch(self, key: RepoKey, name: str, revision: str = DEFAULT_BRANCH) -> None:
        """Make a branch that starts at a revision."""
        self._create_ref(key, BRANCHES, name, lambda _repo, commit: commit.id, revision)

    def create_tag(self, key: RepoKey, name: str, revision: str, message: str = "") -> None:
        """Tag a revision; with a message the tag is an annotated one."""

        def target(repo: GitRepo, commit: Commit) -> ObjectID:
            if not message:
                return commit.id
            tag = _annotated(name, commit, message)
            repo.write([tag])
            return tag.id

        self._create_ref(key, TAGS, name, target, revision)

    def delete_branch(self, key: RepoKey, name: str) -> None:
        """Remove a branch; main stays."""
        if name == DEFAULT_BRANCH:
            raise BadRequest("The branch main cannot be deleted.")
        self._delete_ref(key, BRANCHES, name)
        self.index.drop_branch(key, name)

    def delete_tag(self, key: RepoKey, name: str) -> None:
        """Remove a tag."""
        self._delete_ref(key, TAGS, name)

    def _at(self, key: RepoKey, revision: str) -> tuple[GitRepo, str]:
        repo = self.repo(key)
        for prefix in (BRANCHES, TAGS, ""):
            oid = repo.ref(prefix + revision) if prefix or revision.startswith("refs/") else None
            commit = repo.commit(oid) if oid else None
            if commit is not None:
                return repo, commit.id.decode()
        found = repo.find_commits(revision) if is_commit_like(revision) else []
        if len(found) != 1:
            raise RevisionNotFound(f"Invalid rev id: {shown(revision)} names no commit of {key}.")
        return repo, found[0]

    def _create_ref(
        self,
        key: RepoKey,
        prefix: str,
        name: str,
        target: Callable[[GitRepo, Commit], ObjectID],
        revision: str,
    ) -> None:
        check_ref_name(name)
        repo, sha = self._at(key, revision)
        with self.locked(key):
            taken = repo.refs(prefix)
            kind = "branch" if prefix == BRANCHES else "tag"
            if name in taken:
                raise RefExists(f"Reference already exists: the {kind} {shown(name)}.")
            clash = [t for t in taken if t.startswith(f"{name}/") or name.startswith(f"{t}/")]
            if clash:
                raise RefExists(f"The {kind} {shown(name)} clashes with {shown(clash[0])}.")
            commit = repo.commit(sha)
            if commit is not None:
                repo.set_ref(prefix + name, target(repo, commit).decode())

    def _delete_ref(self, key: RepoKey, prefix: str, name: str) -> None:
        repo = self.repo(key)
        with self.locked(key):
            if name not in repo.refs(prefix):
                kind = "branch" if prefix == BRANCHES else "tag"
                raise RevisionNotFound(f"There is no {kind} {shown(name)} in {key}.")
            repo.delete_ref(prefix + name)


def _annotated(name: str, commit: Commit, message: str) -> Tag:
    tag = Tag()
    tag.name = name.encode()
    tag.tagger = commit.committer
    tag.tag_time, tag.tag_timezone = int(time.time()), 0  # noqa: TID251 - a date
    tag.object = (Commit, commit.id)
    tag.message = message.encode("utf-8", "replace") + b"\n"
    return tag
