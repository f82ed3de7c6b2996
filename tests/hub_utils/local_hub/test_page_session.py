import pytest
from starlette.requests import Request

from hub_utils.local_hub.page_session import TOKEN_COOKIE, is_signed_in, session_of

TOKEN = "hf_local_a_token"


def request(**headers):
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    return Request(
        {"type": "http", "method": "GET", "path": "/", "headers": raw, "query_string": b""}
    )


def test_cookie_and_bearer_token_open_the_pages():
    assert is_signed_in(request(cookie=f"{TOKEN_COOKIE}={session_of(TOKEN)}"), TOKEN)
    assert is_signed_in(request(authorization=f"Bearer {TOKEN}"), TOKEN)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"cookie": f"{TOKEN_COOKIE}={TOKEN}"},
        {"cookie": f"{TOKEN_COOKIE}={session_of('another')}"},
        {"cookie": f"{TOKEN_COOKIE}=\xff\xfe"},
        {"authorization": "Bearer "},
        {"authorization": f"Bearer {session_of(TOKEN)}"},
        {"authorization": TOKEN},
    ],
)
def test_nothing_else_does(headers):
    assert not is_signed_in(request(**headers), TOKEN)


def test_session_tells_nothing_of_the_token():
    assert TOKEN not in session_of(TOKEN)
    assert session_of(TOKEN) != session_of(TOKEN + "x")
