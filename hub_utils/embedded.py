"""The embedded Hub's life, seen from a client: reuse the server that runs, or start one.

The folder of the Hub (`root`) holds what the processes agree by:

    clients.lock   held shared by each client while it lives; the server ends when nobody does
    start.lock     held while looking for a server or starting one, so that two clients start one
    server.json    written by the server: its endpoint and process
    token          written by the server, readable by its owner only
    last.json      the endpoint used last, so that a restarted server is found where the old one was

The kernel drops a lock with its process: a client that is killed leaves no server behind.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from hub_utils.atomic import read_json, write_json
from hub_utils.errors import HubUnavailableError

START_TIMEOUT_S = 60.0
PROBE_TIMEOUT_S = 5.0
ENDING_POLL_S = 0.2

# What this process holds for its whole life, by root: the lock that keeps the server alive ...
_held: dict[Path, int] = {}
# ... and the servers that it started, so that an ended one is reaped.
_started: list[subprocess.Popen[bytes]] = []
_guard = threading.RLock()


@dataclass(frozen=True)
class Server:
    """A running embedded Hub."""

    endpoint: str
    token: str = field(repr=False)
    user: str


def use(root: Path) -> Server:
    """The server of `root`: the one that runs, or a new one. Keeps it alive with this process.

    Raises HubUnavailableError with the server's own last words when none can be started.
    """
    root = root.resolve()
    root.mkdir(parents=True, exist_ok=True)
    with _guard:
        _hold(root)
        with _locked(root / "start.lock"):
            server = running(root) or _start(root)
        write_json(root / "last.json", {"endpoint": server.endpoint})
        return server


def running(root: Path, *, timeout_s: float = PROBE_TIMEOUT_S) -> Server | None:
    """The server recorded in `root`, if it lives and answers."""
    record = read_json(root / "server.json")
    endpoint, pid = record.get("endpoint"), record.get("pid")
    if not isinstance(endpoint, str) or not isinstance(pid, int) or not _alive(pid):
        return None
    try:
        token = (root / "token").read_text("ascii").strip()
    except OSError:
        return None
    user = _whoami(endpoint, token, timeout_s)
    return Server(endpoint, token, user) if user else None


def last_endpoint(root: Path) -> str | None:
    """Where the server of `root` was when a client used it last."""
    endpoint = read_json(root / "last.json").get("endpoint")
    return endpoint if isinstance(endpoint, str) else None


def _hold(root: Path) -> None:
    if root not in _held:
        _held[root] = _open_locked(root / "clients.lock", shared=True)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = _open_locked(path, shared=False)
    try:
        yield
    finally:
        os.close(descriptor)


def _open_locked(path: Path, *, shared: bool) -> int:
    import fcntl

    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
    return descriptor


def _alive(pid: int) -> bool:
    for process in _started:
        process.poll()
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _whoami(endpoint: str, token: str, timeout_s: float) -> str | None:
    # No proxy and no huggingface_hub: this runs before its environment is decided.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(  # noqa: S310 - the address comes from our own 0600 folder
        f"{endpoint}/api/whoami-v2", headers={"Authorization": f"Bearer {token}"}
    )
    try:
        with opener.open(request, timeout=timeout_s) as response:
            name = json.load(response).get("name")
    except (OSError, ValueError, AttributeError):
        return None
    return name if isinstance(name, str) else None


def _start(root: Path) -> Server:
    """Start a server, on the port used last if that is free. The caller holds start.lock."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        for port in _ports(root):
            process = _launch(root, port=port, deadline=deadline)
            if process:
                return _answering(root, process, deadline)
        if not _is_ending(root):
            break
    raise _failure(root)


def _answering(root: Path, process: subprocess.Popen[bytes], deadline: float) -> Server:
    """The server that `process` announced; it answers when it has loaded what it needs."""
    server = running(root, timeout_s=max(1.0, deadline - time.monotonic()))
    if server is None:
        process.kill()
        process.wait()
        raise _failure(root)
    return server


def _failure(root: Path) -> HubUnavailableError:
    return HubUnavailableError(
        f"The embedded Hub in {root} did not start: {_last_words(root)}",
        hint="Set HF_TOKEN to use the real Hub, or LAB_HUB_ROOT to another folder.",
    )


def _ports(root: Path) -> list[int]:
    last = last_endpoint(root)
    return list(dict.fromkeys([urlsplit(last).port or 0, 0])) if last else [0]


def _is_ending(root: Path) -> bool:
    """Whether a server that no longer answers still holds the folder; waits a moment for it."""
    pid = read_json(root / "server.json").get("pid")
    if not isinstance(pid, int) or not _alive(pid):
        return False
    threading.Event().wait(ENDING_POLL_S)
    return True


def _launch(root: Path, *, port: int, deadline: float) -> subprocess.Popen[bytes] | None:
    """One try: the process if it announced itself on its first line, None if it ended instead."""
    package_parent = str(Path(__file__).parents[1])
    command = [sys.executable, "-m", "hub_utils.local_hub"]
    command += ["--port", str(port), "--root", str(root), "--while-used"]
    environment = {**os.environ, "PYTHONPATH": package_parent}
    with (root / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment,
            cwd=root,
            start_new_session=True,  # Ctrl-C in the app's terminal must not end it mid-commit
        )
    _started.append(process)
    line = _first_line(process.stdout, deadline) if process.stdout else b""
    if line.endswith(b"\n"):
        return process
    process.kill()
    process.wait()
    return None


def _first_line(stdout: IO[bytes], deadline: float) -> bytes:
    line = b""
    with stdout as stream, selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while not line.endswith(b"\n"):
            if not selector.select(timeout=max(0.0, deadline - time.monotonic())):
                break
            chunk = os.read(stream.fileno(), 4096)
            if not chunk:
                break
            line += chunk
    return line


def _last_words(root: Path) -> str:
    try:
        lines = (root / "server.log").read_text("utf-8", errors="replace").split("\n")
    except OSError:
        return "it said nothing."
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing.")
