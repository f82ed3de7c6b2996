"""Have the Hub of this machine run a Space, and follow what it says until it ends.

    python -m hub_utils run-space llm-core-lab

The Hub's process is what runs it; this asks by the Space API and prints its logs to stderr.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hub_utils.connection import Hub
from hub_utils.errors import LabError
from hub_utils.explain import explained
from hub_utils.names import RepoId
from hub_utils.space_order import TOKEN_SECRET

if TYPE_CHECKING:
    from huggingface_hub import SpaceRuntime

POLL_S = 0.5
_ENDED_ON_PURPOSE = ("PAUSED", "STOPPED")


class SpaceRunError(LabError):
    """The Space cannot be built, or its app ended."""

    hint = "The lines above say why; correct the Space's files and deploy it again."


@dataclass(frozen=True)
class RunningSpace:
    """A Space that answers."""

    space: str
    url: str
    revision: str


def run_space(
    repo: RepoId,
    *,
    hub: Hub,
    token: str | None,
    say: Callable[[str], None],
    announce: Callable[[RunningSpace], object],
) -> None:
    """Run a Space and follow it until it is paused; interrupted, it pauses the Space itself.

    token: the value of its secret HF_TOKEN, if it has one; `announce` is called whenever it is up.
    Raises SpaceRunError if it cannot be built or run.
    """
    if hub.private_by_default:
        raise LabError(
            f"{hub.endpoint} runs {repo} by itself.",
            hint="run-space is for the embedded Hub; unset HF_TOKEN and HF_ENDPOINT to use that.",
        )
    with explained(hub, repo):
        if token and TOKEN_SECRET in hub.api.get_space_secrets(str(repo)):
            hub.api.add_space_secret(str(repo), TOKEN_SECRET, token)
        hub.api.restart_space(str(repo))
    try:
        while _follow_once(repo, hub=hub, say=say, announce=announce):
            pass
    except KeyboardInterrupt:
        hub.api.pause_space(str(repo))
        raise


def _follow_once(
    repo: RepoId,
    *,
    hub: Hub,
    say: Callable[[str], None],
    announce: Callable[[RunningSpace], object],
) -> bool:
    """Follow one build and run; whether another one is under way after it."""
    with explained(hub, repo):
        for line in hub.api.fetch_space_logs(str(repo), build=True, follow=True):
            say(line)
        runtime = hub.api.wait_for_space(str(repo), poll_interval=POLL_S)
        if runtime.stage == "RUNNING":
            info = hub.api.space_info(str(repo))
            announce(RunningSpace(str(repo), str(info.host), str(runtime.raw.get("sha"))))
        for line in hub.api.fetch_space_logs(str(repo), follow=True):
            say(line)
        runtime = hub.api.get_space_runtime(str(repo))
    if runtime.stage in _ENDED_ON_PURPOSE:
        return False
    _refuse(repo, runtime)
    return True


def _refuse(repo: RepoId, runtime: SpaceRuntime) -> None:
    if runtime.stage.endswith("ERROR"):
        message = runtime.raw.get("errorMessage") or "It did not say why."
        raise SpaceRunError(f"{repo}: {runtime.stage}. {message}")
