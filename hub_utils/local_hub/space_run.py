"""One life of a Space: build, start, answer, end. A thread of its own walks it."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .errors import HubError
from .records import RepoKey, SpaceFacts
from .repo_settings import SpaceSettings
from .space_build import BuildError, Built, SpaceFolders, build
from .space_log import SpaceLog
from .space_process import SpaceProcess
from .store import Store

STARTUP_S = 30 * 60.0  # the real Hub's default for startup_duration_timeout
_PROBE_S = 0.1
_KEPT = ("LANG", "LC_ALL", "TZ")  # of the Hub's own environment
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunOrder:
    """What is to be run and what its processes may know."""

    key: RepoKey
    endpoint: str  # of this Hub
    settings: SpaceSettings
    secrets: Mapping[str, str] = field(repr=False)  # by name, with their values
    masked: Sequence[str] = field(repr=False, default=())  # what no log may show besides


class SpaceRun:
    """A Space being built or run. `facts` is how it stands, `end` ends it."""

    def __init__(self, order: RunOrder, *, store: Store, startup_s: float = STARTUP_S) -> None:
        self._order, self._store, self._startup_s = order, store, startup_s
        self._folders = SpaceFolders.of(store.root, order.key)
        masked = [*order.secrets.values(), *order.masked]
        self.build_log, self.run_log = SpaceLog(masked), SpaceLog(masked)
        self.facts = SpaceFacts("BUILDING")
        self._process: SpaceProcess | None = None
        self._ended = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._live, name=f"space {order.key.id}")
        self._thread.daemon = True

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def end(self) -> None:
        """End every process of it; returns when none is left."""
        with self._lock:
            self._ended = True
            process = self._process
        if process:
            process.end()
        self._thread.join()

    def _live(self) -> None:
        try:
            built = self._build()
            if built:
                self._run(built)
        except Exception as error:
            _log.exception("the Space %s cannot be run", self._order.key.id)
            self._fail("RUNTIME_ERROR", f"The Hub could not run it: {type(error).__name__}.")
        finally:
            self.build_log.close()
            self.run_log.close()

    def _build(self) -> Built | None:
        say = self.build_log.say
        for name in self._order.settings.secrets:
            if name not in self._order.secrets:
                say(f"The secret {name} has no value since the Hub started anew: set it again")
        try:
            return build(
                self._store, self._order.key, self._folders, say=say, install=self._install
            )
        except (BuildError, HubError, OSError) as error:
            message = (isinstance(error, OSError) and error.strerror) or str(error)
            say(message)
            self._fail("BUILD_ERROR", message)
            return None
        finally:
            self.build_log.close()

    def _install(self, command: list[str], environment: Mapping[str, str]) -> int:
        process = self._start(command, environment, self.build_log)
        return process.wait() if process else 1

    def _run(self, built: Built) -> None:
        port = _free_port()
        environment = space_environment(self._order, self._folders, port=port)
        self.facts = SpaceFacts("APP_STARTING", revision=built.revision)
        command = [str(self._folders.python), built.app_file]
        process = self._start(command, environment, self.run_log)
        if process is None:
            self._fail("STOPPED", "")
            return
        if self._comes_up(process, port):
            url = f"http://127.0.0.1:{port}"
            self.facts = SpaceFacts("RUNNING", url=url, revision=built.revision)
        code = process.wait()
        if self.facts.stage in ("RUNNING", "APP_STARTING"):
            self._fail("RUNTIME_ERROR", _last_word(code))

    def _comes_up(self, process: SpaceProcess, port: int) -> bool:
        deadline = time.monotonic() + self._startup_s
        while process.code is None:
            if _answers(port):
                return True
            if time.monotonic() > deadline:
                self._fail(
                    "RUNTIME_ERROR",
                    f"The app did not open port {port} (GRADIO_SERVER_PORT) within "
                    f"{self._startup_s:.0f} s.",
                )
                process.end()
                return False
            time.sleep(_PROBE_S)
        return False

    def _start(
        self, command: list[str], environment: Mapping[str, str], log: SpaceLog
    ) -> SpaceProcess | None:
        """A process, unless the Space was ended meanwhile."""
        with self._lock:
            if self._ended:
                return None
            self._process = SpaceProcess(
                command, folder=self._folders.app, environment=environment, say=log.say
            )
            return self._process

    def _fail(self, stage: str, message: str) -> None:
        if self._ended:
            self.facts = SpaceFacts("STOPPED")
        else:
            self.facts = SpaceFacts(stage, message=message, revision=self.facts.revision)


def _last_word(code: int) -> str:
    if code > 128:
        return (
            f"The app was killed (signal {code - 128}); a system does so when its memory is full."
        )
    return f"The app ended with exit code {code}."


def space_environment(order: RunOrder, folders: SpaceFolders, *, port: int) -> dict[str, str]:
    """All that a Space's process sees: its variables and secrets, and what a Space is told.

    Of the Hub's own environment only the language and the time zone go along.
    """
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    variables = {name: _value(item) for name, item in order.settings.variables.items()}
    told = {
        "PATH": f"{folders.python.parent}{os.pathsep}{os.defpath}",
        "HOME": str(folders.home),
        "TMPDIR": str(folders.home / "tmp"),
        "HF_HOME": str(folders.home / "huggingface"),
        "HF_ENDPOINT": order.endpoint,
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "GRADIO_ANALYTICS_ENABLED": "False",
        "GRADIO_SERVER_NAME": "127.0.0.1",
        "GRADIO_SERVER_PORT": str(port),
        "GRADIO_TEMP_DIR": str(folders.home / "tmp" / "gradio"),
        "SPACE_ID": order.key.id,
        "SPACE_AUTHOR_NAME": order.key.namespace,
        "SPACE_REPO_NAME": order.key.name,
        "SPACE_HOST": f"127.0.0.1:{port}",
        "NO_PROXY": "127.0.0.1,localhost",
        "PYTHONUNBUFFERED": "1",
        "PYTHONNOUSERSITE": "1",
    }
    return {**kept, **variables, **order.secrets, **told}


def _value(item: Mapping[str, Any]) -> str:
    return str(item.get("value") or "")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False
