"""What a machine may do to a process: a disk that is full, a clock that jumps."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

# What Python sees as the time is moved by the number in a file, which may change at any moment.
MOVED = """
import os, time

def moved(clock, unit):
    def now():
        with open(os.environ["TEST_CLOCK"]) as file:
            return clock() + type(clock())(float(file.read()) * unit)
    return now

time.time, time.time_ns = moved(time.time, 1), moved(time.time_ns, 10**9)
"""


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """Inside, this process may write no file above `size` bytes: the system refuses, as if full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@dataclass(frozen=True)
class Clock:
    """The clock of the processes that are started with `environment`."""

    folder: Path

    def __post_init__(self) -> None:
        self.folder.mkdir()
        (self.folder / "sitecustomize.py").write_text(MOVED, "utf-8")
        self.move(0)

    def move(self, seconds: float) -> None:
        """Let it differ by so much from the machine's."""
        partial = self.folder / "offset.partial"
        partial.write_text(str(seconds), "utf-8")
        partial.replace(self.folder / "offset")

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to go by it."""
        path = os.pathsep.join(filter(None, [str(self.folder), os.environ.get("PYTHONPATH")]))
        return {"PYTHONPATH": path, "TEST_CLOCK": str(self.folder / "offset")}
