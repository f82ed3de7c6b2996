"""What the tabs may use: models, trainings, the catalogue, pins. Plain Python; knows no Gradio.

Nothing starts in the constructor. `start` begins to watch the Hub and warms the models (after the
page is up); `close` ends every thread and process.
"""

from __future__ import annotations

import logging
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub_utils.errors import HubUnavailableError, InvalidNameError, LabError
from hub_utils.names import RepoId, RepoType, check_name
from hub_utils.pins import Pin, PinStore, effective_pin
from hub_utils.settings import Settings
from tabs.catalog import Catalog
from tabs.i18n import PageError
from tabs.kinds import KINDS, Kind, M
from tabs.model_slot import ModelSlot
from tabs.registry import Tab, shown, tab_named
from tabs.slots import ModelSlots
from tabs.spaces import SpaceJobs
from tabs.stops import Stops
from tabs.telemetry import Telemetry
from tabs.training_jobs import TrainingJobs

if TYPE_CHECKING:
    from hub_utils.connection import Hub
    from hub_utils.pull import Pulled

log = logging.getLogger(__name__)
WATCH_LOCAL_S = 2.0
WATCH_REMOTE_S = 30.0  # be polite to a Hub that others use


class Services:
    """The one object that a tab gets."""

    def __init__(
        self,
        settings: Settings,
        hub: Hub,
        *,
        jobs: TrainingJobs | None = None,
        openers: Mapping[str, Callable[[Pulled], Any]] | None = None,
    ) -> None:
        """`openers`, by tab, replace how the tab's kind of model is opened."""
        self.settings, self.hub = settings, hub
        self.tabs = shown(settings.tabs)
        lab = settings.hub_root.resolve().parent
        self.catalog = Catalog(hub)
        self.jobs = jobs or TrainingJobs(lab / "runs")
        self.spaces = SpaceJobs(lab / "deployments", hub)
        self.stops, self.telemetry = Stops(), Telemetry()
        self._pins = PinStore(lab / "pins.json")
        self._poke = threading.Event()
        self._slots = ModelSlots(
            hub=hub, pin_of=self.pin_of, openers=openers or {}, made=self._poke.set
        )
        self._closing = threading.Event()
        self._watcher: threading.Thread | None = None

    # Life

    def start(self, *, train_missing: bool = False) -> None:
        """Watch the Hub and warm the models; with `train_missing`, train what is not there."""
        if self._watcher is None:
            self._watcher = threading.Thread(
                target=self._watch, args=(train_missing,), name="watch-hub", daemon=True
            )
            self._watcher.start()

    def close(self) -> None:
        """End the watch, trainings, deployments, and the files made for downloads."""
        self._closing.set()
        self._poke.set()
        self.jobs.close()
        self.spaces.close()
        if self._watcher is not None:
            self._watcher.join(timeout=5)
        if "_scratch" in self.__dict__:
            self._scratch.cleanup()

    def poke(self) -> None:
        """Have the Hub asked now instead of at the next turn."""
        self._poke.set()

    def scratch(self) -> Path:
        """A new folder that lives as long as the app."""
        return Path(tempfile.mkdtemp(dir=self._scratch.name))

    @cached_property
    def _scratch(self) -> tempfile.TemporaryDirectory[str]:
        return tempfile.TemporaryDirectory(prefix="lab-")

    # Models

    def slot(self, kind: Kind[M], repo: str = "") -> ModelSlot[M]:
        """The slot of the model chosen, or of the tab's default. PageError for any other."""
        tab = tab_named(kind.tab)
        default = self.default_repo(tab)
        if not repo or repo == str(default):
            return self._slots.default(kind, default)
        if repo not in self.choices(kind):
            raise PageError("model.unknown", repo=repo)
        return self._slots.chosen(kind, self._repo(repo, tab.type))

    def choices(self, kind: Kind[Any]) -> tuple[str, ...]:
        """Ids of the published models that the tab can serve, its default first."""
        tab = tab_named(kind.tab)
        default = str(self.default_repo(tab))
        found = (str(item.repo) for item in self.catalog.listing.of_task(kind.task, tab.type))
        return (default, *(repo for repo in found if repo != default))

    def default_repo(self, tab: Tab) -> RepoId:
        """What a tab serves unless the user chooses: LAB_MODELS, else the registry's name."""
        return self._repo(self.settings.models.get(tab.name) or tab.repo, tab.type)

    def own_repo(self, tab: Tab) -> RepoId:
        """What the tab's recipe publishes."""
        return self._repo(tab.repo, tab.type)

    def serving(self, repo: RepoId) -> str | None:
        """The revision of `repo` that is in memory, if it is."""
        slot = self._slots.of(repo)
        return slot.state.served.revision if slot and slot.state.served else None

    def refresh(self) -> None:
        """Ask the Hub about every slot and for the list, then load what can serve now."""
        slots = self._slots.all()
        for slot in slots:
            slot.ask()
        if any(slot.state.away for slot in slots):
            self.catalog.lose()
            self.hub.ensure()  # an embedded Hub that was killed starts again, where it was
        else:
            self.spaces.refresh(self.catalog.refresh().items)
        for slot in slots:
            slot.load_if_idle()

    # Training, publishing, rolling back

    def missing(self) -> tuple[Tab, ...]:
        """Tabs whose own artefact can be trained here and is not published."""
        self.refresh()
        listing = self.catalog.listing
        if listing.away:
            raise HubUnavailableError(f"{self.hub.endpoint} does not answer.")
        return tuple(t for t in self.tabs if t.recipe and not listing.has(self.own_repo(t)))

    def train(self, tabs: Iterable[Tab]) -> None:
        """Train and publish the artefacts of `tabs`, one after the other, the slow ones last."""
        self.refuse_read_only()
        for tab in sorted(tabs, key=lambda tab: tab.slow):
            self.jobs.start(tab.recipe, ("--repo", tab.repo, "--push"))

    def train_on(self) -> None:
        """Go on from what is published, where a recipe can. Raises PageError."""
        self.refuse_read_only()
        self.refresh()
        able = [tab for tab in self.tabs if tab.goes_on]
        found = [tab for tab in able if self.catalog.listing.has(self.own_repo(tab))]
        if not found:
            raise PageError("hub.nothing_to_go_on", repos=", ".join(tab.repo for tab in able))
        for tab in found:
            self.jobs.start(tab.recipe, ("--repo", tab.repo, "--from", tab.repo, "--push"))

    def pin_of(self, repo: RepoId) -> Pin | None:
        """What is to be served of `repo` instead of the newest revision."""
        return effective_pin(repo, revisions=self.settings.revisions, pins=self._pins)

    def pin(self, repo: RepoId, revision: str | None) -> None:
        """Serve `revision` of `repo` from now on, or (None) the newest."""
        self.refuse_read_only()
        current = self.pin_of(repo)
        if current is not None and current.by == "environment":
            raise PageError("hub.fixed", repo=repo, revision=current.revision)
        self._set_pin(repo, revision)
        slot = self._slots.of(repo)
        if slot is None:
            return
        slot.load()
        if problem := slot.state.problem:
            self._set_pin(repo, current.revision if current else None)
            slot.load()  # what served before, which is still in memory
            raise problem

    def refuse_read_only(self) -> None:
        """Raise when this page may only be looked at."""
        if self.settings.read_only:
            raise PageError("hub.read_only")

    def new_name(self, name: str) -> str:
        """`name`, if a repository of ours may be called so. Raises PageError."""
        try:
            return self.hub.repo(check_name(name.strip(), what="name")).name
        except InvalidNameError as error:
            raise PageError("hub.bad_name", name=name.strip()[:100]) from error

    def _repo(self, text: str, type: RepoType) -> RepoId:
        return RepoId.parse(text, type=type, namespace=self.hub.namespace)

    def _set_pin(self, repo: RepoId, revision: str | None) -> None:
        if revision:
            self._pins.set(repo, revision)
        else:
            self._pins.clear(repo)

    def _watch(self, train_missing: bool) -> None:
        names = {tab.name for tab in self.tabs}
        for kind in KINDS:
            if kind.tab in names:
                self.slot(kind)
        pause = WATCH_REMOTE_S if self.hub.private_by_default else WATCH_LOCAL_S
        while not self._closing.is_set():
            self._poke.clear()
            self._guarded(self.refresh)
            if train_missing and not self.catalog.listing.away:
                train_missing = False
                self._guarded(lambda: self.train(self.missing()))
            self._poke.wait(pause)

    def _guarded(self, work: Any) -> None:
        try:
            work()
        except LabError as error:
            log.warning("%s", error)
        except Exception:  # the watch goes on: the next answer may be a good one
            log.exception("asking the Hub failed")
