"""Stop requests for long answers, by the session that asked and the work that is meant."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Stops:
    """At most one work of a name goes on in a session: a newer one stops the one before."""

    def __init__(self) -> None:
        self._events: dict[tuple[str, str], threading.Event] = {}  # the newest of each
        self._waiting: dict[tuple[str, str], threading.Event] = {}  # announced, not yet at work
        self._lock = threading.Lock()

    def begin(self, session: str | None, work: str) -> None:
        """Announce work that may have to wait for its turn: it can be stopped from now on."""
        with self._lock:
            key = (session or "", work)
            self._waiting[key] = self._replace(key)

    @contextmanager
    def watching(self, session: str | None, work: str) -> Iterator[threading.Event]:
        """The request to stop `work`; whoever works inside looks at it."""
        key = (session or "", work)
        with self._lock:
            event = self._waiting.pop(key, None) or self._replace(key)
        try:
            yield event
        finally:
            with self._lock:
                if self._events.get(key) is event:
                    del self._events[key]

    def stop(self, session: str | None, work: str) -> None:
        """Ask the work of that name in `session` to stop."""
        with self._lock:
            if event := self._events.get((session or "", work)):
                event.set()

    def _replace(self, key: tuple[str, str]) -> threading.Event:
        if older := self._events.get(key):
            older.set()
        event = self._events[key] = threading.Event()
        return event
