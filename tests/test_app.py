"""The app as a user starts it: one command, one line with its address, one sentence when it cannot."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tabs.lab import (
    ROOT,
    AppProcess,
    HubProcess,
    environment_for,
    wait_until,
)

APP = ROOT / "app.py"


@pytest.fixture
def hub_process(tmp_path: Path) -> Iterator[HubProcess]:
    process = HubProcess(tmp_path / "hub").start()
    yield process
    process.stop()


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return str(answer.read().decode())


def test_the_file_stays_short_and_nothing_imports_it():
    assert len(APP.read_text("utf-8").splitlines()) < 60
    for folder in ("tabs", "training", "hub_utils"):
        for path in (ROOT / folder).rglob("*.py"):
            assert "import app\n" not in path.read_text("utf-8"), path


def test_importing_the_services_loads_no_heavy_library():
    code = (
        "import sys, tabs.services, tabs.registry, tabs.fragments\n"
        "import tabs.classification, tabs.generation, tabs.kinds\n"
        "heavy = {'gradio', 'torch', 'transformers', 'huggingface_hub', 'pandas', 'numpy'}\n"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_the_page_is_up_before_torch_is_loaded(hub_process: HubProcess, tmp_path: Path):
    environment = environment_for(hub_process, tmp_path)
    code = (
        "import sys\nfrom hub_utils.settings import Settings\nfrom app import build_app\n"
        "page = build_app(Settings.from_env())\n"
        "print(sorted({'torch', 'transformers', 'datasets'} & sys.modules.keys()))\n"
        "from huggingface_hub import constants\nprint(constants.ENDPOINT)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"PATH": "", "HOME": str(tmp_path), "LAB_HUB_ROOT": str(tmp_path / "h"), **environment},
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines() == ["[]", hub_process.endpoint], done.stderr


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_it_starts_without_any_setting_and_ends_with_every_process(
    tmp_path: Path, how: signal.Signals
):
    app = AppProcess(tmp_path / "lab", {}).start()
    assert "LLM Core Lab" in get(app.url)
    server = json.loads((tmp_path / "lab" / "hub" / "server.json").read_text())
    assert Path(f"/proc/{server['pid']}").exists()
    assert app.stop(how) == 0
    wait_until(lambda: not Path(f"/proc/{server['pid']}").exists(), what="the Hub to end")


def test_a_hub_that_is_away_is_no_reason_not_to_start(tmp_path: Path):
    with socket.socket() as closed:  # bound, not listening: nobody answers there
        closed.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{closed.getsockname()[1]}"
        app = AppProcess(tmp_path, {"HF_ENDPOINT": endpoint, "LAB_NAMESPACE": "lab"}).start()
        assert "LLM Core Lab" in get(app.url)
        assert app.stop() == 0


def test_an_embedded_hub_that_was_killed_is_started_again(tmp_path: Path):
    app = AppProcess(tmp_path / "lab", {}).start()
    record = tmp_path / "lab" / "hub" / "server.json"
    killed = json.loads(record.read_text())
    os.kill(killed["pid"], signal.SIGKILL)
    wait_until(lambda: json.loads(record.read_text())["pid"] != killed["pid"], what="another Hub")
    assert json.loads(record.read_text())["endpoint"] == killed["endpoint"]
    assert app.stop() == 0


def run_app(tmp_path: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(APP)],
        cwd=tmp_path,
        env={"PATH": "", "HOME": str(tmp_path), "LAB_HUB_ROOT": str(tmp_path / "hub"), **settings},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_wrong_setting_is_one_sentence(tmp_path: Path):
    done = run_app(tmp_path, LAB_PORT="many")
    assert done.returncode == 2
    assert done.stderr.startswith("LAB_PORT='many' is not a port.")
    assert len(done.stderr.splitlines()) == 1


def test_a_wrong_token_is_one_sentence_without_the_token(hub_process: HubProcess, tmp_path: Path):
    token = "not-the-token-of-this-hub"
    done = run_app(tmp_path, HF_ENDPOINT=hub_process.endpoint, HF_TOKEN=token)
    assert done.returncode == 2
    assert "refuses the token" in done.stderr
    assert token not in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_taken_port_is_one_sentence(hub_process: HubProcess, tmp_path: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        environment = environment_for(hub_process, tmp_path)
        done = run_app(tmp_path, LAB_PORT=str(port), **environment)
    assert done.returncode == 2
    assert f"Port {port} of this machine is taken" in done.stderr
