"""All five models answer from a deployed Space that the embedded Hub runs, and again after a restart."""

from __future__ import annotations

import json
import signal

import pytest

from tests.spaces.conftest import SERVED, run_space
from tests.tabs.lab import publish, tiny_clip, tiny_painter

pytestmark = pytest.mark.slow
SPACE = "lab/five-space"


@pytest.fixture(scope="module")
def command(hub, deploy, tmp_path_factory):
    """`python -m hub_utils run-space` of a lab with five tiny models."""
    publish(hub, tiny_clip(tmp_path_factory.mktemp("clip")), "space-clip")
    publish(hub, tiny_painter(tmp_path_factory.mktemp("painter")), "space-painter")
    served = f"{SERVED},match=space-clip,paint=space-painter"
    deploy("--name", "five-space", "--hardware", "cpu", LAB_MODELS=served)
    with run_space(hub, SPACE) as process:
        yield process


def test_five_apis_answer_before_and_after_a_restart(hub, command):
    ask_all(json.loads(command.stdout.readline())["url"])
    hub.api.restart_space(SPACE)
    ask_all(json.loads(command.stdout.readline())["url"])
    command.send_signal(signal.SIGINT)
    assert command.wait(60) == 130
    assert hub.api.get_space_runtime(SPACE).stage == "PAUSED"


def ask_all(url):
    """One question to every model."""
    from gradio_client import Client

    page = Client(url, verbose=False)
    assert page.predict("The oil price said the bank.", api_name="/classify")
    assert page.submit("Once upon", 20, api_name="/generate").result()
    assert page.predict("the rocket", 3, "hybrid", api_name="/search")
    found = page.predict("a red circle", 3, api_name="/find_image")
    assert found
    assert page.predict("a red circle", 4, 3.0, 1, api_name="/paint")
