"""The page's queue: Gradio's, with room for each model, a client's limit, and a count of calls.

Gradio bounds the waiting calls of all models together, so that a slow model's could keep a fast
model's out. Here each has room of its own. Who is sent away gets a sentence the way that a
handler's sentences arrive: as the call's answer, in the page, in gradio_client and over plain HTTP.
"""

from __future__ import annotations

import asyncio
import math
import time
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.queueing import Event, Queue
from gradio.server_messages import ProcessCompletedMessage
from gradio.utils import error_payload

from tabs.i18n import say
from tabs.language import language_of
from tabs.rate_limit import RateLimit
from tabs.telemetry import Call, Outcome, Telemetry

if TYPE_CHECKING:
    from gradio.block_function import BlockFunction
    from gradio.data_classes import PredictBodyInternal
    from starlette.requests import Request

KEPT_RECORDS = 1024  # of Gradio's own: how the newest calls ended
SESSIONS = 2048  # whose messages are kept; beyond that, those that were fetched go
Answer = tuple[bool, str | list[dict[str, Any]], str]


class LabQueue(Queue):  # type: ignore[misc]
    """One app's queue."""

    def __init__(
        self, page: gr.Blocks, *, room: int, limit: RateLimit, telemetry: Telemetry
    ) -> None:
        """`room` is how many calls may wait for each model; `limit` bounds a client's calls."""
        super().__init__(
            live_updates=True,
            concurrency_count=page.max_threads,
            update_intervals=1,
            max_size=None,
            blocks=page,
            default_concurrency_limit=1,
        )
        self._room, self._limit, self._telemetry = room, limit, telemetry
        self.ANALYTICS_MAX_EVENTS = KEPT_RECORDS
        # Gradio forgets the session that came first, even while it waits for its answer.
        self.pending_messages_per_session: dict[str, asyncio.Queue[Any]] = {}
        telemetry.waiting = self.waiting

    def waiting(self) -> dict[str, int]:
        """How many calls wait, by what they wait for."""
        by_id = dict(self.event_queue_per_concurrency_id)
        return {_name(name): len(queue.queue) for name, queue in by_id.items() if queue.queue}

    def compute_analytics_summary(self, _records: Any) -> dict[str, Any]:
        """Nothing: Gradio makes a pandas table of all records after every call for this."""
        return self.cached_event_analytics_summary  # type: ignore[no-any-return]

    async def push(
        self, body: PredictBodyInternal, request: Request, username: str | None
    ) -> Answer:
        """Let a call in, or answer it with a sentence."""
        self._forget_sessions()
        function = self.blocks.fns.get(body.fn_index)
        if function is None:
            return False, f"There is no function {body.fn_index}.", "error"
        if refusal := self._refusal(function, request, username):
            outcome, said = refusal
            self._telemetry.count(Call(endpoint_of(function), outcome=outcome))
            return True, self._answer(body, function, request, said), "success"
        return await super().push(body, request, username)  # type: ignore[no-any-return]

    async def process_events(
        self, events: list[Event], batch: bool, begin_time: float, fn: BlockFunction
    ) -> None:
        """Work on what Gradio took out of the queue, and count it."""
        waited = time.monotonic() - events[0].enqueue_time
        with self._telemetry.watching(Call(endpoint_of(fn), waited)) as call:
            records = [self.event_analytics.get(event._id) for event in events]
            await super().process_events(events, batch, begin_time, fn)
            if call.outcome == "ok":
                call.outcome = _outcome(events, records)

    def send_message(self, event: Event, event_message: Any) -> None:
        """Put a message where the client fetches it, unless the client was forgotten."""
        if event.session_hash in self.pending_messages_per_session:
            super().send_message(event, event_message)

    async def clean_events(
        self, *, session_hash: str | None = None, event_id: str | None = None
    ) -> None:
        """Forget a client that left, whole: Gradio keeps the ids of what was being worked on."""
        await super().clean_events(session_hash=session_hash, event_id=event_id)
        if session_hash:
            self.pending_event_ids_session.pop(session_hash, None)

    def _forget_sessions(self) -> None:
        """Those that fetched all their answers; if that is not enough, those that came first."""
        messages, ids = self.pending_messages_per_session, self.pending_event_ids_session
        if len(messages) <= SESSIONS and len(ids) <= SESSIONS:
            return
        for session in [session for session, pending in ids.items() if not pending]:
            del ids[session]
        for session in [session for session in messages if session not in ids]:
            del messages[session]
        for session in list(ids)[: max(0, len(ids) - SESSIONS // 2)]:
            del ids[session]
            messages.pop(session, None)

    def _refusal(
        self, function: BlockFunction, request: Request, username: str | None
    ) -> tuple[Outcome, str] | None:
        language = language_of(dict(request.headers))
        client = username or (request.client.host if request.client else "")
        if seconds := self._limit.wait(client):
            values = {"limit": self._limit.per_minute, "seconds": math.ceil(seconds)}
            return "limited", say("page.limited", language, **values)
        queue = self.event_queue_per_concurrency_id.get(function.concurrency_id)
        if queue is not None and len(queue.queue) >= self._room:
            return "busy", say("page.busy", language, waiting=len(queue.queue))
        return None

    def _answer(
        self, body: PredictBodyInternal, function: BlockFunction, request: Request, said: str
    ) -> str:
        """Put the sentence where the client will look for its answer; the call's id."""
        event = Event(body.session_hash, function, request, None)
        session = event.session_hash
        title = say("page.busy_title", language_of(dict(request.headers)))
        self.pending_messages_per_session.setdefault(session, asyncio.Queue())
        self.pending_event_ids_session.setdefault(session, set()).add(event._id)
        output = error_payload(gr.Error(said, title=title, print_exception=False), True)
        self.send_message(event, ProcessCompletedMessage(output=output, success=False, title=title))
        return str(event._id)


def endpoint_of(function: BlockFunction) -> str:
    """What a call is counted as: the API's name, or the tab whose event it is."""
    if function.api_visibility != "private" and function.api_name:
        return f"/{function.api_name}"
    if counted := getattr(function.fn, "counted_as", ""):
        return str(counted)
    module = getattr(function.fn, "__module__", "") or "page"
    return f"page {module.rsplit('.')[-1]}"


def _outcome(events: list[Event], records: list[Any]) -> Outcome:
    if not any(event.alive for event in events):
        return "left"
    return "failed" if any(r and r["status"] == "failed" for r in records) else "ok"


def _name(concurrency_id: str) -> str:
    """Events without a name of their own have Gradio's, a number."""
    return "page" if concurrency_id.isdigit() else concurrency_id
