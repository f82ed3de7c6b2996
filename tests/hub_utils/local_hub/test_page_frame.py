import logging

import pytest
from starlette.requests import Request

from hub_utils.local_hub.errors import Forbidden
from hub_utils.local_hub.page_frame import HEADERS, answer
from hub_utils.local_hub.state import HubState


@pytest.fixture
def request_to(store):
    state = HubState(store=store, token="hf_local_for_the_frame", endpoint="http://127.0.0.1:1")

    def send(handler, path="/lab/sample", query=b""):
        scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "headers": [],
            "query_string": query,
        }
        return answer(state, Request({**scope, "path_params": {}}), handler)

    return send


def fail(error):
    def handler(_visit):
        raise error

    return handler


def test_unforeseen_failure_is_logged_and_shown_without_its_details(request_to, caplog):
    with caplog.at_level(logging.ERROR):
        response = request_to(fail(RuntimeError("secret detail")))
    assert response.status_code == 500
    assert b"The Hub failed here" in response.body
    assert b"secret detail" not in response.body
    assert "secret detail" in caplog.text


def test_refusal_says_its_sentence(request_to):
    response = request_to(fail(Forbidden("This is <not> allowed.")))
    assert response.status_code == 403
    assert b"This is &lt;not&gt; allowed." in response.body


def test_errors_carry_the_security_headers_too(request_to):
    response = request_to(fail(RuntimeError("x")))
    assert HEADERS.items() <= {name: response.headers[name] for name in HEADERS}.items()


def test_language_in_the_query_is_remembered_only_when_it_is_one(request_to):
    assert "lab_lang=zh" in request_to(fail(Forbidden("x")), query=b"lang=zh").headers["set-cookie"]
    assert "set-cookie" not in request_to(fail(Forbidden("x")), query=b"lang=xx").headers
