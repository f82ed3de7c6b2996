"""One model that a tab serves: what is published, what is loaded, and the swap between them.

`ask` asks the Hub, `load` brings a revision into memory and swaps it in when it is ready; the
model that served before answers until then. Both may be called from any thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from hub_utils.cards import Metric, headline_of_card
from hub_utils.errors import (
    HubUnavailableError,
    LabError,
    RepoNotFoundError,
    RevisionNotFoundError,
)
from hub_utils.names import RepoId
from hub_utils.pins import Pin

if TYPE_CHECKING:
    from hub_utils.connection import Hub
    from hub_utils.pull import Pulled

M = TypeVar("M")
LOAD_WAIT_S = 60.0  # how long a call waits for a model that is being loaded


@dataclass(frozen=True)
class Served(Generic[M]):
    """A model in memory and where it came from."""

    model: M
    repo: RepoId
    revision: str  # 40 hex digits
    folder: Path
    metric: Metric | None = None  # the card's headline


@dataclass(frozen=True)
class SlotState(Generic[M]):
    """A snapshot of a slot."""

    repo: RepoId
    served: Served[M] | None = None
    newest: str | None = None  # the newest published revision, when known
    pin: Pin | None = None
    away: bool = False  # the Hub did not answer the last time
    loading: bool = False
    asked: bool = False  # whether the Hub was asked at all yet
    problem: LabError | None = None

    @property
    def offered(self) -> str | None:
        """A newer revision that the user may load."""
        if self.served is None or self.pin or self.loading or self.newest is None:
            return None
        return self.newest if self.newest != self.served.revision else None

    @property
    def waiting(self) -> bool:
        """Whether nothing is published yet."""
        return self.asked and self.served is None and self.newest is None and not self.away


class ModelSlot(Generic[M]):
    """Loads a repository's pinned or newest revision, lazily, and swaps without a gap."""

    def __init__(
        self,
        repo: RepoId,
        *,
        hub: Hub,
        pin_of: Callable[[RepoId], Pin | None],
        open_model: Callable[[Pulled], M],
        headline: Callable[[Path], Metric | None] = headline_of_card,
    ) -> None:
        """`pin_of` says what is served instead of the newest; `open_model` opens a snapshot."""
        self._hub, self._pin_of, self._open = hub, pin_of, open_model
        self._headline = headline
        self._state: SlotState[M] = SlotState(repo)
        self._changed = threading.Condition()
        self._loads = threading.Lock()  # one load at a time
        self._failed: str | None = None  # a revision that did not load is not tried again by itself

    @property
    def repo(self) -> RepoId:
        """The repository this slot serves."""
        return self._state.repo

    @property
    def state(self) -> SlotState[M]:
        """How it stands now."""
        with self._changed:
            return replace(self._state, pin=self._pin_of(self.repo))

    def ask(self) -> None:
        """Ask the Hub for the newest revision. One request."""
        from hub_utils.pull import resolve

        try:
            self._learn(resolve(self.repo, hub=self._hub))
        except (RepoNotFoundError, RevisionNotFoundError):
            self._update(newest=None, away=False, asked=True)
        except HubUnavailableError:
            self._update(away=True, asked=True)
        except LabError as error:
            self._update(problem=error, asked=True)

    def _learn(self, newest: str | None) -> None:
        pin = self._pin_of(self.repo)
        failed = self._failed is not None and self._failed == (pin.revision if pin else newest)
        problem = self._state.problem if failed else None
        if failed and problem is None:
            newest = None  # a repository that was made, and not filled yet
        self._update(newest=newest, away=False, asked=True, problem=problem)

    def load_if_idle(self) -> None:
        """Load what is to be served when nothing serves yet and it has not failed before."""
        state = self.state
        wanted = state.pin.revision if state.pin else state.newest
        if state.served is None and (wanted or state.away) and wanted != (self._failed or ""):
            self.load()

    def load(self) -> None:
        """Load the pinned or else the newest revision; on failure the one before keeps serving."""
        with self._loads:
            pin = self._pin_of(self.repo)
            revision = pin.revision if pin else None
            self._update(loading=True)
            try:
                served, away = self._pull(revision)
            except _EmptyError as error:
                self._failed = error.revision
                self._update(loading=False, newest=None, problem=None)
            except LabError as error:
                self._failed = revision or self._state.newest
                self._update(loading=False, problem=error)
            else:
                self._failed = None
                newest = self._state.newest if away or revision else served.revision
                self._update(loading=False, served=served, newest=newest, away=away, problem=None)

    def serving(self, timeout: float) -> Served[M]:
        """What serves now; waits up to `timeout` seconds for a load. LabError if nothing."""
        with self._changed:
            self._changed.wait_for(self._settled, timeout)
            state = self._state
        if state.served is not None:
            return state.served
        if state.problem is not None:
            raise state.problem
        raise RepoNotFoundError(
            f"{state.repo} is not published yet.",
            hint="Train it on the Hub tab.",
        )

    def _settled(self) -> bool:
        state = self._state
        return state.served is not None or (
            state.asked
            and not state.loading
            and (state.problem is not None or (state.newest is None and not state.away))
        )

    def _pull(self, revision: str | None) -> tuple[Served[M], bool]:
        from hub_utils.pull import pull

        pulled = pull(self.repo, hub=self._hub, revision=revision, exports=False)
        current = self._state.served
        if current is not None and current.revision == pulled.revision:
            return current, pulled.away
        if not _has_content(pulled.folder):
            raise _EmptyError(pulled.revision)
        try:
            model = self._open(pulled)
        except LabError:
            raise
        except Exception as error:  # whatever a broken checkpoint makes the library raise
            raise LabError(
                f"{self.repo} at {pulled.revision[:7]} cannot be loaded: {_first_line(error)}",
                hint="Load an older revision on the Hub tab, or publish it again.",
            ) from error
        served = Served(
            model, self.repo, pulled.revision, pulled.folder, self._headline(pulled.folder)
        )
        return served, pulled.away

    def _update(self, **changes: object) -> None:
        with self._changed:
            self._state = replace(self._state, **changes)  # type: ignore[arg-type]
            self._changed.notify_all()


class _EmptyError(Exception):
    """The repository exists, but nothing was published into it yet."""

    def __init__(self, revision: str) -> None:
        super().__init__(revision)
        self.revision = revision


def _has_content(folder: Path) -> bool:
    return any(path.name not in (".gitattributes", "README.md") for path in folder.iterdir())


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
