"""Runs Spaces: which ones, their secrets' values, and what becomes of them when things change.

A Space runs once it was restarted by the Space API (`python -m hub_utils run-space` does that), and
until it is paused, deleted, or the Hub ends. A commit to it builds it anew. It is a process of this
machine with its own folder, environment and variables, not a sandbox: it may do what you may do.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Sequence

from .records import RepoKey, SpaceFacts
from .space_build import SpaceFolders
from .space_log import SpaceLog
from .space_run import RunOrder, SpaceRun
from .store import Store

LOGS = ("build", "run")


class SpaceRunner:
    """All Spaces of a Hub that run or ran."""

    def __init__(self, store: Store, *, masked: Sequence[str] = ()) -> None:
        self._store, self._masked = store, tuple(masked)
        self._runs: dict[RepoKey, SpaceRun] = {}
        # Values of secrets live here and nowhere on the disk: they are gone with the process.
        self._secrets: defaultdict[RepoKey, dict[str, str]] = defaultdict(dict)
        self._lock = threading.RLock()
        self._closed = False
        # Whether the Hub is about to end, so that nobody should wait for more of a log.
        self.ending: Callable[[], bool] = lambda: False

    def run(self, key: RepoKey, *, endpoint: str, anew: bool = False) -> None:
        """Build and start a Space, in place of the run that there is. `anew`: reuse no package."""
        with self._lock:
            if self._closed:
                return
            order = RunOrder(
                key=key,
                endpoint=endpoint,
                settings=self._store.settings(key).space,
                secrets=dict(self._secrets[key]),
                masked=self._masked,
            )
            before, run = self._runs.get(key), SpaceRun(order, store=self._store)
            # First in its place: whoever looks while the old one ends sees a build, not a stop.
            self._runs[key] = run
            if before:
                before.end()
            if anew:
                SpaceFolders.of(self._store.root, key).remove()
            run.start()

    def changed(self, key: RepoKey, *, endpoint: str) -> None:
        """Its files or settings changed: if it runs or was to run, it does so with the new ones."""
        if key in self._runs and not self._store.settings(key).space.paused:
            self.run(key, endpoint=endpoint)

    def stop(self, key: RepoKey) -> None:
        """End a Space; its logs stay readable until it runs again."""
        with self._lock:
            self._end(key)

    def forget(self, key: RepoKey) -> None:
        """End a Space that is deleted or gets another id, with its folder and secrets."""
        with self._lock:
            self._end(key)
            self._runs.pop(key, None)
            self._secrets.pop(key, None)
            SpaceFolders.of(self._store.root, key).remove()

    def close(self) -> None:
        """End all of them."""
        with self._lock:
            self._closed = True
            for key in list(self._runs):
                self._end(key)

    def keep_secret(self, key: RepoKey, name: str, value: str | None) -> None:
        """Remember a secret's value, or with None forget it."""
        with self._lock:
            if value is None:
                self._secrets[key].pop(name, None)
            else:
                self._secrets[key][name] = value

    def facts(self, key: RepoKey) -> SpaceFacts | None:
        """How a Space stands; None if nobody ran it."""
        run = self._runs.get(key)
        return run.facts if run else None

    def log(self, key: RepoKey, kind: str) -> SpaceLog | None:
        """What a Space said while it was built or run; None if nobody ran it."""
        run = self._runs.get(key)
        if run is None:
            return None
        return run.build_log if kind == "build" else run.run_log

    def _end(self, key: RepoKey) -> None:
        run = self._runs.get(key)
        if run:
            run.end()
