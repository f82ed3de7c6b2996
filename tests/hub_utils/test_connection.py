"""Which Hub is meant, and the embedded one's life: started once, shared, gone with its last user.

Each case runs in processes of its own, because huggingface_hub reads its address at import.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, start_hub

DEADLINE_S = 60

CLIENT = """
import json, os, sys
from hub_utils.connection import connect
from hub_utils.errors import LabError
from hub_utils.settings import Settings
try:
    hub = connect(Settings.from_env())
except LabError as error:
    print(json.dumps({"error": error.line()}), flush=True)
    sys.exit(2)
facts = {"endpoint": hub.endpoint, "namespace": hub.namespace, "embedded": hub.embedded,
         "env": {k: v for k, v in os.environ.items() if k.startswith(("HF_", "LAB_", "NO_PROXY"))}}
record = hub.root / "server.json" if hub.root else None
if record: facts["pid"] = json.loads(record.read_text())["pid"]
print(json.dumps(facts), flush=True)
for line in sys.stdin:
    if line.strip() == "ensure":
        hub = hub.ensure()
        print(json.dumps({"endpoint": hub.endpoint, "me": hub.api.whoami()["name"]}), flush=True)
    if line.strip() == "child":
        import subprocess
        code = "from hub_utils.connection import connect; from hub_utils.settings import Settings; h = connect(Settings.from_env()); print(h.embedded, h.endpoint)"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        print(json.dumps({"child": done.stdout.split(), "errors": done.stderr}), flush=True)
