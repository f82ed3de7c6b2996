"""One request as handlers see it, and the wrapper that turns a handler into an endpoint.

A handler is a plain function `(Call) -> Response` that runs in a thread: git, SQLite and files
never block the event loop. What it raises becomes the Hub's own error shape.
"""

from __future__ import annotations

import json
import logging
import re
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from .auth import INVALID, Caller, caller_of
from .errors import (
    BadRequest,
    DiskFull,
    EntryNotFound,
    GatedRepo,
    HubError,
    RangeNotSatisfiable,
    RepoNotFound,
    TooLarge,
    Unauthorized,
    is_disk_full,
)
from .paths import repo_key, shown
from .records import RepoKey, RepoRecord
from .state import HubState

_OWN_HOST = re.compile(r"(localhost|127\.0\.0\.1)(:\d{1,5})?")
PLURALS = ("models", "datasets", "spaces")
MAX_JSON_BYTES, MAX_STRANGERS_BYTES = 16_000_000, 4_000_000
_log = logging.getLogger(__name__)
Handler = Callable[["Call"], Response]


@dataclass(frozen=True)
class Call:
    """A request whose caller is known and whose body has been read."""

    state: HubState
    request: Request
    caller: Caller
    body: bytes = b""

    def param(self, name: str) -> str:
        """A part of the path, decoded; empty when the route has none of this name."""
        return unquote(str(self.request.path_params.get(name, "")))

    def flag(self, name: str) -> bool:
        """Whether a query parameter is switched on."""
        return is_on(self.request.query_params.get(name))

    def number(self, name: str, default: int, *, at_most: int) -> int:
        """A whole, positive query parameter."""
        text = self.request.query_params.get(name, str(default))
        if not text.isdecimal() or len(text) > 9:
            raise BadRequest(f"{name}={shown(text)} is no positive whole number.")
        return min(int(text), at_most)

    def json(self) -> Mapping[str, Any]:
        """The body as a JSON object; an empty body is an empty one."""
        try:
            value = json.loads(self.body or b"{}")
        except (ValueError, RecursionError) as error:
            raise BadRequest("The body is no JSON.") from error
        if not isinstance(value, dict):
            raise BadRequest("The body must be a JSON object.")
        return value

    @property
    def endpoint(self) -> str:
        """The Hub's address as the caller spells it: clients compare hosts as text."""
        host = self.request.headers.get("host", "")
        return f"http://{host}" if _OWN_HOST.fullmatch(host) else self.state.endpoint

    @property
    def key(self) -> RepoKey:
        """The repository that the path names."""
        return repo_key(self.kind, self.param("namespace"), self.param("name"))

    @property
    def kind(self) -> str:
        """models, datasets or spaces, by the path; another word when the path has another."""
        parts = self.request.scope["path"].split("/")
        first = parts[2] if parts[1] == "api" else self.param("types") or parts[1]
        return first if parts[1] in ("api", "lfs") or first in PLURALS else "models"

    def readable(self, *, contents: bool = False) -> RepoRecord:
        """The repository of the path, if the caller may know of it (and see its contents).

        Raises:
            RepoNotFound: it is missing, or private and the caller is not its owner.
        """
        try:
            key = self.key
        except BadRequest as error:
            raise RepoNotFound(f"Repository not found: {error}") from error
        self.state.seeder.wait_for(key)  # a seed that is being written exists and is empty
        record = self.state.store.get_repo(key)
        if record.private and not self.caller.owner:
            raise RepoNotFound(f"Repository not found: {key}.")
        if contents and record.gated and not self.caller.owner:
            raise GatedRepo(f"Access to {key} is restricted: sign in with the Hub's token.")
        return record

    def writable(self) -> RepoKey:
        """The repository of the path, if the caller may write to it."""
        self.require_owner()
        return self.readable().key

    def require_owner(self) -> None:
        """Refuse anonymous callers."""
        if not self.caller.owner:
            raise Unauthorized("Invalid username or password: this needs the Hub's token.")


def is_on(value: object) -> bool:
    """Whether a flag of a query, a form or a JSON body is set, as the clients spell it."""
    return str(value).lower() in ("true", "1", "yes", "on")


def endpoint(
    state: HubState, handler: Handler, *, max_bytes: int = MAX_JSON_BYTES
) -> Callable[[Request], Awaitable[Response]]:
    """The ASGI endpoint of a handler; bodies above `max_bytes` are refused while they arrive."""

    async def serve(request: Request) -> Response:
        call = Call(state, request, Caller(owner=False))
        try:
            caller = caller_of(request, state)
            limit = max_bytes if caller.owner else min(max_bytes, MAX_STRANGERS_BYTES)
            call = Call(state, request, caller, await _body(request, limit))
            return await run_in_threadpool(handler, call)
        except ClientDisconnect:
            return Response(status_code=499)
        except (FileNotFoundError, KeyError) as error:
            # A repository that was deleted or moved while it was read looks like this.
            gone = await run_in_threadpool(_refusal_when_gone, call)
            return error_response(gone or error, signed_in=call.caller.owner)
        except Exception as error:
            return error_response(error, signed_in=call.caller.owner)

    return serve


def _refusal_when_gone(call: Call) -> HubError | None:
    try:
        call.readable()
    except HubError as error:
        return error
    return None


async def _body(request: Request, max_bytes: int) -> bytes:
    if request.method in ("GET", "HEAD"):
        return b""
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced) > max_bytes:
        raise TooLarge(f"The body is above the {max_bytes:,} bytes that this request may have.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_bytes:
            raise TooLarge(f"The body is above the {max_bytes:,} bytes that this request may have.")
    return bytes(body)


def error_response(error: Exception, *, signed_in: bool) -> Response:
    """The Hub's error shape: a JSON body and the two headers that the clients read."""
    if is_disk_full(error):
        error = DiskFull()
    if not isinstance(error, HubError):
        busy = isinstance(error, sqlite3.OperationalError)
        _log.error("a request failed", exc_info=error)
        return _shape("The Hub failed; its log says why.", 503 if busy else 500, {})
    status, headers = error.status, dict[str, str]()
    if isinstance(error, (RepoNotFound, GatedRepo)) and not signed_in:
        status = 401
    if error.code:
        headers["X-Error-Code"] = error.code
    if isinstance(error, EntryNotFound) and error.commit:
        headers["X-Repo-Commit"] = error.commit
    if isinstance(error, RangeNotSatisfiable):
        headers["Content-Range"] = f"bytes */{error.size}"
    if status == 401 and str(error) != INVALID:
        headers["WWW-Authenticate"] = 'Basic realm="Hugging Face Hub (embedded)"'
    return _shape(str(error), status, headers)


def _shape(message: str, status: int, headers: Mapping[str, str]) -> Response:
    return JSONResponse(
        {"error": message},
        status_code=status,
        headers={**headers, "X-Error-Message": header_text(message)},
    )


def header_text(text: str) -> str:
    """Text that a header can carry: printable ASCII only."""
    return "".join(c if " " <= c <= "~" else "?" for c in text)[:1000]
