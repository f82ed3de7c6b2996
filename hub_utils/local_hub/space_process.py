"""One process of a Space, such as its app or its pip: ends when told, or when this Hub ends."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from . import space_guard

MAX_LINE = 8192  # bytes; a longer one is several lines of the log
END_S = space_guard.GRACE_S + 5


class SpaceProcess:
    """A running command whose output goes to `say`, line by line."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str],
        say: Callable[[str], None],
    ) -> None:
        theirs, ours = os.pipe()
        guard = [sys.executable, "-I", "-S", str(Path(space_guard.__file__).resolve())]
        try:
            self._process = subprocess.Popen(
                [*guard, *command],
                cwd=folder,
                env=dict(environment),
                stdin=theirs,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a terminal's Ctrl-C is for the Hub, which then ends us
            )
        except BaseException:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        self._lifeline, self._lock = ours, threading.Lock()
        self._reader = threading.Thread(target=self._read, args=(say,), daemon=True)
        self._reader.start()

    @property
    def code(self) -> int | None:
        """The exit code; None while it runs."""
        return self._process.poll()

    def wait(self) -> int:
        """The exit code, once it has ended and all that it said is in the log."""
        code = self._process.wait()
        self._reader.join(END_S)
        self.end()
        return code

    def end(self) -> None:
        """End it with all that it started; returns when nothing of it is left."""
        with self._lock:
            if self._lifeline >= 0:
                os.close(self._lifeline)
                self._lifeline = -1
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _read(self, say: Callable[[str], None]) -> None:
        stdout = self._process.stdout
        if stdout is None:
            return
        with stdout:
            while line := stdout.readline(MAX_LINE):
                say(line.decode("utf-8", "replace"))
