"""Spaces that the page makes of published models, and how this machine's Hub runs them. No layout.

A deployment is `python -m hub_utils deploy spaces/<bundle> --watch` on a leash; a Space itself is a
process of the Hub's and runs until it is paused or the Hub ends.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hub_utils.errors import LabError
from hub_utils.explain import explained
from hub_utils.names import RepoId
from tabs.i18n import PageError
from tabs.jobs import Jobs, Order
from tabs.kinds import KINDS
from tabs.registry import tab_named

if TYPE_CHECKING:
    from hub_utils.catalog import Published
    from hub_utils.connection import Hub
    from tabs.services import Services

RUNNING = "RUNNING"
MOST = 20  # Spaces whose stage is asked for; one takes two requests
COMMAND = (sys.executable, "-m", "hub_utils", "deploy")


@dataclass(frozen=True)
class SpaceNow:
    """How a Space stands."""

    stage: str
    url: str = ""  # of its app, while that answers


class SpaceJobs(Jobs):
    """Deployments, by the Space's name; and how the Spaces of the namespace stand."""

    what = "The deployment"

    def __init__(self, runs: Path, hub: Hub, *, command: Sequence[str] = COMMAND) -> None:
        super().__init__(runs)
        self._hub, self._command = hub, tuple(command)
        self._now: Mapping[str, SpaceNow] = {}

    @property
    def now(self) -> Mapping[str, SpaceNow]:
        """By id, as of the last time the Hub was asked."""
        return self._now

    def refresh(self, listed: Iterable[Published]) -> None:
        """Ask this machine's Hub for their stages; no other is asked every two seconds."""
        if self._hub.private_by_default:
            return
        spaces = [item.repo for item in listed if item.repo.type == "space"][:MOST]
        try:
            self._now = {str(repo): _ask(self._hub, repo) for repo in spaces}
        except LabError:
            return  # it is away: what it said before stays

    def deploy(self, name: str, *, bundle: str, tab: str, repo: RepoId) -> None:
        """Make a Space `name` of a tab's bundle that serves `repo`, and wait until it runs."""
        command = (*self._command, f"spaces/{bundle}", f"--name={name}", "--hardware=cpu")
        self.order(Order(name, (*command, "--watch"), environment={"LAB_MODELS": f"{tab}={repo}"}))


def deployable(services: Services) -> tuple[tuple[str, RepoId], ...]:
    """(tab, repository) of everything published that a Space can serve, the newest first."""
    shown = {tab.name for tab in services.tabs}
    kinds = [kind for kind in KINDS if kind.tab in shown]
    return tuple(
        (kind.tab, item.repo)
        for item in services.catalog.listing.items
        for kind in kinds
        if item.repo.type == tab_named(kind.tab).type and kind.task in item.tasks
    )


def deploy(services: Services, tab: str, repo: str, name: str) -> None:
    """Deploy what is published as `repo` as a Space that this machine's Hub runs.

    Raises PageError where that is not for this page, and for what cannot be deployed.
    """
    _refuse_elsewhere(services)
    found = next((r for t, r in deployable(services) if (t, str(r)) == (tab, repo)), None)
    if found is None:
        raise PageError("spaces.pick")
    bundle = tab_named(tab).bundle
    services.spaces.deploy(services.new_name(name), bundle=bundle, tab=tab, repo=found)


def pause(services: Services, name: str) -> None:
    """End the app of a Space; its files and its settings stay."""
    _refuse_elsewhere(services)
    name, hub = services.new_name(name), services.hub
    if services.spaces.state(name).active:
        services.spaces.stop()
    repo = hub.repo(name, "space")
    with explained(hub, repo):
        hub.api.pause_space(str(repo))
    services.poke()


def _refuse_elsewhere(services: Services) -> None:
    services.refuse_read_only()
    if services.hub.private_by_default:
        raise PageError("spaces.elsewhere", endpoint=services.hub.endpoint)


def _ask(hub: Hub, repo: RepoId) -> SpaceNow:
    with explained(hub, repo):
        runtime = hub.api.get_space_runtime(str(repo))
        if runtime.stage != RUNNING:
            return SpaceNow(runtime.stage)
        return SpaceNow(RUNNING, str(hub.api.space_info(str(repo)).host or ""))
