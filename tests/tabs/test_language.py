"""One decision about the language, for the page and for every handler."""

from __future__ import annotations

import asyncio

import pytest

from tabs.language import LanguageMiddleware, language_of

PAGE = b'<!doctype html><html lang="en"><head><title>x</title></head><body>x</body></html>'


@pytest.mark.parametrize(
    ("headers", "language"),
    [
        ({}, "en"),
        ({"accept-language": "zh-CN,zh;q=0.9,en;q=0.8"}, "zh"),
        ({"accept-language": "zh-TW"}, "zh"),
        ({"accept-language": "de-DE,en;q=0.7,zh;q=0.5"}, "en"),
        ({"accept-language": "en;q=oops,zh;q=0.1"}, "zh"),
        ({"accept-language": "fr"}, "en"),
        ({"cookie": "lab_lang=zh", "accept-language": "en"}, "zh"),
        ({"cookie": "lab_lang=xx", "accept-language": "zh"}, "zh"),
        ({"cookie": "a b=;;=\x00", "accept-language": "zh"}, "zh"),
        ({"referer": "http://h/?lang=en", "cookie": "lab_lang=zh"}, "en"),
        ({"referer": "http://h/?lang=zh&__theme=dark"}, "zh"),
        ({"referer": "http://h/?lang=<script>"}, "en"),
    ],
)
def test_the_language_is_the_address_then_the_cookie_then_the_browser(
    headers: dict[str, str], language: str
):
    assert language_of(headers) == language


async def page_app(scope, receive, send):
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]}
    )
    await send({"type": "http.response.body", "body": PAGE[:20], "more_body": True})
    await send({"type": "http.response.body", "body": PAGE[20:]})


def get(path: str = "/", query: bytes = b"", headers: tuple = ()) -> tuple[dict[bytes, bytes], str]:
    sent: list[dict] = []

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "query_string": query,
        "headers": headers,
    }
    asyncio.run(LanguageMiddleware(page_app, head="<!--head-->")(scope, None, send))
    return dict(sent[0]["headers"]), b"".join(m.get("body", b"") for m in sent[1:]).decode()


def test_the_page_says_its_language_before_any_other_script():
    headers, body = get(query=b"lang=zh")
    assert '<html lang="zh-CN">' in body
    assert body.index('"zh-CN"})') < body.index("<!--head-->") < body.index("<title>")
    assert int(headers[b"content-length"]) == len(body.encode())
    assert headers[b"set-cookie"].startswith(b"lab_lang=zh;")


def test_without_a_choice_no_cookie_is_set():
    headers, body = get(headers=((b"accept-language", b"en"),))
    assert '<html lang="en">' in body
    assert b"set-cookie" not in headers


def test_other_addresses_pass_untouched():
    headers, body = get(path="/gradio_api/info", query=b"lang=zh")
    assert body == PAGE.decode()
    assert headers == {b"content-length": b"0"}
