"""The slots of all tabs: the default model of each, and the few that readers chose last."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from hub_utils.names import RepoId
from hub_utils.pins import Pin
from tabs.kinds import Kind, M
from tabs.model_slot import ModelSlot

if TYPE_CHECKING:
    from hub_utils.connection import Hub
    from hub_utils.pull import Pulled

MAX_CHOSEN = 2  # of a kind, in memory beside the default; the one chosen longest ago goes first


class ModelSlots:
    """Makes slots, keeps them, and forgets those that nobody looked at for longest."""

    def __init__(
        self,
        *,
        hub: Hub,
        pin_of: Callable[[RepoId], Pin | None],
        openers: Mapping[str, Callable[[Pulled], Any]],
        made: Callable[[], None],
    ) -> None:
        """`openers` replace a tab's own way to open a model; `made` hears of every new slot."""
        self._hub, self._pin_of, self._openers, self._made = hub, pin_of, openers, made
        self._chosen: dict[str, dict[RepoId, ModelSlot[Any]]] = {}  # the newest use is last
        self._defaults: dict[str, ModelSlot[Any]] = {}
        self._lock = threading.Lock()

    def default(self, kind: Kind[M], repo: RepoId) -> ModelSlot[M]:
        """The slot that a tab serves unless its reader chooses. It is never forgotten."""
        with self._lock:
            if kind.tab not in self._defaults:
                self._defaults[kind.tab] = self._new(kind, repo)
            return self._defaults[kind.tab]

    def chosen(self, kind: Kind[M], repo: RepoId) -> ModelSlot[M]:
        """The slot of another model of that kind."""
        with self._lock:
            slots = self._chosen.setdefault(kind.tab, {})
            slot = slots.pop(repo, None) or self._new(kind, repo)
            slots[repo] = slot
            if len(slots) > MAX_CHOSEN:
                del slots[next(iter(slots))]
            return slot

    def all(self) -> list[ModelSlot[Any]]:
        """Every slot there is, the defaults first."""
        with self._lock:
            chosen = [slot for slots in self._chosen.values() for slot in slots.values()]
            return [*self._defaults.values(), *chosen]

    def of(self, repo: RepoId) -> ModelSlot[Any] | None:
        """The slot of `repo`, if there is one."""
        return next((slot for slot in self.all() if slot.repo == repo), None)

    def _new(self, kind: Kind[M], repo: RepoId) -> ModelSlot[M]:
        self._made()
        return ModelSlot(
            repo,
            hub=self._hub,
            pin_of=self._pin_of,
            open_model=self._openers.get(kind.tab, kind.open),
            headline=kind.headline,
        )
