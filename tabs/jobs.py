"""Work that the page starts: one thing at a time, each in a process that cannot outlive the app.

A job is a command on a leash (tabs/leash.py). Its progress is read from the progress.json that it
may write into its folder; its result is the last line of its standard output, and why it failed the
last line of its standard error.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from hub_utils.errors import LabError

Status = Literal["idle", "queued", "running", "finished", "failed", "stopped"]
ROOT = Path(__file__).resolve().parent.parent
LOG_LINES = 12
KILLED = 128 + signal.SIGKILL  # the leash's status where its command was killed
STOP_S = 10.0  # the leash kills after 5


@dataclass(frozen=True)
class Progress:
    """What a job last said about itself."""

    phase: str = ""
    step: int = 0
    steps: int = 0
    loss: float | None = None
    seconds: float = 0.0
    seconds_left: float | None = None
    message: str = ""
    history: tuple[tuple[float, float], ...] = ()  # (step, loss)

    @property
    def fraction(self) -> float:
        """Share of the work done, 0 to 1: of the time where it is planned, else of the steps."""
        if self.seconds_left is not None and self.seconds:
            return self.seconds / (self.seconds + self.seconds_left)
        return min(1.0, self.step / self.steps) if self.steps else 0.0


@dataclass(frozen=True)
class JobState:
    """A snapshot of a job."""

    name: str
    status: Status = "idle"
    progress: Progress = field(default_factory=Progress)
    log: tuple[str, ...] = ()
    problem: str = ""  # a sentence, when it failed
    result: Mapping[str, Any] = field(default_factory=dict)
    title: str = ""  # what a reader calls it, if not by its name

    @property
    def active(self) -> bool:
        """Whether it is running or waits for its turn."""
        return self.status in ("queued", "running")

    @property
    def kept_back(self) -> bool:
        """Whether what it made was not published, since what is published is better."""
        return self.status == "finished" and self.result.get("revision", "") is None


@dataclass(frozen=True)
class Order:
    """What is to be done."""

    name: str  # of the job and of its folder; one of a name runs or waits at a time
    command: tuple[str, ...]
    title: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)  # on top of the app's
    leaves: Path | None = None  # a folder that is removed when the job has ended
    soon: bool = False  # before others that wait


@dataclass
class _Job:
    order: Order
    status: Status = "queued"
    problem: str = ""
    result: Mapping[str, Any] = field(default_factory=dict)

    @property
    def waits(self) -> bool:
        return self.status == "queued"


class Jobs:
    """Starts, watches and stops jobs. Safe to use from several threads."""

    what = "The work"  # on {name}, in sentences

    def __init__(self, runs: Path) -> None:
        """Keep logs and the jobs' folders under `runs`."""
        self._runs = runs
        self._lock = threading.Lock()
        self._jobs: dict[str, _Job] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._worker: threading.Thread | None = None
        self._closed = False

    def order(self, order: Order) -> None:
        """Queue a job; LabError when one of its name already runs or waits."""
        with self._lock:
            if self._closed:
                raise LabError("The app is shutting down; nothing new is started.")
            if (job := self._jobs.get(order.name)) and job.status in ("queued", "running"):
                raise LabError(
                    f"{self.what} of {order.title or order.name} already runs; stop it first."
                )
            self._jobs.pop(order.name, None)
            self._jobs[order.name] = _Job(order)  # the newest is last
            if order.soon:  # others that wait go behind it
                for name in [n for n, j in self._jobs.items() if j.waits and not j.order.soon]:
                    self._jobs[name] = self._jobs.pop(name)
            if self._worker is None or not self._worker.is_alive():
                self._worker = threading.Thread(target=self._work, name="jobs", daemon=True)
                self._worker.start()

    def stop(self) -> None:
        """Stop what runs and forget what waits; returns when the process is gone."""
        with self._lock:
            for job in self._jobs.values():
                if job.waits:
                    _remove(job.order.leaves)
                if job.status in ("queued", "running"):
                    job.status = "stopped"
            process = self._process
        if process is not None:
            _release(process)

    def close(self) -> None:
        """Stop everything for good."""
        with self._lock:
            self._closed = True
        self.stop()

    def state(self, name: str) -> JobState:
        """How the latest job of that name stands."""
        with self._lock:
            job = self._jobs.get(name)
            if job is None:
                return JobState(name)
            status, problem, result = job.status, job.problem, job.result
        title = job.order.title
        if status == "queued":
            return JobState(name, status, title=title)
        progress = _read_progress(self.output_dir(name) / "progress.json")
        log = _tail(self._runs / f"{name}.log")
        return JobState(name, status, progress, log, problem, result, title)

    def all(self) -> tuple[JobState, ...]:
        """The latest job of every name, whatever became of it, in the order of their turns."""
        with self._lock:
            names = list(self._jobs)
        return tuple(self.state(name) for name in names)

    def output_dir(self, name: str) -> Path:
        """Where a job puts what it makes and its progress."""
        return self._runs / name

    def _work(self) -> None:
        while (job := self._next()) is not None:
            self._try(job)

    def _try(self, job: _Job) -> None:
        try:
            self._run(job)
        except OSError as error:  # a full disk, say
            with self._lock:
                job.status, job.problem = "failed", f"{self.what} did not start: {error}."
        finally:
            _remove(job.order.leaves)

    def _next(self) -> _Job | None:
        with self._lock:
            job = next((job for job in self._jobs.values() if job.waits), None)
            if job is None or self._closed:
                self._worker = None  # under the lock: order() then makes a new one
                return None
            return job

    def _run(self, job: _Job) -> None:
        order, output = job.order, self.output_dir(job.order.name)
        output.mkdir(parents=True, exist_ok=True)
        (output / "progress.json").unlink(missing_ok=True)
        log, out = self._runs / f"{order.name}.log", self._runs / f"{order.name}.out"
        with log.open("wb") as stderr, out.open("wb") as stdout:
            with self._lock:
                if not job.waits:
                    return
                self._process = process = subprocess.Popen(
                    [sys.executable, "-m", "tabs.leash", *order.command],
                    stdin=subprocess.PIPE,
                    stdout=stdout,
                    stderr=stderr,
                    cwd=ROOT,
                    env={**os.environ, **order.environment},
                    start_new_session=True,
                )
                job.status = "running"
            with process:  # closes the pipe, too
                code = process.wait()
        self._finish(job, code, log=log, out=out)

    def _finish(self, job: _Job, code: int, *, log: Path, out: Path) -> None:
        with self._lock:
            self._process = None
            if job.status == "stopped":
                return
            job.status = "failed" if code else "finished"
            job.result = {} if code else _last_json(out)
            job.problem = _sentence(log, code, self.what) if code else ""


def _remove(folder: Path | None) -> None:
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)


def _release(process: subprocess.Popen[bytes]) -> None:
    if process.stdin:
        process.stdin.close()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()


def _read_progress(path: Path) -> Progress:
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError):
        return Progress()
    known = {key: said[key] for key in Progress.__dataclass_fields__ if said.get(key) is not None}
    known["history"] = tuple((point["step"], point["loss"]) for point in said.get("history") or ())
    return Progress(**known)


def _tail(path: Path) -> tuple[str, ...]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ()
    return tuple(line for line in text.replace("\r", "\n").splitlines() if line.strip())[
        -LOG_LINES:
    ]


def _last_json(path: Path) -> Mapping[str, Any]:
    for line in reversed(_tail(path)):
        try:
            found = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(found, dict):
            return found
    return {}


def _sentence(log: Path, code: int, what: str) -> str:
    if code == KILLED:  # what it said last is how it went, not why it ended
        return (
            f"{what} was killed (signal 9), which a system does when its "
            "memory is full. Close other programs or choose a smaller preset, and start it again."
        )
    lines = _tail(log)
    return (
        lines[-1].removeprefix("error: ")
        if lines
        else f"{what} ended with status {code} and said nothing."
    )
