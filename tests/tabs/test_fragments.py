"""The small pieces of HTML: they say what is so, and whatever comes from outside is harmless."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest

from hub_utils.cards import Metric
from hub_utils.catalog import Published
from hub_utils.connection import Hub
from hub_utils.errors import LabError
from hub_utils.names import RepoId
from hub_utils.pins import Pin
from tabs import fragments
from tabs.catalog import Listing
from tabs.jobs import JobState, Progress
from tabs.model_slot import Served, SlotState
from tabs.spaces import SpaceNow

REPO = RepoId("lab", "reuters-classifier")
OLD, NEW = "a" * 40, "b" * 40
EVIL = "<script>alert(1)</script>"
URL = "http://127.0.0.1:1/lab/reuters-classifier"


def served(metric: Metric | None = None) -> Served[str]:
    return Served("model", REPO, OLD, Path(), metric)


def test_the_provenance_names_repository_revision_metric_and_card():
    state = SlotState(REPO, served=served(Metric("Accuracy", "accuracy", 0.9781)))
    html = fragments.provenance(state, URL, "en")
    assert f'href="{URL}/tree/{OLD}"' in html
    assert ">aaaaaaa</a>" in html
    assert "accuracy 0.978" in html
    assert ">model card</a>" in html
    assert "pinned" not in html


def test_a_figure_that_is_better_when_lower_says_so():
    state = SlotState(REPO, served=served(Metric("Bits per byte", "bits_per_byte", 2.031)))
    assert "bits per byte 2.031 (lower is better)" in fragments.provenance(state, URL, "en")
    accuracy = SlotState(REPO, served=served(Metric("Accuracy", "accuracy", 0.9)))
    assert "lower" not in fragments.provenance(accuracy, URL, "en")


def test_a_pinned_model_says_so():
    state = SlotState(REPO, served=served(), pin=Pin(OLD, by="page"))
    assert "pinned" in fragments.provenance(state, URL, "en")


def test_nothing_served_has_no_provenance():
    assert fragments.provenance(SlotState(REPO), URL, "en") == ""


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (SlotState(REPO), "Asking the Hub for lab/reuters-classifier"),
        (SlotState(REPO, asked=True), "Waiting for lab/reuters-classifier"),
        (SlotState(REPO, asked=True, newest=NEW, loading=True), "Loading lab/reuters-classifier"),
        (SlotState(REPO, asked=True, away=True), "no copy of lab/reuters-classifier"),
        (SlotState(REPO, asked=True, problem=LabError("It is broken.")), "It is broken."),
        (SlotState(REPO, served=served(), away=True), "serves the copy it has, revision aaaaaaa"),
        (SlotState(REPO, served=served(), newest=NEW), "A new revision, bbbbbbb, is published"),
        (SlotState(REPO, served=served(), problem=LabError("It is broken.")), "It is broken."),
    ],
)
def test_the_notice_says_what_a_reader_must_know(state: SlotState[str], expected: str):
    assert expected in fragments.notice(state, None, "", "en")


def test_nothing_to_say_means_no_notice():
    assert fragments.notice(SlotState(REPO, served=served(), newest=OLD), None, "", "en") == ""


def test_a_waiting_notice_shows_the_training_that_runs():
    job = JobState(
        "bert", "running", Progress(phase="train", step=1, steps=4, seconds=10, seconds_left=30)
    )
    html = fragments.notice(SlotState(REPO, asked=True), job, "python -m training bert", "en")
    assert 'aria-valuenow="25"' in html
    assert "about 30 s left" in html


def test_a_waiting_notice_tells_how_to_train():
    html = fragments.notice(SlotState(REPO, asked=True), None, "python -m training bert", "en")
    assert "<code>python -m training bert</code>" in html


def test_the_loss_curve_is_drawn_to_scale():
    html = fragments.loss_curve([(0, 2.0), (5, 1.0), (10, 0.5)], "Loss")
    assert 'points="0.0,0.0 300.0,80.0 600.0,120.0"' in html
    assert ">2.00<" in html
    assert ">0.50<" in html


def test_a_flat_curve_is_drawn_too():
    assert "polyline" in fragments.loss_curve([(3, 1.0), (3, 1.0)], "Loss")


def test_every_training_is_shown_in_its_order():
    html = fragments.job_panels([JobState("bert", "failed"), JobState("gpt", "running")], "en")
    assert html.index("bert") < html.index("gpt")
    assert "No training runs" in fragments.job_panels([], "en")


@pytest.mark.parametrize("status", ["queued", "running", "finished", "failed", "stopped"])
def test_every_status_of_a_job_has_words(status):
    html = fragments.job_panel(JobState("bert", status, problem="No rows."), "zh")
    assert "bert" in html


def test_a_training_that_was_no_better_is_not_called_published():
    kept_back = JobState("diffusion", "finished", result={"revision": None})
    assert "finished, not published" in fragments.job_panel(kept_back, "en")
    published = JobState("diffusion", "finished", result={"revision": NEW})
    assert "finished and published" in fragments.job_panel(published, "en")


def item(name: str = "reuters-classifier", **changes: object) -> Published:
    moment = datetime(2026, 1, 2, 3, 4, tzinfo=timezone.utc)
    facts = {"revision": NEW, "last_modified": moment, "private": False, "url": URL, **changes}
    return Published(RepoId("lab", name), **facts)  # type: ignore[arg-type]


def test_the_table_lists_what_is_published_and_what_serves():
    listing = Listing((item(metric=Metric("Accuracy", "accuracy", 0.5), private=True),), asked=True)
    html = fragments.published(listing, {"lab/reuters-classifier": OLD}, "en")
    for said in ("bbbbbbb", "accuracy 0.500", "2026-01-02 03:04", "private", "serving aaaaaaa"):
        assert said in html


def test_a_space_in_the_table_has_its_stage_and_the_way_to_its_app():
    listing = Listing((Published(RepoId("lab", "tickets", "space"), NEW, None, False, URL),))
    running = {"lab/tickets": SpaceNow("RUNNING", "http://127.0.0.1:9")}
    html = fragments.published(listing, {}, "en", running)
    assert ">running<" in html
    assert 'href="http://127.0.0.1:9"' in html
    html = fragments.published(listing, {}, "zh", {"lab/tickets": SpaceNow("PAUSED")})
    assert ">已暂停<" in html
    assert "打开" not in html
    assert "new stage" in fragments.published(
        listing, {}, "en", {"lab/tickets": SpaceNow("NEW_STAGE")}
    )


@pytest.mark.parametrize("status", ["queued", "running", "finished", "failed", "stopped"])
def test_every_status_of_a_deployment_has_words(status):
    html = fragments.deployments([JobState("tickets", status, problem="No.")], {}, "zh")
    assert "tickets" in html


def test_a_deployment_shows_its_log_then_its_address_then_what_became_of_it():
    job = JobState("tickets", "running", log=("stage | BUILDING", "build | <b>"))
    html = fragments.deployments([job], {}, "en")
    assert "stage | BUILDING\nbuild | &lt;b&gt;" in html
    done = JobState("tickets", "finished")
    up = fragments.deployments([done], {"tickets": SpaceNow("RUNNING", "http://127.0.0.1:9")}, "en")
    assert "tickets runs" in up
    assert 'href="http://127.0.0.1:9"' in up
    assert "tickets: paused" in fragments.deployments([done], {"tickets": SpaceNow("PAUSED")}, "en")


def test_an_empty_namespace_says_so_once_the_hub_was_asked():
    assert "Asking" in fragments.published(Listing(), {}, "en")
    assert "Nothing yet" in fragments.published(Listing(asked=True), {}, "en")


def test_where_names_the_hub_and_whether_it_answers():
    hub = Hub("http://127.0.0.1:1", None, namespace="lab", embedded=True)
    assert "Embedded Hub at" in fragments.where(hub, away=False, language="en")
    assert "does not answer" in fragments.where(hub, away=True, language="en")


def test_words_from_outside_are_harmless():
    metric = Metric(EVIL, "x", 1.0)
    job = JobState("bert", "failed", problem=EVIL)
    running = JobState("bert", "running", Progress(message=EVIL))
    pieces = [
        fragments.provenance(SlotState(REPO, served=served(metric)), URL, "en"),
        fragments.notice(SlotState(REPO, asked=True, problem=LabError(EVIL)), None, "", "en"),
        fragments.job_panel(job, "en"),
        fragments.job_panel(running, "en"),
        fragments.published(Listing((item(metric=metric, url=f'"{EVIL}'),)), {}, "en"),
        fragments.plain(EVIL),
    ]
    assert not any("<script" in piece for piece in pieces)
