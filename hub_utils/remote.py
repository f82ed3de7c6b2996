"""What a repository holds right now, asked of the Hub in one request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hub_utils.connection import REQUEST_TIMEOUT_S, Hub
from hub_utils.names import RepoId

DEFAULT_REVISION = "main"


@dataclass(frozen=True)
class RemoteFile:
    """A file as the Hub lists it. The hashes are there only if they were asked for."""

    size: int
    sha256: str | None  # of a file kept in LFS
    git_oid: str | None  # git's name of the blob; of an LFS file, that of its pointer


@dataclass(frozen=True)
class Remote:
    """A revision: its 40-hex commit and its files by path."""

    revision: str
    files: Mapping[str, RemoteFile]


def remote_state(
    repo: RepoId, *, hub: Hub, revision: str | None = None, hashes: bool = False
) -> Remote:
    """`repo` at `revision` (None: main). Raises the client's errors: call it in `explained`."""
    info: Any = hub.api.repo_info(
        str(repo),
        repo_type=repo.type,
        revision=revision or DEFAULT_REVISION,
        files_metadata=hashes,
        timeout=REQUEST_TIMEOUT_S,
    )
    return Remote(info.sha, {item.rfilename: _file(item) for item in info.siblings or []})


def _file(item: Any) -> RemoteFile:
    return RemoteFile(
        size=item.size or 0, sha256=item.lfs.sha256 if item.lfs else None, git_oid=item.blob_id
    )
