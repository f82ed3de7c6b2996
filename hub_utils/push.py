"""Publish a folder: one commit, card included; none if the Hub has the same bytes already.

    pushed = push_folder(Path("out"), hub.repo("my-model"), hub=hub, message="Train again")

The files are compared with the branch's by their hashes before anything is sent. The branch moves
at the very end, so an upload that breaks off leaves the last revision as it was.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hub_utils.connection import Hub
from hub_utils.errors import LabError, UploadError
from hub_utils.explain import explained
from hub_utils.names import RepoId
from hub_utils.remote import DEFAULT_REVISION, Remote, RemoteFile, remote_state
from hub_utils.weights import refuse_pickles

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

_ATTEMPTS = 5
_CONFLICT = 412
# Made by the Hub itself; says which files it keeps in LFS.
_HUBS_OWN = (".gitattributes",)
_SKIPPED_FOLDERS = (".git", ".cache", "__pycache__", ".ipynb_checkpoints")
_SKIPPED_NAMES = (".DS_Store",)
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class Pushed:
    """What a push came to."""

    repo: RepoId
    revision: str  # 40-hex commit
    url: str
    changed: bool  # False: the Hub had the same bytes, no commit was made


@dataclass(frozen=True)
class Changes:
    """What a commit would do, paths in order."""

    add: tuple[str, ...]
    delete: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.add or self.delete)


def push_folder(
    folder: Path,
    repo: RepoId,
    *,
    hub: Hub,
    message: str,
    private: bool | None = None,
    delete_stale: bool = True,
) -> Pushed:
    """Make `repo` hold what `folder` holds, in one commit. Creates the repository if it is missing.

    private: None means private on a Hub elsewhere and public on this machine's; only for a new one.
    delete_stale: delete what the repository has and the folder does not.
    Raises UnsafeWeightsError for a pickle, AccessError, UploadError, HubUnavailableError.
    """
    local = local_files(folder)
    refuse_pickles(folder, local)
    with explained(hub, repo):
        for _ in range(_ATTEMPTS):
            remote = _state(repo, hub=hub) or _create(repo, hub=hub, private=private)
            changes = compare(local, remote.files, delete_stale=delete_stale)
            if not changes:
                return Pushed(repo, remote.revision, hub.url(repo), changed=False)
            revision = _commit(
                folder, repo, changes, hub=hub, message=message, parent=remote.revision
            )
            if revision:
                return Pushed(repo, revision, hub.url(repo), changed=True)
    raise UploadError(
        f"Others kept publishing to {repo} at the same time; gave up after {_ATTEMPTS} tries.",
        hint="Publish again when they are done.",
    )


def local_files(folder: Path) -> dict[str, Path]:
    """The files of `folder` that would be published, by their path in the repository."""
    if not folder.is_dir():
        raise LabError(f"{folder} is not a folder.", hint="Give the folder that holds the files.")
    files = {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not _is_skipped(path.relative_to(folder))
    }
    if not files:
        raise LabError(f"{folder} holds nothing to publish.", hint="Save the model there first.")
    return files


def compare(
    local: Mapping[str, Path], remote: Mapping[str, RemoteFile], *, delete_stale: bool = True
) -> Changes:
    """Which paths differ. Hashes a local file only if the Hub has one of the same path and size."""
    add = [path for path, file in local.items() if not _same(file, remote.get(path))]
    stale = [path for path in remote if path not in local and path not in _HUBS_OWN]
    return Changes(tuple(add), tuple(sorted(stale)) if delete_stale else ())


def _state(repo: RepoId, *, hub: Hub) -> Remote | None:
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        return remote_state(repo, hub=hub, hashes=True)
    except RepositoryNotFoundError:
        return None


def _is_skipped(path: Path) -> bool:
    return path.name in _SKIPPED_NAMES or any(part in _SKIPPED_FOLDERS for part in path.parts)


def _same(local: Path, remote: RemoteFile | None) -> bool:
    size = local.stat().st_size
    if remote is None or remote.size != size:
        return False
    if remote.sha256:
        return _hash(local, hashlib.sha256()) == remote.sha256
    # Git's name of a blob; a fingerprint here, not a safeguard.
    blob = hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False)
    return _hash(local, blob) == remote.git_oid


def _hash(path: Path, digest: hashlib._Hash) -> str:
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _create(repo: RepoId, *, hub: Hub, private: bool | None) -> Remote:
    hub.api.create_repo(
        str(repo),
        repo_type=repo.type,
        private=hub.private_by_default if private is None else private,
        exist_ok=True,
        space_sdk="gradio" if repo.type == "space" else None,
    )
    return remote_state(repo, hub=hub, hashes=True)


def _commit(
    folder: Path, repo: RepoId, changes: Changes, *, hub: Hub, message: str, parent: str
) -> str | None:
    """Commit on top of `parent`. None if another commit came first."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete
    from huggingface_hub.errors import HfHubHTTPError

    operations: list[CommitOperationAdd | CommitOperationDelete] = [
        *(CommitOperationAdd(path, str(folder / path)) for path in changes.add),
        *(CommitOperationDelete(path, is_folder=False) for path in changes.delete),
    ]
    try:
        with warnings.catch_warnings():  # a model may well bring data along
            warnings.filterwarnings("ignore", "It seems that you are about to commit a data file")
            # Not upload_folder: with Xet it may split a folder into several commits.
            commit = hub.api.create_commit(
                str(repo),
                operations,
                commit_message=message,
                repo_type=repo.type,
                revision=DEFAULT_REVISION,
                parent_commit=parent,
            )
    except HfHubHTTPError as error:
        if error.response.status_code == _CONFLICT:
            return None
        raise
    return str(commit.oid)
