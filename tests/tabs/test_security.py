"""What a browser can reach of this machine: uploads of its own, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub_utils.connection import Hub
from hub_utils.settings import Settings
from tabs.page import LabPage, build_page
from tabs.services import Services
from tests.tabs.lab import wait_until

USERS = {"ada": "secret-of-ada"}
FILES = ("File", "Image", "ImageEditor", "Gallery")


def launch(home: Path, **settings: Any) -> LabPage:
    """The whole page, with a Hub that is away."""
    hub = Hub("http://127.0.0.1:1", None, namespace="lab", embedded=False)
    page = build_page(Services(Settings(hub_root=home / "hub", port=0, **settings), hub))
    page.launch(prevent_thread_lock=True)
    return page


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabPage]:
    launched = launch(tmp_path_factory.mktemp("page"), max_upload_mb=1)
    yield launched
    launched.close()


@pytest.fixture(scope="module")
def closed_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabPage]:
    launched = launch(tmp_path_factory.mktemp("closed"), users=USERS)
    yield launched
    launched.close()


@pytest.fixture
def http(page: LabPage) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=page.local_url, timeout=30) as client:
        yield client


@pytest.fixture(scope="module")
def private_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of this machine that no reader of the page may see."""
    path = tmp_path_factory.mktemp("private") / "secret.csv"
    path.write_text("text\nthe-secret-of-this-machine\n", "utf-8")
    return path


def call(http: httpx.Client, function: int, data: list[Any]) -> list[Any]:
    """Call an event as the page's own script would; the messages that come back."""
    body = {"data": data, "fn_index": function, "session_hash": "crafted"}
    http.post("/gradio_api/queue/join", json=body).raise_for_status()
    lines = http.get("/gradio_api/queue/data?session_hash=crafted").text.splitlines()
    return [json.loads(line.removeprefix("data: ")) for line in lines if line]


def crafted(kind: str, path: str) -> Any:
    """What a component of that kind would send of a file at `path`."""
    file = {"path": path, "orig_name": Path(path).name, "meta": {"_type": "gradio.FileData"}}
    if kind == "ImageEditor":
        return {"background": file, "layers": [file], "composite": file}
    return [{"image": file, "caption": None}] if kind == "Gallery" else file


def takes_files(page: LabPage) -> list[Any]:
    return [
        function
        for function in page.fns.values()
        if any(type(block).__name__ in FILES for block in function.inputs)
    ]


def test_no_crafted_path_of_any_event_is_read(
    page: LabPage, http: httpx.Client, private_file: Path
):
    functions = takes_files(page)
    assert {"classify_batch", "match"} <= {function.api_name for function in functions}
    traversal = f"{page.app.uploaded_file_dir}/../../../../..{private_file}"
    for function in functions:
        for path in (str(private_file), traversal, "/etc/passwd"):
            data = [
                crafted(type(block).__name__, path)
                if type(block).__name__ in FILES
                else getattr(block, "value", None)
                for block in function.inputs
            ]
            messages = (
                call(http, function._id, data)
                if function.queue
                else [http.post("/gradio_api/run/x", json={"data": data, "fn_index": function._id})]
            )
            said = str([m if isinstance(m, dict) else m.text for m in messages])
            assert "the-secret-of-this-machine" not in said
            assert "Traceback" not in said
            assert "'success': True" not in said, (function.api_name, path)


@pytest.mark.parametrize(
    "route",
    ["file={}", "file/{}", "file=/../../..{}", "file=..%2f..%2f..%2f..{}", "file=file://{}"],
)
def test_no_address_gives_a_file_of_this_machine(
    http: httpx.Client, private_file: Path, route: str
):
    answer = http.get(f"/gradio_api/{route.format(private_file)}")
    assert answer.status_code in (403, 404)
    assert "the-secret-of-this-machine" not in answer.text


def test_the_projects_own_files_are_not_served(http: httpx.Client):
    own = Path(__file__).parents[2] / "README.md"
    for route in ("file=", "file=README.md", "static/../../../../README.md", "assets/../app.py"):
        assert http.get(f"/gradio_api/{route}").status_code in (403, 404)
    assert http.get(f"/gradio_api/file={own}").status_code in (403, 404)
    assert http.get("/static/%2e%2e/%2e%2e/routes.py").status_code in (403, 404)


def test_an_upload_keeps_no_path_and_is_bounded(page: LabPage, http: httpx.Client, tmp_path: Path):
    sent = http.post("/gradio_api/upload", files={"files": ("../../../evil.csv", b"text\nhi\n")})
    (stored,) = sent.raise_for_status().json()
    assert Path(stored).resolve().is_relative_to(Path(page.app.uploaded_file_dir).resolve())
    large = http.post("/gradio_api/upload", files={"files": ("big.csv", b"x" * 1_500_000)})
    assert large.status_code == 413
    many = [("files", (f"{n}.csv", b"x" * 900_000)) for n in range(7)]
    assert http.post("/gradio_api/upload", files=many).status_code == 413


def test_a_call_that_is_not_there_ends_with_an_event_not_with_a_broken_connection(
    http: httpx.Client,
):
    answer = http.get("/gradio_api/call/classify/nobodys")
    assert answer.text.startswith("event: error")


def test_the_metrics_of_the_page_are_there(http: httpx.Client):
    sent = http.post("/gradio_api/call/classify", json={"data": ["hello"]}).json()
    assert "does not answer" in http.get(f"/gradio_api/call/classify/{sent['event_id']}").text
    counted = 'lab_calls_total{endpoint="/classify",outcome="refused"} 1.0'
    wait_until(lambda: counted in http.get("/metrics").text, what="the call to be counted")
    assert "process_resident_memory_bytes" in http.get("/metrics").text


def test_the_page_holds_no_handlers_of_its_own_inside_its_html(page: LabPage):
    from tabs.page import HEAD, HEADER

    assert " on" not in HEADER.replace(" on ", "")
    assert "javascript:" not in HEADER + HEAD


def test_without_signing_in_nothing_answers(closed_page: LabPage):
    with httpx.Client(base_url=closed_page.local_url) as http:
        assert "secret-of-ada" not in http.get("/").text
        call = http.post("/gradio_api/call/classify", json={"data": ["hi"]})
        join = http.post("/gradio_api/queue/join", json={"data": [], "session_hash": "x"})
        upload = http.post("/gradio_api/upload", files={"files": ("a.csv", b"a")})
        config, info = http.get("/config"), http.get("/gradio_api/info")
        assert {a.status_code for a in (call, join, upload, config, info)} == {401}
        assert http.get("/metrics").status_code == 401
        assert http.get("/metrics", auth=("ada", USERS["ada"])).status_code == 200
        for path in ("/gradio_api/mcp/", "/gradio_api/mcp/sse", "/monitoring"):
            assert http.get(path).status_code in (401, 403, 404)


def test_who_signs_in_is_served(closed_page: LabPage):
    with httpx.Client(base_url=closed_page.local_url) as http:
        wrong = {"username": "ada", "password": "guess"}
        assert http.post("/login", data=wrong).status_code == 400
        right = {"username": "ada", "password": USERS["ada"]}
        assert http.post("/login", data=right).status_code == 200
        call = http.post("/gradio_api/call/classify", json={"data": ["hi"]})
        assert "event_id" in call.json()