"""


class Client:
    """A process that connects, says what it got, and stays until its input is closed."""

    def __init__(self, folder: Path, **environment: str) -> None:
        bare = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("HF_", "LAB_"))
        }
        self.process = subprocess.Popen(
            [sys.executable, "-c", CLIENT],
            cwd=folder,
            env={**bare, "PYTHONPATH": str(ROOT), "HOME": str(folder), **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._facts: dict | None = None

    @property
    def facts(self) -> dict:
        """What it printed when it had connected."""
        if self._facts is None:
            self._facts = self._read()
        return self._facts

    def ask(self, word: str) -> dict:
        assert self.facts
        assert self.process.stdin is not None
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        return self._read()

    def kill(self) -> None:
        """End it as `kill -9` does."""
        self.process.kill()
        self.close()

    def close(self) -> None:
        """Let it end by itself: its input is over."""
        self.process.stdin.close()
        self.process.wait(DEADLINE_S)
        self.process.stdout.close()

    def _read(self) -> dict:
        return json.loads(self.process.stdout.readline())


@pytest.fixture
def client(tmp_path: Path) -> Iterator:
    """Makes clients that share the folder of this test; closes them at its end."""
    clients: list[Client] = []

    def make(**environment: str) -> Client:
        clients.append(Client(tmp_path, **environment))
        return clients[-1]

    yield make
    for one in clients:
        one.close()
    record = tmp_path / ".lab" / "hub" / "server.json"
    if record.exists():
        wait_until_gone(json.loads(record.read_text())["pid"])


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_until_gone(pid: int) -> None:
    """Wait for a process that is not our child to end."""
    poll, deadline = threading.Event(), DEADLINE_S * 20
    while is_running(pid):
        poll.wait(0.05)
        deadline -= 1
        assert deadline, f"process {pid} is still there after {DEADLINE_S} s"


def test_without_a_token_the_embedded_hub_starts_and_everything_points_at_it(client, tmp_path):
    facts = client().facts
    assert facts["embedded"]
    assert facts["namespace"] == "lab"
    assert is_running(facts["pid"])
    environment = facts["env"]
    assert environment["HF_ENDPOINT"] == facts["endpoint"]
    assert environment["HF_HUB_DISABLE_XET"] == "1"
    assert environment["HF_HUB_DISABLE_TELEMETRY"] == "1"
    assert environment["HF_HOME"] == str(tmp_path / ".lab" / "cache")
    assert environment["HF_TOKEN"] == (tmp_path / ".lab" / "hub" / "token").read_text().strip()
    assert "127.0.0.1" in environment["NO_PROXY"]


def test_the_token_is_in_no_process_list_and_no_log(client, tmp_path):
    facts = client().facts
    token = facts["env"]["HF_TOKEN"]
    assert token not in Path(f"/proc/{facts['pid']}/cmdline").read_text()
    root = tmp_path / ".lab" / "hub"
    assert (root / "token").stat().st_mode & 0o077 == 0
    for name in ("server.log", "server.json", "last.json"):
        assert token not in (root / name).read_text()


def test_two_processes_at_once_start_one_server(client):
    clients = [client() for _ in range(3)]
    assert len({one.facts["pid"] for one in clients}) == 1
    assert len({one.facts["endpoint"] for one in clients}) == 1


def test_a_killed_app_leaves_no_server(client):
    first, second = client(), client()
    pid = first.facts["pid"]
    assert second.facts["pid"] == pid
    first.kill()
    assert second.ask("ensure")["me"] == "lab"  # still there for the other
    second.kill()
    wait_until_gone(pid)


def test_a_killed_server_is_started_again_where_it_was(client):
    one = client()
    os.kill(one.facts["pid"], signal.SIGKILL)
    wait_until_gone(one.facts["pid"])
    again = one.ask("ensure")
    assert again == {"endpoint": one.facts["endpoint"], "me": "lab"}


def test_an_app_that_comes_while_the_server_ends_gets_a_living_one(client):
    """Over and over: the last user goes, another comes at about the moment the server notices."""
    one = client()
    for _ in range(3):
        assert one.facts["embedded"]
        one.kill()
        one = client()
        assert one.ask("ensure")["me"] == "lab"


def test_the_next_app_finds_the_hub_at_the_same_address(client):
    first = client()
    endpoint, pid = first.facts["endpoint"], first.facts["pid"]
    first.kill()
    wait_until_gone(pid)
    assert client().facts["endpoint"] == endpoint


def test_an_address_that_somebody_else_took_is_given_up(client, tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = f"http://127.0.0.1:{other.getsockname()[1]}"
        root = tmp_path / ".lab" / "hub"
        root.mkdir(parents=True)
        (root / "last.json").write_text(json.dumps({"endpoint": taken}))
        facts = client().facts
    assert facts["embedded"]
    assert facts["endpoint"] != taken


def test_a_record_of_a_server_that_is_gone_is_not_believed(client, tmp_path):
    root = tmp_path / ".lab" / "hub"
    root.mkdir(parents=True)
    (root / "token").write_text("hf_stale_token_of_old")
    stale = {"endpoint": "http://127.0.0.1:9", "pid": os.getpid()}
    (root / "server.json").write_text(json.dumps(stale))
    assert client().facts["endpoint"] != "http://127.0.0.1:9"


def test_a_subprocess_shares_the_hub_and_knows_that_it_is_the_embedded_one(client):
    one = client()
    answer = one.ask("child")
    assert answer["child"] == ["True", one.facts["endpoint"]], answer["errors"]


def test_an_endpoint_is_taken_as_given_and_the_name_is_the_tokens(client, hub_server):
    facts = client(HF_ENDPOINT=hub_server.endpoint, HF_TOKEN=hub_server.token).facts
    assert (facts["endpoint"], facts["embedded"]) == (hub_server.endpoint, False)
    assert facts["namespace"] == "lab"


def test_a_given_namespace_wins(client, hub_server):
    facts = client(HF_ENDPOINT=hub_server.endpoint, LAB_NAMESPACE="ada").facts
    assert facts["namespace"] == "ada"


def test_without_a_token_none_that_was_stored_is_sent(client, hub_server, tmp_path):
    stored = tmp_path / ".cache" / "huggingface" / "token"
    stored.parent.mkdir(parents=True)
    stored.write_text("hf_stored_for_another_hub")
    environment = client(HF_ENDPOINT=hub_server.endpoint).facts["env"]
    assert "HF_TOKEN" not in environment
    assert environment["HF_HUB_DISABLE_IMPLICIT_TOKEN"] == "1"


def test_a_space_without_a_token_reads_the_real_hub(client):
    facts = client(SPACE_ID="ada/lab", LAB_NAMESPACE="ada").facts
    assert (facts["endpoint"], facts["namespace"]) == ("https://huggingface.co", "ada")
    assert "HF_HUB_DISABLE_XET" not in facts["env"]


def test_a_wrong_token_is_a_sentence_without_the_token(client, hub_server):
    said = client(HF_ENDPOINT=hub_server.endpoint, HF_TOKEN="hf_wrong_token").facts["error"]
    assert hub_server.endpoint in said
    assert "HF_TOKEN" in said
    assert "hf_wrong_token" not in said


def test_a_hub_that_is_away_keeps_the_namespace_it_had(client, tmp_path):
    home = {"HF_HOME": str(tmp_path / "home")}
    server = start_hub(tmp_path / "own", "--no-seed")
    there = {"HF_ENDPOINT": server.endpoint, "HF_TOKEN": server.token, **home}
    assert client(**there).facts["namespace"] == "lab"
    server.stop()
    memory = tmp_path / "home" / "lab-namespace.json"
    memory.write_text(memory.read_text().replace("lab", "ada"))
    assert client(**there).facts["namespace"] == "ada"


def test_a_hub_that_was_never_there_gets_the_default_namespace(client):
    facts = client(HF_ENDPOINT="http://127.0.0.1:9", HF_TOKEN="hf_some_token").facts
    assert facts["namespace"] == "lab"


def test_importing_the_client_library_too_early_is_said(tmp_path, hub_server):
    code = "import huggingface_hub.constants\n" + CLIENT
    bare = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "LAB_"))}
    done = subprocess.run(
        [sys.executable, "-c", code.replace("Settings.from_env()", "Settings(endpoint=sys.argv[1])"), hub_server.endpoint],
        env={**bare, "PYTHONPATH": str(ROOT)}, cwd=tmp_path, capture_output=True, text=True, input="",
    )  # fmt: skip
    assert "imported before connect()" in json.loads(done.stdout)["error"]


def test_a_hub_that_cannot_start_says_why(client, tmp_path):
    root = tmp_path / ".lab" / "hub"
    root.mkdir(parents=True)
    (root / "repos").write_text("in the way")
    said = client().facts["error"]
    assert str(root) in said
    assert "LAB_HUB_ROOT" in said
