"""The process: its first line, its files, who may start it, when it ends."""

import fcntl
import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.conftest import start_hub

from .conftest import until

REPOSITORY = Path(__file__).parents[3]


def run(*arguments):
    command = [sys.executable, "-m", "hub_utils.local_hub", *arguments]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60)


@pytest.fixture
def server(tmp_path):
    started = start_hub(tmp_path / "hub", "--no-seed")
    yield started
    started.stop()


def test_first_line_is_json_and_the_hub_answers_there(server):
    answer = httpx.get(f"{server.endpoint}/api/models", timeout=30)
    assert (answer.status_code, answer.json()) == (200, [])
    assert server.endpoint.startswith("http://127.0.0.1:")


def test_token_is_generated_once_and_for_the_owners_eyes_only(server):
    path = server.root / "token"
    assert path.read_text().strip() == server.token
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    server.stop()
    again = start_hub(server.root, "--no-seed")
    again.stop()
    assert again.token == server.token


def test_where_it_runs_is_written_down_without_the_token(server):
    text = (server.root / "server.json").read_text()
    assert json.loads(text) == {"endpoint": server.endpoint, "pid": server.process.pid}


def test_second_server_of_the_same_root_is_refused_in_one_line(server):
    done = run("--root", str(server.root), "--no-seed")
    assert done.returncode == 2
    assert "already serves" in done.stderr
    assert done.stderr.count("\n") == 1


def test_taken_port_is_refused_in_one_line(server, tmp_path):
    port = server.endpoint.rsplit(":", 1)[1]
    done = run("--root", str(tmp_path / "other"), "--port", port)
    assert done.returncode == 2
    assert f"Port {port} is taken" in done.stderr


def test_short_token_is_refused(tmp_path):
    done = run("--root", str(tmp_path), "--token", "short")
    assert done.returncode == 2
    assert "8 to 200" in done.stderr


def test_it_stops_when_asked(server):
    httpx.get(f"{server.endpoint}/api/models", timeout=30)
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(timeout=20) in (0, -signal.SIGTERM)


def test_it_lives_exactly_as_long_as_somebody_uses_it(tmp_path):
    root = tmp_path / "hub"
    root.mkdir()
    holders = [(root / "clients.lock").open("a") for _ in range(2)]
    for holder in holders:
        fcntl.flock(holder, fcntl.LOCK_SH)
    server = start_hub(root, "--no-seed", "--while-used")
    try:
        holders[0].close()
        assert httpx.get(f"{server.endpoint}/api/models", timeout=30).status_code == 200
        assert server.process.poll() is None
        holders[1].close()
        assert server.process.wait(timeout=20) == 0
    finally:
        server.stop()


def test_killed_client_counts_as_gone(tmp_path):
    root = tmp_path / "hub"
    root.mkdir()
    code = (
        "import fcntl, sys\n"
        "lock = open(sys.argv[1], 'a')\n"
        "fcntl.flock(lock, fcntl.LOCK_SH)\n"
        "print('held', flush=True)\n"
        "sys.stdin.read()\n"
    )
    client = subprocess.Popen(
        [sys.executable, "-c", code, str(root / "clients.lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert client.stdout.readline() == "held\n"
    server = start_hub(root, "--no-seed", "--while-used")
    try:
        os.kill(client.pid, signal.SIGKILL)
        client.wait(timeout=10)
        until(lambda: server.process.poll() is not None)
    finally:
        server.stop()


def test_nothing_of_the_token_reaches_the_log(server):
    for path in ("/api/whoami-v2", "/lab/none/resolve/main/x"):
        httpx.get(
            server.endpoint + path, headers={"Authorization": f"Bearer {server.token}"}, timeout=30
        )
    assert server.token not in (server.root / "stderr.txt").read_text()
