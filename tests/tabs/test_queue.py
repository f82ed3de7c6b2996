"""A full queue and a limit are sentences, and a slow model keeps no fast one's callers out."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import gradio as gr
import httpx
import pytest

from hub_utils.errors import LabError
from tabs import queue as lab_queue
from tabs.queue import LabQueue
from tabs.rate_limit import RateLimit
from tabs.telemetry import Telemetry
from tabs.widgets import sentences
from tests.tabs.lab import wait_until

GO = 30.0  # seconds that a test's own handler waits at most


@dataclass
class Small:
    """A page with a slow, a fast and a streaming endpoint behind the lab's queue."""

    telemetry: Telemetry = field(default_factory=Telemetry)
    limit: RateLimit = field(default_factory=lambda: RateLimit(0))
    go: threading.Event = field(default_factory=threading.Event)
    closed: threading.Event = field(default_factory=threading.Event)
    url: str = ""
    page: Any = None

    def start(self, room: int) -> Small:
        def slow(text: str) -> str:
            self.go.wait(GO)
            return text

        def fast(text: str) -> str:
            if text == "wrong":
                raise LabError("This was wrong.")
            return text.upper()

        def stream(text: str) -> Iterator[str]:
            try:
                while not self.go.wait(0.01):
                    yield text
            finally:
                self.closed.set()

        with gr.Blocks(analytics_enabled=False) as page:
            for function in (slow, fast, stream):
                name = function.__name__
                stream.__annotations__["return"] = str
                gr.api(sentences(function), api_name=name, concurrency_id=name)
        page.queue(api_open=False)
        page._queue = LabQueue(page, room=room, limit=self.limit, telemetry=self.telemetry)
        page.launch(prevent_thread_lock=True, quiet=True, ssr_mode=False, server_port=None)
        self.page, self.url = page, f"{page.local_url}gradio_api/call"
        return self

    def ask(self, name: str, text: str = "hi", **headers: str) -> str:
        """Send a call; the id under which its answer is fetched."""
        body = {"data": [text]}
        sent = httpx.post(f"{self.url}/{name}", json=body, headers=headers, timeout=GO)
        return str(sent.raise_for_status().json()["event_id"])

    def answer(self, name: str, event: str) -> tuple[str, Any]:
        """How the call ended: "complete" or "error", and what it said."""
        lines = httpx.get(f"{self.url}/{name}/{event}", timeout=GO).text.splitlines()
        return lines[-3].split()[-1], json.loads(lines[-2].removeprefix("data: "))

    def outcomes(self, name: str) -> dict[str, int]:
        return next(
            (dict(f.outcomes) for f in self.telemetry.figures() if f.endpoint == f"/{name}"), {}
        )


@pytest.fixture
def small() -> Iterator[Callable[..., Small]]:
    made: list[Small] = []

    def make(room: int = 2, **options: Any) -> Small:
        made.append(Small(**options))
        return made[-1].start(room)

    yield make
    for each in made:
        each.go.set()
        each.page.close()


def test_who_finds_the_queue_full_is_told_so_and_the_others_are_served(small):
    page = small(room=2)
    first = page.ask("slow")
    wait_until(lambda: not page.telemetry.waiting(), what="the first call to be at work")
    waiting = [page.ask("slow", str(number)) for number in range(2)]
    assert page.telemetry.waiting() == {"slow": 2}

    kind, said = page.answer("slow", page.ask("slow"))
    assert kind == "error"
    assert said["title"] == "Busy"
    assert said["error"].startswith("The page is busy: 2 calls already wait for this model.")
    kind, said = page.answer("slow", page.ask("slow", **{"accept-language": "zh"}))
    assert "繁忙" in said["error"]

    assert page.answer("fast", page.ask("fast")) == ("complete", ["HI"])
    page.go.set()
    assert [page.answer("slow", event) for event in [first, *waiting]] == [
        ("complete", [text]) for text in ("hi", "0", "1")
    ]
    wait_until(lambda: page.outcomes("slow") == {"busy": 2, "ok": 3}, what="five calls")


def test_a_client_of_gradio_gets_the_sentence(small):
    from gradio_client import Client

    page = small(limit=RateLimit(1, clock=lambda: 0.0))
    client = Client(page.page.local_url, verbose=False)
    assert client.predict("a", api_name="/fast") == "A"
    with pytest.raises(Exception, match=r"You may make 1 calls a minute\. .* in 60 s"):
        client.predict("b", api_name="/fast")
    client.close()
    wait_until(lambda: page.outcomes("fast") == {"ok": 1, "limited": 1}, what="two calls")


def test_how_a_call_ended_is_counted(small):
    page = small()
    for text in ("good", "wrong"):
        page.answer("fast", page.ask("fast", text))
    wait_until(lambda: page.outcomes("fast") == {"ok": 1, "refused": 1}, what="two calls")


def test_a_program_that_leaves_in_the_middle_of_a_stream_ends_its_work(small):
    page = small()
    event = page.ask("stream")
    with httpx.stream("GET", f"{page.url}/stream/{event}", timeout=GO) as answer:
        assert next(answer.iter_lines()) == "event: generating"
    assert page.closed.wait(GO)
    wait_until(lambda: page.outcomes("stream") == {"left": 1}, what="the call to be counted")
    wait_until(lambda: not page.page._queue.event_ids_to_events, what="the call to be forgotten")


def test_calls_whose_answer_was_fetched_leave_nothing_behind(small, monkeypatch):
    monkeypatch.setattr(lab_queue, "SESSIONS", 8)
    page, queue = small(), None
    queue = page.page._queue
    unfetched = page.ask("fast", "never fetched")
    for number in range(20):
        text = f"number {number}"
        assert page.answer("fast", page.ask("fast", text)) == ("complete", [text.upper()])
    assert len(queue.pending_messages_per_session) <= 9
    assert len(queue.pending_event_ids_session) <= 9
    assert page.answer("fast", unfetched) == ("complete", ["NEVER FETCHED"])
    for _ in range(20):  # of clients that never come back
        page.ask("fast")
    assert len(queue.pending_messages_per_session) <= 9


def test_nobody_gets_past_the_queue(small):
    page = small()
    past = httpx.post(f"{page.page.local_url}gradio_api/run/fast", json={"data": ["hi"]})
    assert past.status_code == 404


def test_a_function_that_is_not_there_is_refused(small):
    page = small()
    wrong = {"data": [], "fn_index": 999, "session_hash": "x"}
    assert httpx.post(f"{page.page.local_url}gradio_api/queue/join", json=wrong).status_code == 400
