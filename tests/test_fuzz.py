"""Requests that nobody thought of: every one is answered, and none by an unexpected error.

The slow lane (`make test-slow`). What is found is written down as a test beside the code it is in.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import TOKEN, HubServer
from tests.tabs.test_security import launch

pytestmark = pytest.mark.slow
MANY = settings(
    max_examples=400,
    deadline=None,
    derandomize=True,  # a failure is the same for everybody
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
WORDS = (
    "api models datasets spaces lab x tree main resolve commit revision whoami-v2 repos create "
    "preupload info refs lfs objects batch .. .git README.md validate-yaml paths-info blob raw "
    "%00 commits settings move delete quicksearch tag branch git-upload-pack"
)
SEGMENTS = st.sampled_from(WORDS.split()) | st.text("aé/%?#. -_\x7f", min_size=1, max_size=8)
PATHS = st.lists(SEGMENTS, max_size=8).map(lambda parts: "/" + "/".join(parts))
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
JSON = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["data", "files", "name", "type", "path", "fn_index", "session_hash"])
            | st.text(max_size=5),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)
BODIES = JSON.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=200)
METHODS = st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD"])


def check(answer: httpx.Response) -> None:
    """No unexpected error, and nothing of the program's inside."""
    request = answer.request
    where = f"{request.method} {request.url} {request.content[:200]!r}"
    assert answer.status_code < 500, f"{where}: {answer.status_code} {answer.text[:200]}"
    assert "Traceback" not in answer.text, where


def send(http: httpx.Client, method: str, path: str, body: bytes, **headers: str) -> None:
    try:
        request = http.build_request(method, path, content=body, headers=headers)
    except (httpx.InvalidURL, UnicodeError):
        return  # no address: a client does not send it
    check(http.send(request))


@pytest.fixture(scope="module")
def hub_http(hub_server: HubServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=hub_server.endpoint, timeout=30) as client:
        client.post(
            "/api/repos/create",
            json={"name": "x", "organization": "lab"},
            headers={"authorization": f"Bearer {TOKEN}"},
        )
        yield client


@MANY
@given(method=METHODS, path=PATHS, body=BODIES, owner=st.booleans())
def test_the_hub_answers_whatever_is_asked(
    hub_http: httpx.Client, method: str, path: str, body: bytes, owner: bool
):
    headers = {"authorization": f"Bearer {TOKEN}"} if owner else {}
    send(hub_http, method, path, body, **headers, **{"content-type": "application/json"})


KNOWN = st.sampled_from(
    [
        ("POST", "/api/repos/create"),
        ("DELETE", "/api/repos/delete"),
        ("POST", "/api/repos/move"),
        ("PUT", "/api/models/lab/x/settings"),
        ("POST", "/api/models/lab/x/preupload/main"),
        ("POST", "/api/models/lab/x/commit/main"),
        ("POST", "/api/models/lab/x/paths-info/main"),
        ("POST", "/api/models/lab/x/branch/b"),
        ("POST", "/api/models/lab/x/tag/main"),
        ("POST", "/lab/x.git/info/lfs/objects/batch"),
        ("POST", "/lab/x.git/git-upload-pack"),
        ("GET", "/api/models/lab/x/tree/main"),
        ("GET", "/lab/x/resolve/main/README.md"),
    ]
)
QUERIES = st.dictionaries(
    st.sampled_from(["limit", "cursor", "recursive", "expand", "search", "sort", "filter", "p"]),
    st.text(max_size=10),
    max_size=3,
)


@MANY
@given(route=KNOWN, body=BODIES, query=QUERIES, scope=st.text(max_size=12))
def test_the_hubs_own_routes_take_no_harm_from_any_body(
    hub_http: httpx.Client, route: tuple[str, str], body: bytes, query: dict[str, str], scope: str
):
    method, path = route
    kinds = ("application/json", "application/x-ndjson", "application/octet-stream")
    for kind in kinds:
        address = str(httpx.URL(path, params={**query, "x": scope}))
        send(
            hub_http,
            method,
            address,
            body,
            **{"content-type": kind, "authorization": f"Bearer {TOKEN}", "range": "bytes=5-1"},
        )


@pytest.fixture(scope="module")
def page_http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    page = launch(Path(tmp_path_factory.mktemp("fuzzed")))
    with httpx.Client(base_url=page.local_url, timeout=30) as client:
        yield client
    page.close()


ROUTES = st.sampled_from(
    [
        "/", "/config", "/metrics", "/login", "/gradio_api/info", "/gradio_api/openapi.json",
        "/gradio_api/queue/join", "/gradio_api/queue/status", "/gradio_api/cancel",
        "/gradio_api/reset", "/gradio_api/component_server", "/gradio_api/upload",
        "/gradio_api/run/classify", "/gradio_api/run/x", "/gradio_api/call/classify",
        "/gradio_api/call/search", "/gradio_api/call/generate", "/gradio_api/call/paint",
        "/gradio_api/call/match", "/gradio_api/call/find_image", "/gradio_api/call/classify_batch",
        "/gradio_api/call/v2/classify", "/gradio_api/call/v2/nothing", "/gradio_api/call/x/y",
        "/gradio_api/file=x", "/gradio_api/stream/x", "/gradio_api/process_recording",
        "/gradio_api/vibe-edit", "/gradio_api/vibe-code", "/gradio_api/custom_component/a/client/b/c",
        "/gradio_api/deep_link?session_hash=x", "/theme.css", "/static/x", "/svelte/x", "/pwa_icon/0",
    ]
)  # fmt: skip


@MANY
@given(method=METHODS, path=ROUTES | PATHS, body=BODIES, kind=st.sampled_from(["json", "x"]))
def test_the_page_answers_whatever_is_asked(
    page_http: httpx.Client, method: str, path: str, body: bytes, kind: str
):
    if method == "GET" and ("/stream/" in path or "/queue/data" in path):
        return  # stays open until there is something
    send(page_http, method, path, body, **{"content-type": f"application/{kind}"})


@MANY
@given(
    name=st.sampled_from(["classify", "search", "generate", "match", "find_image", "paint"]),
    data=st.lists(JSON, max_size=7),
)
def test_every_endpoint_answers_any_arguments_with_a_sentence(
    page_http: httpx.Client, name: str, data: list[Any]
):
    sent = page_http.post(f"/gradio_api/call/{name}", json={"data": data})
    check(sent)
    if sent.status_code == 200:
        answer = page_http.get(f"/gradio_api/call/{name}/{sent.json()['event_id']}")
        check(answer)
        assert "event: error" in answer.text
