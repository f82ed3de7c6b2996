"""What passes the gate, what does not, and what every answer carries."""

from __future__ import annotations

import base64
import json
from typing import Any

import anyio
import pytest

from tabs.gate import Gate
from tabs.telemetry import Call, Telemetry


async def _app(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the size of the body; fails where it is told to."""
    if scope["path"] == "/fails":
        raise KeyError("component_id")
    size, message = 0, {"more_body": True}
    while message.get("more_body"):
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size += len(message.get("body", b""))
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(size).encode()})


class Asked:
    """A request to the gate before `_app`, and what was answered."""

    def __init__(self, gate: Gate, path: str, method: str = "GET", parts: Any = (b"",), **headers):
        self.status, self.headers, self.body = 0, {}, b""
        self._parts = list(parts)
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "client": ("127.0.0.1", 5),
            "headers": [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()],
        }
        anyio.run(gate, scope, self._receive, self._send)

    async def _receive(self) -> Any:
        body = self._parts.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(self._parts)}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], dict(message["headers"])
        else:
            self.body += message["body"]

    @property
    def said(self) -> str:
        return str(json.loads(self.body)["detail"])


@pytest.fixture
def gate() -> Gate:
    return Gate(_app, telemetry=Telemetry(), users={}, max_upload_mb=1)


def test_every_answer_lets_the_browser_load_and_send_nothing_elsewhere(gate: Gate):
    answer = Asked(gate, "/")
    policy = answer.headers[b"content-security-policy"].decode()
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert directives["default-src"] == "'self'"
    assert directives["connect-src"] == "'self' data: blob:"
    assert answer.headers[b"x-content-type-options"] == b"nosniff"


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_that_is_too_large_does_not_come_through(gate: Gate, declared: bool):
    half = b"x" * 600_000
    fits = Asked(gate, "/gradio_api/queue/join", "POST", [half])
    assert (fits.status, fits.body) == (200, b"600000")
    headers = {"content_length": "1200000"} if declared else {}
    answer = Asked(gate, "/gradio_api/queue/join", "POST", [half, half], **headers)
    assert answer.status == (413 if declared else 0)  # 0: the connection ends
    assert answer.body == b"" or "1 MB" in answer.said
    several = Asked(gate, "/gradio_api/upload", "POST", [half, half], **headers)
    assert (several.status, several.body) == (200, b"1200000")


@pytest.mark.parametrize("length", ["-1", "many", "9" * 400])
def test_a_length_that_is_none_is_refused(gate: Gate, length: str):
    assert Asked(gate, "/x", "POST", content_length=length).status == 413


def test_what_fits_no_route_is_a_sentence_in_the_readers_language(gate: Gate):
    answer = Asked(gate, "/fails", "POST")
    assert answer.status == 400
    assert answer.said.startswith("The page cannot make sense of this request.")
    assert Asked(gate, "/fails", accept_language="zh").said.startswith("无法理解")


@pytest.mark.parametrize("path", ["/gradio_api/file=http://h/x", "/gradio_api/proxy=http://h/x"])
def test_the_page_fetches_no_address_for_a_client(gate: Gate, path: str):
    assert Asked(gate, path).status == 404


def test_passwords_cannot_be_tried_quickly(gate: Gate):
    tries = [Asked(gate, "/login", "POST") for _ in range(11)]
    assert [each.status for each in tries] == [200] * 10 + [429]
    assert int(tries[-1].headers[b"retry-after"]) in range(1, 7)
    assert Asked(gate, "/login").status == 200  # the page itself


def test_metrics_are_for_everybody_or_for_who_may_sign_in():
    telemetry = Telemetry()
    telemetry.count(Call("/classify"))
    open_gate = Gate(_app, telemetry=telemetry, users={}, max_upload_mb=1)
    answer = Asked(open_gate, "/metrics")
    assert b'lab_calls_total{endpoint="/classify",outcome="ok"} 1.0' in answer.body
    assert answer.headers[b"content-type"].startswith(b"text/plain")

    closed = Gate(_app, telemetry=telemetry, users={"ada": "secret"}, max_upload_mb=1)

    def basic(pair: str) -> int:
        header = "Basic " + base64.b64encode(pair.encode()).decode()
        return Asked(closed, "/metrics", authorization=header).status

    assert Asked(closed, "/metrics").status == 401
    assert Asked(closed, "/metrics", authorization="Basic ???").status == 401
    assert [basic(p) for p in ("ada:secret", "ada:", "bo:", "bo:secret", ":")] == [200] + [401] * 4
