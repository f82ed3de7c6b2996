"""What the page's calls did, for three readers: Prometheus, the log and the Status tab.

A call is one that went through the queue. Nothing that a user wrote and nothing that names a user
is counted or logged: an endpoint, how it ended, how long it waited and how long it took.
"""

from __future__ import annotations

import json
import logging
import statistics
import sys
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Literal

# ok; refused: a sentence about what was given; failed: our fault; left: the client went away;
# busy: too many calls wait; limited: this client made too many.
Outcome = Literal["ok", "refused", "failed", "left", "busy", "limited"]
SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
RECENT = 500  # calls of an endpoint that the percentiles are of
log = logging.getLogger("lab.calls")  # a JSON line a call, see `log_calls`


@dataclass
class Call:
    """A call in progress; whoever handles it may say how it ended."""

    endpoint: str
    waited: float = 0.0  # seconds in the queue
    outcome: Outcome = "ok"
    began: float = field(default_factory=time.perf_counter)


@dataclass(frozen=True)
class Figures:
    """What the Status tab shows of an endpoint."""

    endpoint: str
    calls: int
    outcomes: Mapping[str, int]
    p50: float  # seconds at work, of the newest calls that were answered
    p95: float
    waited_p95: float  # seconds in the queue


@dataclass
class _Recent:
    """The newest answered calls of an endpoint, in seconds."""

    worked: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT))
    waited: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT))


_CURRENT: ContextVar[Call | None] = ContextVar("call", default=None)


def ended(outcome: Outcome) -> None:
    """Say how the call that this code works for ends, if it works for one."""
    if call := _CURRENT.get():
        call.outcome = outcome


class Telemetry:
    """Counts the calls of one app. Any thread may use it."""

    def __init__(self, waiting: Callable[[], Mapping[str, int]] = dict) -> None:
        """`waiting` says how many calls wait now, by what they wait for."""
        from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector

        self.waiting = waiting
        self._started = time.monotonic()
        self._outcomes: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        self._recent: dict[str, _Recent] = defaultdict(_Recent)
        self._lock = threading.Lock()
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        registry, endpoint = self._registry, ["endpoint"]
        self._calls = Counter(
            "lab_calls", "Calls that ended.", ["endpoint", "outcome"], registry=registry
        )
        self._worked = Histogram(
            "lab_call_seconds", "Work on a call.", endpoint, buckets=SECONDS, registry=registry
        )
        self._waited = Histogram(
            "lab_call_wait_seconds", "In the queue.", endpoint, buckets=SECONDS, registry=registry
        )
        self._add_gauges()

    @property
    def uptime(self) -> float:
        """Seconds since the app was made."""
        return time.monotonic() - self._started

    @contextmanager
    def watching(self, call: Call) -> Iterator[Call]:
        """Work on `call`; it is counted when that ends."""
        token = _CURRENT.set(call)
        try:
            yield call
        finally:
            _CURRENT.reset(token)
            self.count(call)

    def count(self, call: Call) -> None:
        """Count a call that ended, and write its line."""
        worked = time.perf_counter() - call.began
        with self._lock:
            self._outcomes[call.endpoint][call.outcome] += 1
            if call.outcome == "ok":
                self._recent[call.endpoint].worked.append(worked)
                self._recent[call.endpoint].waited.append(call.waited)
        self._calls.labels(call.endpoint, call.outcome).inc()
        if call.outcome not in ("busy", "limited"):
            self._worked.labels(call.endpoint).observe(worked)
            self._waited.labels(call.endpoint).observe(call.waited)
        line = {
            "time": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
            "endpoint": call.endpoint,
            "outcome": call.outcome,
            "seconds": round(worked, 4),
            "wait_seconds": round(call.waited, 4),
        }
        log.info("%s", json.dumps(line))

    def figures(self) -> list[Figures]:
        """Every endpoint that was called, by name."""
        with self._lock:
            return [self._figures(name) for name in sorted(self._outcomes)]

    def exposition(self) -> tuple[bytes, str]:
        """What Prometheus reads, and its content type."""
        from prometheus_client import generate_latest
        from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

        return generate_latest(self._registry), CONTENT_TYPE_PLAIN_0_0_4

    def _figures(self, name: str) -> Figures:
        outcomes, recent = dict(self._outcomes[name]), self._recent[name]
        return Figures(
            name,
            sum(outcomes.values()),
            outcomes,
            percentile(recent.worked, 50),
            percentile(recent.worked, 95),
            percentile(recent.waited, 95),
        )

    def _add_gauges(self) -> None:
        from prometheus_client import Gauge
        from prometheus_client.core import GaugeMetricFamily
        from prometheus_client.registry import Collector

        telemetry = self

        class Waiting(Collector):
            """Asked when somebody reads, so that no gauge can be stale."""

            def collect(self) -> Iterator[GaugeMetricFamily]:
                family = GaugeMetricFamily("lab_calls_waiting", "Calls that wait.", labels=["for"])
                for name, calls in telemetry.waiting().items():
                    family.add_metric([name], calls)
                yield family

        self._registry.register(Waiting())
        uptime = Gauge("lab_uptime_seconds", "Since the app was made.", registry=self._registry)
        uptime.set_function(lambda: self.uptime)


def percentile(seconds: deque[float], percent: int) -> float:
    """The `percent`-th percentile; 0.0 of nothing."""
    if len(seconds) < 2:
        return seconds[0] if seconds else 0.0
    return statistics.quantiles(seconds, n=100, method="inclusive")[percent - 1]


def log_calls() -> None:
    """From now on, write the line of every call to standard error."""
    if not log.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(message)s"))
        log.addHandler(handler)
    log.propagate = False
    log.setLevel(logging.INFO)
