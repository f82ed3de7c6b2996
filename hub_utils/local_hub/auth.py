"""Who is asking. One owner, one token; everyone else is anonymous."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from starlette.requests import Request

from .errors import Forbidden, Unauthorized
from .page_session import is_signed_in
from .records import RepoKey
from .state import HubState

INVALID = "Invalid credentials in Authorization header"


@dataclass(frozen=True)
class Caller:
    """Somebody who asks; `owner` may read what is private and write everywhere."""

    owner: bool


def caller_of(request: Request, state: HubState) -> Caller:
    """Who sent a request, by its Authorization header or, for reading only, by the pages' cookie.

    Raises:
        Unauthorized: the header holds a wrong token.
    """
    header = request.headers.get("authorization", "")
    if header:
        if not _same(_token_in(header), state.token):
            raise Unauthorized(INVALID)
        return Caller(owner=True)
    # A cookie travels with requests that other sites cause, so it must not be able to write.
    reading = request.method in ("GET", "HEAD")
    return Caller(owner=reading and is_signed_in(request, state.token))


def signed_link(
    state: HubState, endpoint: str, action: str, key: RepoKey, sha256: str, size: int
) -> str:
    """A link that lets its bearer do one thing with one object until it expires."""
    # Seconds since the machine started: they go on over a restart of the Hub, and never jump.
    expires = int(time.monotonic()) + state.upload_seconds
    signature = _signature(state, action, key, sha256, size, expires)
    query = urlencode({"size": size, "expires": expires, "signature": signature})
    return f"{endpoint}/lfs/{action}/{key.type}s/{quote(key.id)}/{sha256}?{query}"


def check_link(state: HubState, action: str, key: RepoKey, sha256: str, request: Request) -> int:
    """The size in bytes that a signed link is for.

    Raises:
        Forbidden: it was changed, made by another Hub, or has expired.
    """
    query = request.query_params
    size, expires = query.get("size", ""), query.get("expires", "")
    if not (size.isdecimal() and expires.isdecimal() and len(size + expires) < 40):
        raise Forbidden("This link is not one that the Hub made.")
    expected = _signature(state, action, key, sha256, int(size), int(expires))
    if not _same(query.get("signature", ""), expected):
        raise Forbidden("This link is not one that the Hub made.")
    # Too long to live is a link from before the machine started anew.
    if not 0 <= int(expires) - time.monotonic() <= state.upload_seconds:
        raise Forbidden("This link has expired; ask for a new one.")
    return int(size)


def _signature(
    state: HubState, action: str, key: RepoKey, sha256: str, size: int, expires: int
) -> str:
    text = "\n".join((action, key.type, key.id, sha256, str(size), str(expires)))
    return hmac.new(state.signing_key, text.encode(), hashlib.sha256).hexdigest()


def _token_in(header: str) -> str:
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return value.strip()
    try:
        return base64.b64decode(value).decode("utf-8").partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())
