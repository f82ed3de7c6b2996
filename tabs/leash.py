"""Run a command that ends when its starter does.

    python -m tabs.leash COMMAND …        (standard input: a pipe that the starter holds open)

When the pipe closes (the starter closed it, ended, or was killed with `kill -9`), the command and
everything that it started get SIGTERM and, after a grace period, SIGKILL. When the command ends by
itself or is killed, what it left behind gets SIGTERM. The exit status is the
command's; 128 and the signal's number if a signal ended it.
Must be started as the leader of its own process group.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

GRACE_S = 5.0


def main(command: list[str]) -> int:
    """Run `command` until it ends or standard input does; return its exit status."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the group's signal is for the others
    released = threading.Event()
    threading.Thread(target=_end_with_stdin, args=(child, released), daemon=True).start()
    status = child.wait()
    if released.is_set():
        os.killpg(os.getpgrp(), signal.SIGKILL)  # whatever the command left behind, and this
    os.killpg(os.getpgrp(), signal.SIGTERM)  # workers of a command that was killed
    return status if status >= 0 else 128 - status


def _end_with_stdin(child: subprocess.Popen[bytes], released: threading.Event) -> None:
    # Not sys.stdin: a thread that waits inside its lock would abort the interpreter at its end.
    while os.read(0, 1):
        pass
    released.set()
    os.killpg(os.getpgrp(), signal.SIGTERM)
    try:
        child.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        child.kill()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
