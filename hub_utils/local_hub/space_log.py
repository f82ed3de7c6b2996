"""What a Space said while it was built or run: the last lines, without its secrets."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone

MAX_LINES = 5000
MIN_SECRET = 4  # shorter values would be found in ordinary words
MASK = "••••••"


@dataclass(frozen=True)
class LogLine:
    """A line with its end, and when it was said (UTC)."""

    text: str
    said_at: datetime


class SpaceLog:
    """Lines that may be read while they are written. `closed` once nothing more will come."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        # The longest first: one secret may be the start of another.
        self._secrets = sorted(_pieces(secrets), key=len, reverse=True)
        self._lines: deque[LogLine] = deque(maxlen=MAX_LINES)
        self._total = 0
        self._lock = threading.Lock()
        self.closed = False

    def say(self, text: str) -> None:
        """Add a line; what was a secret in it is masked."""
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        line = LogLine(text.rstrip("\r\n") + "\n", datetime.now(timezone.utc))
        with self._lock:
            self._lines.append(line)
            self._total += 1

    def close(self) -> None:
        """Say that nothing more will come."""
        self.closed = True

    def after(self, number: int) -> tuple[list[LogLine], int]:
        """The kept lines after the first `number`, and how many lines there were by then."""
        with self._lock:
            fresh = min(self._total - number, len(self._lines))
            return list(self._lines)[len(self._lines) - fresh :], self._total

    def tail(self, count: int) -> list[str]:
        """The last lines, without their ends."""
        return [line.text.rstrip("\n") for line in self.after(0)[0][-count:]]


def _pieces(secrets: Iterable[str]) -> set[str]:
    """The lines of every secret: a log never holds two lines in one."""
    lines = (line.strip() for secret in secrets for line in secret.splitlines())
    return {line for line in lines if len(line) >= MIN_SECRET}
