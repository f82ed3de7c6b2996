"""Bring back an earlier revision of a Space, and copy a Space to another name."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from hub_utils.catalog import history
from hub_utils.connection import Hub
from hub_utils.errors import LabError, RevisionNotFoundError
from hub_utils.explain import explained
from hub_utils.names import RepoId
from hub_utils.push import Pushed, push_folder
from hub_utils.remote import DEFAULT_REVISION, remote_state

if TYPE_CHECKING:
    from collections.abc import Mapping

SHORT = 7  # digits of a commit, for people


def roll_back(repo: RepoId, revision: str | None = None, *, hub: Hub) -> tuple[Pushed, str]:
    """Make `repo` hold what it held at `revision` (None: before its last commit).

    It is a new commit: nothing is lost, and the next rollback undoes this one. Variables, secrets
    and hardware are no files and stay as they are. Returns the commit, and the one brought back.
    """
    commit = _before(repo, hub=hub) if revision is None else _commit(repo, revision, hub=hub)
    with tempfile.TemporaryDirectory() as folder:
        with explained(hub, repo):
            hub.api.snapshot_download(
                str(repo), repo_type=repo.type, revision=commit, local_dir=folder
            )
        message = f"Bring back {commit[:SHORT]}"
        return push_folder(Path(folder), repo, hub=hub, message=message), commit


def duplicate(
    source: RepoId,
    target: RepoId,
    *,
    hub: Hub,
    private: bool | None = None,
    secrets: Mapping[str, str],
) -> str:
    """Copy a Space with its history, variables and hardware; returns the address of the copy.

    Its secrets cannot be read, so the copy gets those in `secrets` that the source has. It serves
    what the source serves: whose models those are is a variable.
    """
    from huggingface_hub import SpaceHardware

    space = str(source)
    with explained(hub, source):
        variables = hub.api.get_space_variables(space)
        names = hub.api.get_space_secrets(space)
        runtime = hub.api.get_space_runtime(space)
    missing = [name for name in names if name not in secrets]
    if missing:
        raise LabError(
            f"{source} has a secret {missing[0]}, whose value cannot be read.",
            hint="Set LAB_SPACE_TOKEN to a token for the copy."
            if missing[0] == "HF_TOKEN"
            else "Remove it from the Space, or copy the Space on its page.",
        )
    flavor = runtime.requested_hardware or runtime.hardware
    with explained(hub, target):
        hub.api.duplicate_repo(
            space,
            str(target),
            repo_type="space",
            private=hub.private_by_default if private is None else private,
            space_hardware=SpaceHardware(flavor) if flavor else None,
            space_variables=[
                {"key": key, "value": variable.value} for key, variable in variables.items()
            ],
            space_secrets=[{"key": key, "value": secrets[key]} for key in names],
        )
    return hub.url(target)


def _before(repo: RepoId, *, hub: Hub) -> str:
    commits = history(hub, repo, limit=2)
    if len(commits) < 2:
        raise RevisionNotFoundError(
            f"{repo} has one commit only, so there is nothing before it.",
            hint="Deploy it again, then there is.",
        )
    return commits[1].revision


def _commit(repo: RepoId, revision: str, *, hub: Hub) -> str:
    """The commit that a branch, a tag, a commit or its first digits name."""
    if SHORT <= len(revision) < 40:
        full = [c.revision for c in history(hub, repo, limit=1000)]
        named = [commit for commit in full if commit.startswith(revision)]
        if len(named) == 1:
            return named[0]
    with explained(hub, repo):
        return remote_state(repo, hub=hub, revision=revision or DEFAULT_REVISION).revision
