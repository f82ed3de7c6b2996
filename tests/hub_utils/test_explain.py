"""Whatever a Hub answers becomes a sentence of ours; here a small server answers as told."""

from __future__ import annotations

import errno
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from hub_utils import errors
from hub_utils.connection import Hub
from hub_utils.explain import explained
from hub_utils.names import RepoId

REPO = RepoId("lab", "model")


class Answer(BaseHTTPRequestHandler):
    """Answers every request with the status in the path's last part; says what it is told to."""

    def do_GET(self) -> None:
        status, _, code = self.path.rpartition("/")[2].partition("-")
        body = json.dumps({"error": "as the Hub put it"}).encode()
        self.send_response(int(status))
        self.send_header("Content-Length", str(len(body)))
        if code:
            self.send_header("X-Error-Code", code)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Hub(f"http://127.0.0.1:{server.server_port}", "hf_secret_token", "lab", embedded=False)
    server.shutdown()
    thread.join()
    server.server_close()


def ask(hub: Hub, answer: str) -> None:
    from huggingface_hub import get_session
    from huggingface_hub.utils import hf_raise_for_status

    headers = {"Authorization": f"Bearer {hub.token}"}
    hf_raise_for_status(get_session().get(f"{hub.endpoint}/api/{answer}", headers=headers))


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        ("401", errors.AccessError, "refuses the token in HF_TOKEN"),
        ("402", errors.AccessError, "does not allow this"),
        ("403", errors.AccessError, "as the Hub put it"),
        ("403-GatedRepo", errors.AccessError, "gated"),
        ("404-RepoNotFound", errors.RepoNotFoundError, "no model lab/model"),
        ("404-RevisionNotFound", errors.RevisionNotFoundError, "no such revision"),
        ("404-EntryNotFound", errors.EntryNotFoundError, "no such file"),
        ("400", errors.LabError, "as the Hub put it"),
        ("413", errors.UploadError, "too large"),
        ("422", errors.LabError, "as the Hub put it"),
        ("500", errors.HubUnavailableError, "a problem of its own"),
        ("503", errors.HubUnavailableError, "a problem of its own"),
        ("507", errors.UploadError, "disk is full"),
    ],
)
def test_each_refusal_has_its_kind_and_its_sentence(hub, answer, kind, said):
    with pytest.raises(kind) as caught, explained(hub, REPO):
        ask(hub, answer)
    assert said in str(caught.value)
    assert "hf_secret_token" not in caught.value.line()
    assert "Traceback" not in caught.value.line()


def test_a_hub_that_is_not_there_is_unavailable(hub):
    away = Hub("http://127.0.0.1:9", None, "lab", embedded=False)
    with (
        pytest.raises(errors.HubUnavailableError, match=r"127\.0\.0\.1:9 does not answer"),
        explained(away),
    ):
        ask(away, "200")


def test_a_name_that_the_client_refuses_is_a_sentence(hub):
    with pytest.raises(errors.LabError, match="Repo id"), explained(hub):
        hub.api.model_info("not/a/name")


def test_a_full_disk_on_this_machine_is_said(hub):
    with pytest.raises(errors.LabError, match="disk of this machine"), explained(hub):
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    "error", [OSError("other"), ValueError("ours"), RuntimeError("ours"), KeyError("k")], ids=repr
)
def test_what_did_not_come_from_the_hub_passes_through(hub, error):
    with pytest.raises(type(error)) as caught, explained(hub):
        raise error
    assert caught.value is error


def test_our_own_errors_pass_through(hub):
    error = errors.DataError("Row 3 has no label.")
    with pytest.raises(errors.DataError) as caught, explained(hub):
        raise error
    assert caught.value is error
