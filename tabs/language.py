"""Which language a visitor reads, decided in one place for the page and for every handler.

Order: `?lang=` in the address (a click on the switch), the cookie it left, the browser's
Accept-Language, English. Gradio's front end asks only `navigator.language`, so `LanguageMiddleware`
puts the decision there, and into `<html lang>`, before any other script runs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Literal
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

Language = Literal["en", "zh"]
COOKIE = "lab_lang"
LOCALES: dict[Language, str] = {"en": "en", "zh": "zh-CN"}  # as Gradio's front end names them
_PARSED: dict[str, Language] = {"en": "en", "zh": "zh", "zh-cn": "zh", "zh-hans": "zh"}


def language_of(headers: Mapping[str, str]) -> Language:
    """The language for a handler's request: the page it came from says `?lang=` in its referer."""
    query = urlsplit(headers.get("referer", "")).query
    return _decide(query, headers.get("cookie", ""), headers.get("accept-language", ""))


def _decide(query: str, cookie: str, accept: str) -> Language:
    asked = parse_qs(query).get("lang", [""])[-1].lower()
    return _PARSED.get(asked) or _PARSED.get(_cookie(cookie)) or _accepted(accept)


def _cookie(header: str) -> str:
    try:
        morsel = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return ""
    return morsel.value if morsel else ""


def _accepted(header: str) -> Language:
    weighted: list[tuple[float, Language]] = []
    for part in header.lower().split(","):
        tag, _, weight = part.strip().partition(";q=")
        language = _PARSED.get(tag) or _PARSED.get(tag.split("-")[0])
        if language:
            weighted.append((_number(weight), language))
    return max(weighted, key=lambda pair: pair[0])[1] if weighted else "en"


def _number(text: str) -> float:
    try:
        return float(text or 1)
    except ValueError:
        return 0.0


class LanguageMiddleware:
    """Tells the front page, and only it, its language. Pure ASGI: streams pass untouched."""

    def __init__(self, app: ASGIApp, head: str = "") -> None:
        """`head` is HTML for the very top of <head>, before Gradio's own scripts."""
        self.app, self.head = app, head

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != "/" or scope["method"] != "GET":
            await self.app(scope, receive, send)
            return
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        query = scope["query_string"].decode("latin-1")
        language = _decide(query, headers.get("cookie", ""), headers.get("accept-language", ""))
        page = _Page(send, language, self.head, remember="lang=" in query)
        await self.app(scope, receive, page.send)


class _Page:
    """Holds a response back until it is whole, then sends it with the language in place."""

    def __init__(self, send: Send, language: Language, head: str, *, remember: bool) -> None:
        self._send, self._language, self._head, self._remember = send, language, head, remember
        self._start: Message = {}
        self._body = b""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
        elif message["type"] == "http.response.body":
            self._body += message.get("body", b"")
            if not message.get("more_body"):
                await self._send_all()

    async def _send_all(self) -> None:
        locale = LOCALES[self._language]
        script = (
            "<script>Object.defineProperty(navigator,'language',"
            f"{{get:()=>{json.dumps(locale)}}})</script>"
        )
        body = self._body.replace(b"<head>", f"<head>{script}{self._head}".encode(), 1)
        body = body.replace(b'lang="en"', f'lang="{locale}"'.encode(), 1)
        headers = [pair for pair in self._start["headers"] if pair[0].lower() != b"content-length"]
        headers += [(b"content-length", str(len(body)).encode()), (b"vary", b"cookie")]
        if self._remember:
            kept = f"{COOKIE}={self._language}; Path=/; Max-Age=31536000; SameSite=Lax"
            headers.append((b"set-cookie", kept.encode()))
        await self._send({**self._start, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})
