"""What every test stands on: an environment of its own and one embedded Hub for the session.

The Hub's address is chosen before anything imports huggingface_hub, so that in this process every
library's default is the session's Hub: `hub_server` starts it there on first use, `hub` is a client
of it. Nothing of the developer's environment (token, cache, settings) reaches a test, and no test
reaches beyond this machine, except with --real-hub.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from hub_utils.connection import Hub

ROOT = Path(__file__).parents[1]
TOKEN = "hf_session_token_of_the_tests"
THROWAWAY = f"lab-test-{uuid.uuid4().hex[:8]}-"  # prefix of what a run makes on the real Hub
_OWN = ("LAB_", "HF_", "HUGGING", "TRANSFORMERS_", "GRADIO_", "CHROMA_")
_KEPT = ("LAB_TEST_TOKEN",)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _own_environment(home: Path) -> None:
    for name in [name for name in os.environ if name.startswith(_OWN) and name not in _KEPT]:
        del os.environ[name]
    os.environ.update(
        HF_ENDPOINT=f"http://127.0.0.1:{_free_port()}",
        HF_TOKEN=TOKEN,
        HF_HOME=str(home / "hf"),
        HF_HUB_DISABLE_XET="1",
        HF_HUB_DISABLE_TELEMETRY="1",
        HF_HUB_DISABLE_PROGRESS_BARS="1",
        GRADIO_ANALYTICS_ENABLED="False",
        LAB_HUB_ROOT=str(home / "unused"),
        COLUMNS="80",  # help texts wrap the same everywhere
        TOKENIZERS_PARALLELISM="false",
        # Threads that wait for work leave the cores to the other worker: a quarter of the suite's time.
        OMP_WAIT_POLICY="PASSIVE",
        NO_PROXY="127.0.0.1,localhost",
        no_proxy="127.0.0.1,localhost",
    )


_HOME = Path(tempfile.mkdtemp(prefix="lab-tests-"))
_own_environment(_HOME)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --real-hub."""
    parser.addoption(
        "--real-hub",
        action="store_true",
        help="run the real_hub tests against the real Hub, with the token in LAB_TEST_TOKEN",
    )


@pytest.hookimpl(trylast=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let tests talk to this machine only."""
    if not item.config.getoption("--real-hub"):
        from pytest_socket import socket_allow_hosts

        socket_allow_hosts(["127.0.0.1", "::1"], allow_unix_socket=True)


def pytest_unconfigure() -> None:
    """Leave nothing behind."""
    shutil.rmtree(_HOME, ignore_errors=True)


@dataclass(frozen=True)
class HubServer:
    """A running embedded Hub."""

    endpoint: str
    token: str
    root: Path
    process: subprocess.Popen[str]

    def stop(self) -> None:
        """End it and wait until it has ended."""
        self.process.kill()
        self.process.wait(timeout=30)


def start_hub(root: Path, *options: str, port: int = 0) -> HubServer:
    """Start `python -m hub_utils.local_hub` in `root` and return once it answers. Stop it yourself."""
    command = [sys.executable, "-m", "hub_utils.local_hub", "--root", str(root)]
    root.mkdir(parents=True, exist_ok=True)
    with (root / "stderr.txt").open("wb") as errors:
        process = subprocess.Popen(
            [*command, "--port", str(port), *options],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, (root / "stderr.txt").read_text()
    facts = json.loads(line)
    return HubServer(facts["endpoint"], facts["token"], root, process)


@pytest.fixture(scope="session")
def hub_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    """The session's embedded Hub, without seeds, at the address that this process was given."""
    port = int(os.environ["HF_ENDPOINT"].rsplit(":", 1)[1])
    root = tmp_path_factory.mktemp("hub")
    server = start_hub(root, "--no-seed", "--token", TOKEN, port=port)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def hub(hub_server: HubServer) -> Hub:
    """A client of the session's Hub, as `connect` returns it."""
    from hub_utils.connection import Hub

    return Hub(
        endpoint=hub_server.endpoint,
        token=hub_server.token,
        namespace="lab",
        embedded=False,
        cache=_HOME / "hf" / "hub",
    )


@pytest.fixture(scope="session")
def any_hub(request: pytest.FixtureRequest) -> Iterator[Hub]:
    """The embedded Hub; with --real-hub the real one, where what a test makes is removed at the end.

    Give repositories names from `any_name`. Mark the test `real_hub`.
    """
    if not request.config.getoption("--real-hub"):
        yield request.getfixturevalue("hub")
        return
    token = os.environ.get("LAB_TEST_TOKEN", "")
    if not token:
        pytest.skip("LAB_TEST_TOKEN is not set: give it a write token of the real Hub to run this")
    hub = _real_hub(token)
    yield hub
    _remove_made(hub)


@pytest.fixture
def any_name(any_hub: Hub) -> Callable[[str], str]:
    """Names for repositories on `any_hub` that are nobody's and that the end of the run removes."""
    return lambda name: f"{THROWAWAY}{name}"


def _real_hub(token: str) -> Hub:
    from huggingface_hub import HfApi

    from hub_utils.connection import REAL_ENDPOINT, Hub

    name = HfApi(endpoint=REAL_ENDPOINT, token=token).whoami()["name"]
    return Hub(REAL_ENDPOINT, token, namespace=name, embedded=False, cache=_HOME / "real" / "hub")


def _remove_made(hub: Hub) -> None:
    lists = {
        "model": hub.api.list_models,
        "dataset": hub.api.list_datasets,
        "space": hub.api.list_spaces,
    }
    for type, listing in lists.items():
        for item in listing(author=hub.namespace, search=THROWAWAY):
            if item.id.startswith(f"{hub.namespace}/{THROWAWAY}"):
                hub.api.delete_repo(item.id, repo_type=type, missing_ok=True)
