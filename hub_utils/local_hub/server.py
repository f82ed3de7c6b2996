"""Run the embedded Hub: one process a root, on 127.0.0.1, until stopped or no longer used."""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import re
import secrets
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .durable import write_durably

if TYPE_CHECKING:
    from .state import HubState

USER = "lab"
_CHECK_SECONDS = 1.0
_TOKEN = re.compile(r"[\x21-\x7e]{8,200}")


class ServeError(Exception):
    """The Hub cannot start; the text says why and what to do."""


@dataclass(frozen=True)
class ServeOptions:
    """How to run; `max_bytes` bounds the large files together, a `port` of 0 lets the OS choose."""

    root: Path
    port: int = 0
    token: str | None = None
    while_used: bool = False
    seed: bool = True
    max_bytes: int | None = None


def build_parser() -> argparse.ArgumentParser:
    """The command line of `python -m hub_utils.local_hub`."""
    parser = argparse.ArgumentParser(
        prog="python -m hub_utils.local_hub",
        description="Serve the embedded Hub on 127.0.0.1. The first line of stdout is a JSON "
        "object with its endpoint and token.",
    )
    parser.add_argument("--port", type=int, default=0, help="0 (default) lets the system choose")
    parser.add_argument("--root", type=Path, required=True, help="folder that keeps everything")
    parser.add_argument("--token", help="use this token instead of a generated one")
    parser.add_argument(
        "--while-used", action="store_true", help="stop when no process holds ROOT/clients.lock"
    )
    parser.add_argument("--no-seed", action="store_true", help="start without models and data")
    parser.add_argument(
        "--max-bytes", type=int, metavar="N", help="keep at most N bytes of large files"
    )
    return parser


def serve(options: ServeOptions) -> None:
    """Serve until a signal, or until nobody uses the Hub.

    The first line is printed as soon as the port is ours, before the libraries are imported:
    requests that come earlier wait in the socket's queue.

    Raises:
        ServeError: another process serves this root, or the port is taken.
    """
    options.root.mkdir(parents=True, exist_ok=True)
    with _only_server(options.root), _listening(options.port) as listener:
        endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}"
        token = options.token or read_token(options.root)
        if not _TOKEN.fullmatch(token):
            raise ServeError("The token must be 8 to 200 printable characters without spaces.")
        _announce(options.root, endpoint, token)
        _run(options, endpoint, token, listener)


def read_token(root: Path) -> str:
    """The root's own token, made on first use and readable by its owner only."""
    path = root / "token"
    if not path.exists():
        write_durably(path, f"hf_local_{secrets.token_urlsafe(24)}\n".encode(), mode=0o600)
    return path.read_text("ascii").strip()


def _run(options: ServeOptions, endpoint: str, token: str, listener: socket.socket) -> None:
    import uvicorn

    from .app import build_app

    state = _state(options, endpoint, token)
    config = uvicorn.Config(
        build_app(state),
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,  # uvicorn's is up to a second old, too old for who reads logs
        timeout_keep_alive=75,
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(config)
    state.spaces.ending = lambda: server.should_exit
    if options.while_used:
        _when_unused(options.root, lambda: setattr(server, "should_exit", True))
    server.run(sockets=[listener])
    state.seeder.stop()
    state.store.close()


def _state(options: ServeOptions, endpoint: str, token: str) -> HubState:
    from .state import HubState
    from .store import Store

    store = Store(options.root, max_bytes=options.max_bytes)
    # From the token, so that upload links outlive a restart.
    key = hashlib.sha256(b"embedded Hub upload links\0" + token.encode()).digest()
    state = HubState(store=store, token=token, user=USER, endpoint=endpoint, signing_key=key)
    if options.seed:
        from .seed import Seeder

        seeder = Seeder(store)
        state.seeder = seeder
        seeder.start()
    return state


def _announce(root: Path, endpoint: str, token: str) -> None:
    facts = json.dumps({"endpoint": endpoint, "pid": os.getpid()})
    write_durably(root / "server.json", facts.encode())
    sys.stdout.write(json.dumps({"endpoint": endpoint, "token": token}) + "\n")
    sys.stdout.flush()


def _when_unused(root: Path, stop: Callable[[], None]) -> None:
    """The kernel drops a process's lock with the process, so a killed client counts as gone."""

    # Never closed: whoever comes while this server ends waits here until it has ended.
    clients = os.open(root / "clients.lock", os.O_RDWR | os.O_CREAT, 0o600)

    def watch() -> None:
        while True:
            time.sleep(_CHECK_SECONDS)
            try:
                fcntl.flock(clients, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            stop()
            return

    threading.Thread(target=watch, name="clients-watch", daemon=True).start()


@contextmanager
def _only_server(root: Path) -> Iterator[None]:
    with (root / "server.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ServeError(
                f"Another process already serves the Hub in {root}; its address is in "
                f"{root / 'server.json'}."
            ) from error
        yield


@contextmanager
def _listening(port: int) -> Iterator[socket.socket]:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError as error:
            raise ServeError(
                f"Port {port} is taken; choose another one, or --port 0 for any."
            ) from error
        listener.listen(512)
        yield listener
