"""A Space of one tab, deployed and run by the embedded Hub from an empty folder, answers its API."""

from __future__ import annotations

import json

import pytest

from tests.conftest import HubServer
from tests.spaces.conftest import MODEL, run_space
from tests.tabs.lab import LABELS

pytestmark = pytest.mark.slow
NAME = "one-tab-space"


def test_the_classifier_bundle_answers_with_the_published_model(
    hub, hub_server: HubServer, deploy, model
):
    from gradio_client import Client

    folder = hub_server.root / "spaces" / "lab" / NAME
    assert not folder.exists()
    deploy("--name", NAME, "--hardware", "cpu", bundle="classifier", LAB_MODELS=f"classify={MODEL}")
    with run_space(hub, f"lab/{NAME}") as command:
        said = json.loads(command.stdout.readline())
        page = Client(said["url"], verbose=False)
        answer = page.predict("The oil price said the bank.", api_name="/classify")
        endpoints = page.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert {scored["label"] for scored in answer["confidences"]} == set(LABELS)
    assert "/classify" in endpoints
    assert not {"/generate", "/search", "/match", "/paint"} & set(endpoints)
    assert (folder / "app" / "app.py").is_file()
    assert not (folder / "app" / "training" / "diffusion").exists()
