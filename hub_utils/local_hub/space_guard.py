"""Run a command for as long as somebody holds the other end of our standard input, no longer.

    python -I -S space_guard.py COMMAND [ARGUMENT…]

The embedded Hub starts every process of a Space through this one. Whatever becomes of the Hub, a
normal stop or `kill -9`, the kernel closes its end of the pipe, and this ends the command with
all that it started. It stands alone: only the standard library, so that it starts in a moment.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

GRACE_S = 3.0  # for the command to end by itself
_DEATH_SIGNAL, _CHILD_SUBREAPER = 1, 36  # of prctl(2)


def main() -> int:
    """The command's exit code; 128 and the signal's number if a signal ended it."""
    # A handler, not SIG_IGN: what is ignored stays ignored in the command.
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.signal(signal.SIGINT, lambda *_: None)
    _prctl(_CHILD_SUBREAPER, 1)  # what the command leaves behind becomes our child
    command = subprocess.Popen(
        sys.argv[1:],
        stdin=subprocess.DEVNULL,
        preexec_fn=_in_own_group,  # safe: there is one thread as yet
    )
    threading.Thread(target=_end_when_let_go, args=(command,), daemon=True).start()
    code = command.wait()
    _kill_rest(command.pid)
    return code if code >= 0 else 128 - code


def _in_own_group() -> None:
    os.setpgid(0, 0)
    _prctl(_DEATH_SIGNAL, signal.SIGKILL)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _end_when_let_go(command: subprocess.Popen[bytes]) -> None:
    while os.read(0, 64):
        pass
    _signal(command.pid, signal.SIGTERM)
    try:
        command.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        _signal(command.pid, signal.SIGKILL)


def _signal(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _kill_rest(group: int) -> None:
    """What is left of the command's group, and what left the group but is orphaned now."""
    _signal(group, signal.SIGKILL)
    while orphans := _children():
        for pid in orphans:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _children() -> list[int]:
    lists = Path("/proc/self/task").glob("*/children")
    return [int(pid) for path in lists for pid in path.read_text("ascii").split()]


if __name__ == "__main__":
    sys.exit(main())
