"""Tell how a run goes: lines on stderr for people, progress.json for the page."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

FILE = "progress.json"
LINE_INTERVAL_S = 5.0
FILE_INTERVAL_S = 0.5
MAX_HISTORY = 400  # points; older ones are thinned


@dataclass
class Progress:
    """Progress of one run. `quiet` for the processes that are not the main one."""

    recipe: str
    folder: Path
    quiet: bool = False
    stream: TextIO | None = None  # None: stderr at the time of writing
    phase: str = "start"
    step: int = 0
    steps: int = 0
    loss: float | None = None
    seconds_left: float | None = None
    message: str = ""
    history: list[dict[str, float]] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)
    _next_line: float = 0.0
    _next_file: float = 0.0

    def say(self, phase: str, message: str) -> None:
        """Enter a phase; written at once."""
        self.phase, self.message = phase, message
        self._print(f"{phase}: {message}")
        self._write()

    def update(
        self, *, step: int, steps: int, loss: float | None, seconds_left: float | None, message: str
    ) -> None:
        """One step done. Written at most every FILE_INTERVAL_S, printed every LINE_INTERVAL_S."""
        self.step, self.steps, self.loss = step, steps, loss
        self.seconds_left, self.message = seconds_left, message
        now = time.monotonic()
        if now < self._next_file:
            return
        self._next_file = now + FILE_INTERVAL_S
        if loss is not None:
            self._remember(step, loss)
        self._write()
        if now >= self._next_line:
            self._next_line = now + LINE_INTERVAL_S
            left = "" if seconds_left is None else f", {seconds_left:.0f} s left"
            self._print(f"{self.phase}: step {step}/{steps}, {message}{left}")

    def _remember(self, step: int, loss: float) -> None:
        if self.history and step < self.history[-1]["step"]:
            self.history = []  # another part of the run counts its own steps, of its own loss
        self.history.append({"step": step, "loss": round(loss, 5)})
        if len(self.history) > MAX_HISTORY:
            self.history = self.history[::2]

    def _print(self, line: str) -> None:
        if not self.quiet:
            print(f"[{self.recipe}] {line}", file=self.stream or sys.stderr, flush=True)

    def _write(self) -> None:
        if self.quiet:
            return
        keys = ("recipe", "phase", "step", "steps", "loss", "seconds_left", "message", "history")
        state: dict[str, Any] = {key: getattr(self, key) for key in keys}
        state["seconds"] = round(time.monotonic() - self.started, 1)
        state["pid"] = os.getpid()
        # A full disk ends a training where it must save what it learned, not here.
        with contextlib.suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            partial = self.folder / f".{FILE}.{os.getpid()}"
            partial.write_text(json.dumps(state), "utf-8")
            partial.replace(self.folder / FILE)
