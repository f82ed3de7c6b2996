"""Published models and a deployed Space, once for the folder's tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.conftest import ROOT, HubServer
from tests.tabs.lab import publish, publish_index, tiny_classifier, tiny_generator

MODEL, TALE, INDEX = "space-classifier", "space-tale", "space-index"
# As the Space's variable has it; what its pictures tabs serve is not published: they wait.
SERVED = f"classify={MODEL},generate={TALE},match=no-clip,paint=no-painter,search={INDEX}"


@pytest.fixture(scope="session")
def model(hub, tmp_path_factory):
    """The id of a tiny published classifier."""
    folder = tiny_classifier(tmp_path_factory.mktemp("classifier"))
    publish(hub, folder, MODEL)
    return f"lab/{MODEL}"


@pytest.fixture(scope="session")
def tale(hub, tmp_path_factory):
    """The id of a tiny published language model."""
    publish(hub, tiny_generator(tmp_path_factory.mktemp("generator")), TALE)
    return f"lab/{TALE}"


@pytest.fixture(scope="session")
def passages(hub, tmp_path_factory):
    """The id of a tiny published index."""
    publish_index(hub, tmp_path_factory.mktemp("index"), INDEX)
    return f"lab/{INDEX}"


@pytest.fixture(scope="session")
def deploy(hub_server: HubServer, model: str, tale: str, passages: str) -> Callable[..., dict]:
    """Runs `python -m hub_utils deploy spaces/lab`; gives its last line and keeps all it printed."""

    def run(*options: str, code: int = 0, bundle: str = "lab", **environment: str) -> dict:
        done = subprocess.run(
            [sys.executable, "-m", "hub_utils", "deploy", f"spaces/{bundle}", *options],
            cwd=ROOT,
            env={**os.environ, "LAB_MODELS": SERVED, **environment},
            capture_output=True,
            text=True,
        )
        assert done.returncode == code, done.stderr
        said = json.loads(done.stdout.splitlines()[-1]) if code == 0 else {}
        return {**said, "printed": done.stdout + done.stderr}

    return run


@pytest.fixture(scope="session")
def space(deploy) -> dict:
    """The deployed Space: url, revision."""
    return deploy("--name", "lab-space")


@contextmanager
def run_space(hub, name: str) -> Iterator[subprocess.Popen[str]]:
    """`python -m hub_utils run-space` in a process of its own; the Space is paused at the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "hub_utils", "run-space", name],
        cwd=ROOT, env=dict(os.environ), stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        hub.api.pause_space(name)
