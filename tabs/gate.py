"""What every request passes first: bounds, headers, `/metrics`, and an end to stack traces.

Pure ASGI, inside Gradio's own middleware: streams pass untouched.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import logging
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tabs.i18n import say
from tabs.language import language_of
from tabs.rate_limit import RateLimit

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from tabs.telemetry import Telemetry

log = logging.getLogger(__name__)
MEGABYTE = 1_000_000
UPLOADS = 5  # files of the largest size in one request
SIGN_INS = 10  # attempts a minute and client

# Scripts and styles in the page itself are Gradio's; what matters is that nothing is loaded from
# or sent to anywhere else, whatever a card or a model's name may hold.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "media-src 'self' data: blob:; worker-src 'self' blob:; connect-src 'self' data: blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; "
    "frame-ancestors 'self' https://huggingface.co https://*.hf.space"
)
HEADERS = [
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),  # a handler reads the page's ?lang= from it
]


class Gate:
    """ASGI middleware of one app."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        telemetry: Telemetry,
        users: Mapping[str, str],
        max_upload_mb: int,
    ) -> None:
        """With `users`, only they may read `/metrics`; Gradio asks them for everything else."""
        self.app, self._telemetry, self._users = app, telemetry, users
        self._max_mb, self._sign_ins = max_upload_mb, RateLimit(SIGN_INS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        answer = _Answer(scope, send)
        if scope["path"] == "/metrics":
            await self._metrics(answer)
        elif refusal := self._refusal(scope, answer):
            await answer.say(*refusal)
        else:
            await self._pass(scope, receive, answer)

    async def _pass(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        body = _Body(receive, self._limit_of(scope) * MEGABYTE)
        try:
            await self.app(scope, body.receive, answer.send)
        except Exception as error:
            if answer.started and not answer.events:
                raise  # the client sees that something is missing
            # A handler's errors are answered by the queue; this was a request that fits no route.
            log.warning("%s %s: %s", scope["method"], scope["path"], type(error).__name__)
            if answer.started:  # the last event says what was wrong, such as an unknown call
                await answer.send({"type": "http.response.body", "body": b""})
            else:
                await answer.say(400, "page.not_understood")

    def _refusal(self, scope: Scope, answer: _Answer) -> tuple[int, str, float] | None:
        path = scope["path"]
        if path.rstrip("/") == "/login" and scope["method"] == "POST":
            client = (scope.get("client") or ("",))[0]
            if seconds := self._sign_ins.wait(client):
                return 429, "page.sign_in_slowly", seconds
        if path.startswith(("/gradio_api/file=http", "/gradio_api/proxy=")):
            return 404, "page.not_understood", 0  # Gradio would fetch the address for the client
        length = answer.headers.get("content-length", "")
        limit = self._limit_of(scope)
        if length and not (length.isdecimal() and int(length[:18]) <= limit * MEGABYTE):
            return 413, "page.too_large", limit
        return None

    def _limit_of(self, scope: Scope) -> int:
        uploads = scope["path"].rstrip("/") == "/gradio_api/upload"
        return self._max_mb * (UPLOADS if uploads else 1)

    async def _metrics(self, answer: _Answer) -> None:
        if self._users and not _signed_in(answer.headers.get("authorization", ""), self._users):
            await answer.give(401, b"", "text/plain", [(b"www-authenticate", b"Basic")])
            return
        await answer.give(200, *self._telemetry.exposition())


class _Answer:
    """The way back to the client."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self.headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        self.started, self.events, self._send = False, False, send

    async def send(self, message: Message) -> None:
        """Pass a message on, the first with the headers that every answer has."""
        if message["type"] == "http.response.start":
            self.started = True
            kinds = [value for name, value in message.get("headers", []) if name == b"content-type"]
            self.events = any(kind.startswith(b"text/event-stream") for kind in kinds)
            message = {**message, "headers": [*message.get("headers", []), *HEADERS]}
        await self._send(message)

    async def say(self, status: int, key: str, value: float = 0) -> None:
        """Answer with a sentence in the reader's language."""
        seconds = math.ceil(value)
        said = say(key, language_of(self.headers), limit=f"{value:g}", seconds=seconds)
        wait = [(b"retry-after", str(seconds).encode())] if status == 429 else []
        body = json.dumps({"detail": said}, ensure_ascii=False).encode()
        await self.give(status, body, "application/json", wait)

    async def give(
        self, status: int, body: bytes, kind: str, more: list[tuple[bytes, bytes]] | None = None
    ) -> None:
        """Answer with `body`."""
        headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
        start = {"type": "http.response.start", "status": status}
        await self.send({**start, "headers": headers + (more or [])})
        await self.send({"type": "http.response.body", "body": body})


class _Body:
    """A request's body, that ends where it is longer than allowed."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive, self._left = receive, limit

    async def receive(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            return {"type": "http.disconnect"}
        return message


def _signed_in(header: str, users: Mapping[str, str]) -> bool:
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return False
    try:
        name, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return False
    return hmac.compare_digest(users.get(name, "").encode(), password.encode()) and name in users
