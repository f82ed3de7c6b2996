"""Load from a Hub: resolve a revision once, then load by that commit; cached when the Hub is away.

pulled = pull(hub.repo("reuters-classifier"), hub=hub)
pipeline("text-classification", pulled.folder)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from hub_utils.connection import Hub
from hub_utils.errors import HubUnavailableError
from hub_utils.explain import explained
from hub_utils.names import RepoId
from hub_utils.remote import DEFAULT_REVISION, remote_state
from hub_utils.weights import ignored_patterns, refuse_disguised, refuse_only_pickles

_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Pulled:
    """A snapshot on this machine."""

    repo: RepoId
    folder: Path
    revision: str  # 40-hex commit
    away: bool  # the Hub could not be reached: this is the newest cached revision


@dataclass(frozen=True)
class Files:
    """Which of a repository's files, by patterns."""

    allow: list[str] | None  # None: all
    ignore: list[str]


def resolve(repo: RepoId, *, hub: Hub, revision: str | None = None) -> str:
    """The commit that `revision` (None: main) names now. One request.

    Raises RepoNotFoundError, RevisionNotFoundError, AccessError, HubUnavailableError.
    """
    with explained(hub, repo):
        return remote_state(repo, hub=hub, revision=revision).revision


def pull(
    repo: RepoId,
    *,
    hub: Hub,
    revision: str | None = None,
    allow: list[str] | None = None,
    exports: bool = True,
) -> Pulled:
    """Download `repo` at `revision` (None: main) as one consistent snapshot.

    allow: only files that match one of these patterns. Pickles are never downloaded.
    exports: False leaves out a model's GGUF and ONNX files, which nothing here computes with.
    With the Hub away the newest cached revision is returned and `away` is set.
    Raises what `resolve` does, and UnsafeWeightsError if the weights are nothing but pickles.
    """
    files = Files(allow, ignored_patterns(repo.type, exports=exports))
    try:
        with explained(hub, repo):
            return _pull(repo, hub=hub, revision=revision, files=files)
    except HubUnavailableError as error:
        cached = _newest_cached(repo, hub=hub, revision=revision, files=files)
        if cached is None:
            raise HubUnavailableError(
                f"{hub.endpoint} does not answer, and {repo} is not in this machine's cache."
            ) from error
        return cached


def _pull(repo: RepoId, *, hub: Hub, revision: str | None, files: Files) -> Pulled:
    remote = remote_state(repo, hub=hub, revision=revision)
    if repo.type == "model":
        refuse_only_pickles(str(repo), list(remote.files))
    folder = _download(repo, remote.revision, hub=hub, files=files)
    _remember(folder, revision or DEFAULT_REVISION, remote.revision)
    return _checked(Pulled(repo, folder, remote.revision, away=False))


def _download(
    repo: RepoId, commit: str, *, hub: Hub, files: Files, cached_only: bool = False
) -> Path:
    from huggingface_hub import snapshot_download

    folder = snapshot_download(
        str(repo),
        repo_type=repo.type,
        revision=commit,
        endpoint=hub.endpoint,
        token=hub.token or False,
        cache_dir=hub.cache,
        allow_patterns=files.allow,
        ignore_patterns=files.ignore,
        local_files_only=cached_only,
    )
    return Path(folder)


def _remember(folder: Path, revision: str, commit: str) -> None:
    """Note in the cache what `revision` is, as the official client does for a branch."""
    if _COMMIT.fullmatch(revision) or ".." in revision:
        return
    ref = folder.parents[1] / "refs" / revision
    ref.parent.mkdir(parents=True, exist_ok=True)
    ref.write_text(commit, "ascii")


def _checked(pulled: Pulled) -> Pulled:
    if pulled.repo.type == "model":
        refuse_disguised(str(pulled.repo), pulled.folder)
    return pulled


def _newest_cached(repo: RepoId, *, hub: Hub, revision: str | None, files: Files) -> Pulled | None:
    """The newest complete snapshot in the cache; with `revision` only what that is known to be."""
    from huggingface_hub.errors import LocalEntryNotFoundError

    for commit in _cached_commits(repo, hub=hub, revision=revision):
        try:
            folder = _download(repo, commit, hub=hub, files=files, cached_only=True)
        except (LocalEntryNotFoundError, OSError):
            continue
        return _checked(Pulled(repo, folder, commit, away=True))
    return None


def _cached_commits(repo: RepoId, *, hub: Hub, revision: str | None) -> list[str]:
    from huggingface_hub import constants

    storage = Path(hub.cache or constants.HF_HUB_CACHE)
    storage /= f"{repo.type}s--{repo.namespace}--{repo.name}"
    if revision and _COMMIT.fullmatch(revision):
        return [revision]
    ref = storage / "refs" / (revision or DEFAULT_REVISION)
    named = [ref.read_text("ascii").strip()] if ref.is_file() else []
    if revision and revision != DEFAULT_REVISION:
        return named
    snapshots = sorted(
        (path for path in (storage / "snapshots").glob("*") if path.is_dir()),
        key=lambda path: path.stat().st_mtime,
        reverse=True,
    )
    return list(dict.fromkeys([*named, *(path.name for path in snapshots)]))
