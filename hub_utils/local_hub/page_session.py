"""Who looks at a page, and in which language: cookies that never hold the token itself.

Browsers send a cookie to every port of a host, so another local server would see a token kept in
one. The cookie holds a keyed hash instead: it opens these pages and nothing else.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

from .words import Words, choose_language

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

TOKEN_COOKIE = "lab_token"  # noqa: S105 - a cookie's name
LANGUAGE_COOKIE = "lab_lang"
_YEAR_S = 365 * 24 * 3600
_MONTH_S = 30 * 24 * 3600


def session_of(token: str) -> str:
    """What the cookie of somebody who knows the token holds."""
    return hmac.new(token.encode(), b"pages of the embedded Hub", hashlib.sha256).hexdigest()


def is_signed_in(request: Request, token: str) -> bool:
    """Whether a request may see private repositories on pages: by cookie or by Authorization."""
    cookie = request.cookies.get(TOKEN_COOKIE, "")
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    by_cookie = same(cookie, session_of(token))
    return by_cookie or (scheme.lower() == "bearer" and same(bearer.strip(), token))


def same(given: str, expected: str) -> bool:
    """Compare without telling by the time taken how much was right."""
    return hmac.compare_digest(given.encode(), expected.encode())


def sign_in(response: Response, token: str) -> None:
    """Let the browser see private repositories for a month."""
    response.set_cookie(
        TOKEN_COOKIE, session_of(token), max_age=_MONTH_S, httponly=True, samesite="strict"
    )


def sign_out(response: Response) -> None:
    """Forget the browser."""
    response.delete_cookie(TOKEN_COOKIE, httponly=True, samesite="strict")


def words_of(request: Request) -> Words:
    """The language this request wants."""
    return Words(
        choose_language(
            request.query_params.get("lang", ""),
            request.cookies.get(LANGUAGE_COOKIE, ""),
            request.headers.get("accept-language", ""),
        )
    )


def remember_language(request: Request, response: Response, words: Words) -> None:
    """Keep a language that was asked for by `?lang=`."""
    if request.query_params.get("lang") == words.code:
        response.set_cookie(LANGUAGE_COOKIE, words.code, max_age=_YEAR_S, samesite="lax")
