"""Follow a Space from its build until it runs, and say what it says meanwhile.

    watch(repo, revision, hub=hub, say=print)    raises LabError if it ends anywhere but in RUNNING

The stage is what counts; the two logs are read beside it by threads, since a log may be silent for
minutes. A Hub without logs is followed by its stages alone.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from hub_utils.connection import Hub
from hub_utils.errors import LabError
from hub_utils.explain import explained
from hub_utils.names import RepoId

MASK = "••••••"
POLL_LOCAL_S, POLL_REMOTE_S = 0.3, 3.0
# How long another revision's stage is taken for what was there before, not for the end.
SETTLE_S = 90.0
QUIET_S, MOST_RESTS = 1.0, 5  # without a line for so long at the end, all was said
RUNNING = "RUNNING"
_STOPPED = ("STOPPED", "PAUSED")
_ON_THE_WAY = ("BUILDING", "RUNNING_BUILDING", "APP_STARTING", "RUNNING_APP_STARTING")
_HINTS = {
    "BUILD_ERROR": "The build log above says why; mend it and deploy again.",
    "RUNTIME_ERROR": "The run log above says why; mend it and deploy again.",
    "CONFIG_ERROR": "Its page says which field of the card the Hub refuses.",
    "NO_APP_FILE": "The card's app_file must be a file of the Space.",
}


def watch(
    repo: RepoId,
    revision: str,
    *,
    hub: Hub,
    say: Callable[[str], None],
    hidden: Iterable[str] = (),
) -> str:
    """Wait until `repo` runs `revision`; returns the address of its app.

    A Space that was stopped is started. say: hears a line of a log, or of a new stage; hidden:
    texts, as tokens, that no line may show.
    """
    said = _Sayings(repo, hub=hub, say=say, hidden=hidden)
    since = time.monotonic()
    runtime = _runtime(repo, hub=hub)
    if runtime.stage in _STOPPED:
        with explained(hub, repo):
            runtime = hub.api.restart_space(str(repo))
    while not _ended(runtime, revision, waited=time.monotonic() - since):
        said.stage(runtime.stage)
        said.lines(POLL_REMOTE_S if hub.private_by_default else POLL_LOCAL_S)
        runtime = _runtime(repo, hub=hub)
    said.stage(runtime.stage)
    said.rest()
    if runtime.stage != RUNNING:
        raise LabError(
            f"{repo} does not run: it is in stage {runtime.stage}.",
            hint=_HINTS.get(runtime.stage, f"Look at {hub.url(repo)}."),
        )
    with explained(hub, repo):
        return str(hub.api.space_info(str(repo)).host or hub.url(repo))


def _runtime(repo: RepoId, *, hub: Hub) -> Any:
    with explained(hub, repo):
        return hub.api.get_space_runtime(str(repo))


def _ended(runtime: Any, revision: str, *, waited: float) -> bool:
    if runtime.stage in _ON_THE_WAY:
        return False
    shown = runtime.raw.get("sha")
    return shown in (None, revision) or waited > SETTLE_S


class _Sayings:
    """Lines of both logs as they come, and stages as they change."""

    def __init__(
        self, repo: RepoId, *, hub: Hub, say: Callable[[str], None], hidden: Iterable[str]
    ) -> None:
        self._repo, self._hub, self._say = repo, hub, say
        self._hidden = [text for text in hidden if text]
        self._stage = ""
        # (log, line); None for a line: nothing more will come of it.
        self._lines: queue.SimpleQueue[tuple[str, str | None]] = queue.SimpleQueue()
        self._silent: set[str] = set()  # logs that were asked for and said nothing yet
        self._ended: set[str] = set()
        self._asked: set[str] = set()
        self._final = False  # the last stage is reached

    def stage(self, stage: str) -> None:
        """Say it if it is a new one, and read the logs that it may have."""
        if stage != self._stage:
            self._stage = stage
            self._say(f"stage | {stage}")
        wanted = ["build"] if stage in ("BUILDING", "RUNNING_BUILDING") else ["build", "run"]
        for log in wanted:
            if log not in self._asked:
                self._asked.add(log)
                self._silent.add(log)
                threading.Thread(target=self._read, args=(log,), daemon=True).start()

    def lines(self, seconds: float) -> int:
        """Say what comes within that time; returns how many lines."""
        until, count = time.monotonic() + seconds, 0
        while (left := until - time.monotonic()) > 0:
            try:
                log, line = self._lines.get(timeout=left)
            except queue.Empty:
                break
            self._silent.discard(log)
            if line is None:
                self._ended.add(log)
                if self._final and self._ended == self._asked:
                    break
                continue
            for text in self._hidden:
                line = line.replace(text, MASK)
            self._say(f"{log:5} | {line.rstrip()}")
            count += 1
        return count

    def rest(self) -> None:
        """Say what is left: until the logs end, or go quiet; a running app may go on talking."""
        self._final = True
        for _ in range(MOST_RESTS):
            if self._ended == self._asked and self._lines.empty():
                return
            if not self.lines(QUIET_S) and not self._silent:
                return

    def _read(self, log: str) -> None:
        from httpx2 import HTTPError

        try:
            space = str(self._repo)
            for line in self._hub.api.fetch_space_logs(space, build=log == "build", follow=True):
                self._lines.put((log, line))
        except (HTTPError, OSError, ValueError):
            pass  # no such log on this Hub, or not for us: the stages tell enough
        finally:
            self._lines.put((log, None))
