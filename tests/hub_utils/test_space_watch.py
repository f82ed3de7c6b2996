"""A Space is followed through its stages to its end, with its logs, by what the Hub's API says."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from hub_utils.connection import Hub
from hub_utils.errors import LabError
from hub_utils.names import RepoId
from hub_utils.space_watch import MASK, watch

SPACE = RepoId("lab", "watched", "space")
OLD, NEW = "a" * 40, "b" * 40
SECRET = "hf_in_a_log_line"


@dataclass
class ScriptedHub:
    """The few routes that a watch asks, answering as the real Hub does, stage after stage."""

    stages: list[tuple[str, str | None]]  # (stage, commit) of every answer; the last one stays
    logs: dict[str, list[str]] = field(default_factory=dict)
    restarts: int = 0

    def runtime(self) -> dict:
        stage, sha = self.stages.pop(0) if len(self.stages) > 1 else self.stages[0]
        return {"stage": stage, "hardware": None} | ({"sha": sha} if sha else {})


def answer(hub: ScriptedHub, request: BaseHTTPRequestHandler) -> None:
    path = request.path.removeprefix(f"/api/spaces/{SPACE}")
    kind = "application/json"
    if path == "/runtime":
        body = json.dumps(hub.runtime())
    elif path == "/restart":
        hub.restarts += 1
        body = json.dumps(hub.runtime())
    elif (log := path.removeprefix("/logs/")) in hub.logs:
        kind = "text/event-stream"
        events = [{"data": line, "timestamp": "2026-01-01T00:00:00Z"} for line in hub.logs[log]]
        body = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
    elif path == "":
        body = json.dumps({"id": str(SPACE), "host": "https://lab-watched.example"})
    else:
        request.send_error(404)
        return
    request.send_response(200)
    request.send_header("Content-Type", kind)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body.encode())


@pytest.fixture
def serve() -> Iterator[Callable[[ScriptedHub], Hub]]:
    """Serves a scripted Hub and gives a client of it."""
    servers = []

    def start(hub: ScriptedHub) -> Hub:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer(hub, self)

            do_POST = do_GET  # noqa: N815 - the base class's name

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        endpoint = f"http://127.0.0.1:{server.server_port}"
        return Hub(endpoint, "hf_token", namespace="lab", embedded=False)

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_it_ends_when_the_new_revision_runs_and_says_both_logs(serve):
    script = ScriptedHub(
        [("RUNNING", OLD), ("BUILDING", OLD), ("APP_STARTING", NEW), ("RUNNING", NEW)],
        {"build": ["installing torch\n"], "run": [f"token {SECRET}\n", "page is up\n"]},
    )
    said: list[str] = []
    app = watch(SPACE, NEW, hub=serve(script), say=said.append, hidden=[SECRET, ""])
    assert app == "https://lab-watched.example"
    stages = [line.split(" | ")[1] for line in said if line.startswith("stage")]
    assert stages == ["RUNNING", "BUILDING", "APP_STARTING", "RUNNING"]
    assert "build | installing torch" in said
    assert [line for line in said if line.startswith("run")] == [
        f"run   | token {MASK}",
        "run   | page is up",
    ]


@pytest.mark.parametrize(
    ("stage", "hint"), [("BUILD_ERROR", "build log above"), ("CONFIG_ERROR", "field of the card")]
)
def test_an_end_that_is_not_running_is_a_sentence(serve, stage: str, hint: str):
    said: list[str] = []
    with pytest.raises(LabError, match=f"in stage {stage}") as caught:
        watch(
            SPACE, NEW, hub=serve(ScriptedHub([("BUILDING", NEW), (stage, NEW)])), say=said.append
        )
    assert hint in caught.value.hint
    assert said == ["stage | BUILDING", f"stage | {stage}"]  # this Hub has no logs


def test_a_space_that_was_stopped_is_started(serve):
    script = ScriptedHub([("STOPPED", None), ("BUILDING", None), ("RUNNING", None)])
    watch(SPACE, NEW, hub=serve(script), say=lambda _: None)
    assert script.restarts == 1
