"""How many calls a client may make: so many a minute, on average, and as many at once."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

CLIENTS = 4096  # that are remembered; the one that called longest ago is forgotten first
MINUTE_S = 60.0


class RateLimit:
    """Counts down a client's calls; they come back evenly over a minute."""

    def __init__(self, per_minute: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        """0 lets everybody through."""
        self.per_minute, self._clock = per_minute, clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # calls left, when
        self._lock = threading.Lock()

    def wait(self, client: str) -> float:
        """Take one call of `client`: 0.0, or how many seconds until there is one again."""
        if not self.per_minute:
            return 0.0
        rate = self.per_minute / MINUTE_S
        with self._lock:
            now = self._clock()
            left, before = self._left.pop(client, (float(self.per_minute), now))
            left = min(float(self.per_minute), left + (now - before) * rate)
            taken = left > 1 - 1e-6  # what came back in parts may lack a rounding
            self._left[client] = (left - 1 if taken else left, now)
            if len(self._left) > CLIENTS:
                self._left.popitem(last=False)
        return 0.0 if taken else (1 - left) / rate
