"""Spaces made on the page: what can be deployed, where that is refused, how they stand."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hub_utils.connection import Hub
from hub_utils.errors import LabError, RepoNotFoundError
from hub_utils.names import RepoId
from tabs import spaces
from tabs.i18n import PageError
from tabs.registry import TABS
from tabs.services import Services
from tabs.spaces import SpaceJobs, SpaceNow
from tests.tabs.lab import ROOT, publish, wait_until

Make = Callable[..., Services]
# What `hub_utils deploy` was asked for, said by a stand-in that takes the same command line.
ECHO = (sys.executable, "-c", "import json, os, sys; print(json.dumps({'asked': sys.argv[1:], 'models': os.environ['LAB_MODELS']}))")  # fmt: skip


def test_every_tab_with_a_model_has_a_bundle_of_its_own():
    from hub_utils.bundle import read_bundle

    for tab in TABS:
        if tab.repo:
            assert read_bundle(ROOT / "spaces" / tab.bundle).tabs == (tab.name,)


def test_what_is_published_can_be_deployed(
    make_services: Make, own_hub: Hub, classifiers: tuple[Path, Path], generator: Path
):
    services = make_services()
    publish(own_hub, classifiers[0], "router")
    publish(own_hub, generator, "tales")
    services.refresh()
    assert set(spaces.deployable(services)) == {
        ("classify", RepoId("lab", "router")),
        ("generate", RepoId("lab", "tales")),
    }
    services.spaces._command = ECHO
    spaces.deploy(services, "classify", "lab/router", " my-space ")
    wait_until(lambda: not services.spaces.state("my-space").active, what="the deployment to end")
    done = services.spaces.state("my-space")
    assert done.status == "finished"
    assert done.result == {
        "asked": ["spaces/classifier", "--name=my-space", "--hardware=cpu", "--watch"],
        "models": "classify=lab/router",
    }


def test_nothing_else_can_be_deployed(
    make_services: Make, own_hub: Hub, classifiers: tuple[Path, Path]
):
    services = make_services()
    publish(own_hub, classifiers[0], "router")
    services.refresh()
    for tab, repo in (
        ("", ""),
        ("classify", "lab/nothing"),
        ("generate", "lab/router"),
        ("hub", "lab/router"),
    ):
        with pytest.raises(PageError, match="Choose a published model first"):
            spaces.deploy(services, tab, repo, "my-space")
    for name in ("", "--watch", "someone/else", "x" * 200):
        for act in (
            lambda name=name: spaces.deploy(services, "classify", "lab/router", name),
            lambda name=name: spaces.pause(services, name),
        ):
            with pytest.raises(PageError, match="cannot be a repository's name"):
                act()
    assert services.spaces.all() == ()


def test_a_read_only_page_and_another_hub_deploy_and_pause_nothing(make_services: Make):
    looked_at, far = make_services(read_only=True), make_services()
    far.hub = replace(far.hub, endpoint="https://hub.example")
    for services, said in ((looked_at, "read-only"), (far, "not this machine's Hub")):
        with pytest.raises(PageError, match=said):
            spaces.deploy(services, "classify", "lab/router", "my-space")
        with pytest.raises(PageError, match=said):
            spaces.pause(services, "my-space")


def test_how_spaces_stand_is_asked_of_this_machines_hub_alone(
    make_services: Make, own_hub: Hub, tmp_path: Path
):
    services = make_services()
    own_hub.api.create_repo("lab/my-space", repo_type="space", space_sdk="gradio")
    services.refresh()
    assert services.spaces.now == {"lab/my-space": SpaceNow("NO_APP_FILE")}
    spaces.pause(services, "my-space")
    services.refresh()
    assert services.spaces.now == {"lab/my-space": SpaceNow("PAUSED")}
    far = SpaceJobs(tmp_path, replace(own_hub, endpoint="https://hub.example"))
    far.refresh(services.catalog.listing.items)
    assert far.now == {}
    with pytest.raises(RepoNotFoundError):
        spaces.pause(services, "nobodys")


def test_while_the_hub_is_away_what_it_said_stays(make_services: Make, own_hub: Hub):
    services = make_services()
    own_hub.api.create_repo("lab/my-space", repo_type="space", space_sdk="gradio")
    services.refresh()
    own_hub.api.delete_repo("lab/my-space", repo_type="space")
    services.spaces.refresh(services.catalog.listing.items)  # which still lists it
    assert services.spaces.now == {"lab/my-space": SpaceNow("NO_APP_FILE")}


def test_a_second_deployment_of_a_name_waits_for_the_first_to_be_done(own_hub: Hub, tmp_path: Path):
    jobs = SpaceJobs(
        tmp_path, own_hub, command=(sys.executable, "-c", "import time; time.sleep(99)")
    )
    jobs.deploy("a", bundle="classifier", tab="classify", repo=RepoId("lab", "router"))
    try:
        with pytest.raises(LabError, match="The deployment of a already runs"):
            jobs.deploy("a", bundle="classifier", tab="classify", repo=RepoId("lab", "router"))
    finally:
        jobs.close()
