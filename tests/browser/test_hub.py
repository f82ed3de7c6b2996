"""The Hub tab in a browser, and what the page does as the Hub changes under it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from hub_utils.connection import Hub
from tests.tabs.lab import AppProcess, HubProcess, environment_for, publish

OpenPage = Callable[..., Page]
MakeClassifier = Callable[..., Path]


@pytest.fixture(scope="module")
def app(hub_process: HubProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppProcess]:
    """The app on a Hub where, at first, nothing is published."""
    home = tmp_path_factory.mktemp("app")
    process = AppProcess(home, environment_for(hub_process, home)).start()
    yield process
    process.stop()


@pytest.fixture
def hub(hub_process: HubProcess, tmp_path: Path) -> Hub:
    return hub_process.client(tmp_path / "publisher")


def serve(page: Page, revision: str) -> None:
    """Have the page serve `revision`, which was just published."""
    offer = page.get_by_role("button", name=f"Load revision {revision[:7]}")
    serving = page.locator("#classify-source", has_text=revision[:7])
    expect(offer.or_(serving)).to_be_visible()
    if offer.is_visible():
        offer.click()
    expect(serving).to_be_visible()


def classify(page: Page) -> None:
    page.get_by_label("Text", exact=True).fill("the bank said oil")
    page.get_by_role("button", name="Classify", exact=True).click()
    expect(page.locator("#classify-latency")).to_contain_text("ms")


def test_a_waiting_tab_says_so_and_comes_alive_by_itself(
    app: AppProcess, open_page: OpenPage, hub: Hub, make_classifier: MakeClassifier
):
    page = open_page(app.url)
    notice = page.locator("#classify-notice")
    expect(notice).to_contain_text("Waiting for lab/reuters-classifier")
    expect(notice).to_contain_text("python -m training bert")
    page.get_by_label("Text", exact=True).fill("the bank said oil")
    page.get_by_role("button", name="Classify", exact=True).click()
    expect(page.get_by_text("is not published yet. Train it")).to_be_visible()
    revision = publish(hub, make_classifier()).revision
    expect(page.locator("#classify-source")).to_contain_text(revision[:7])
    expect(notice).to_have_text("")
    expect(page.get_by_label("Text", exact=True)).to_have_value("the bank said oil")
    classify(page)


def test_a_new_revision_is_offered_and_loaded_without_a_reload(
    app: AppProcess, open_page: OpenPage, hub: Hub, make_classifier: MakeClassifier
):
    page = open_page(app.url)
    older = publish(hub, make_classifier()).revision
    serve(page, older)
    newer = publish(hub, make_classifier()).revision
    expect(page.locator("#classify-notice")).to_contain_text(f"new revision, {newer[:7]}")
    expect(page.locator("#classify-source")).to_contain_text(older[:7])
    page.get_by_role("button", name=f"Load revision {newer[:7]}").click()
    expect(page.locator("#classify-source")).to_contain_text(newer[:7])
    expect(page.locator("#classify-notice")).to_have_text("")
    classify(page)
    expect(page.locator("#classify-latency")).to_contain_text(newer[:7])


def test_rolling_back_serves_the_older_revision_until_it_is_undone(
    app: AppProcess, open_page: OpenPage, hub: Hub, make_classifier: MakeClassifier
):
    page = open_page(app.url)
    older = publish(hub, make_classifier(), message="The good one").revision
    newer = publish(hub, make_classifier(), message="A worse one").revision
    serve(page, newer)
    page.get_by_role("tab", name="Hub").click()
    expect(page.locator("#hub-published")).to_contain_text(newer[:7])
    page.get_by_role("button", name="Serve this revision").click()
    expect(page.get_by_text("Pick a commit in the list first.")).to_be_visible()
    page.get_by_role("radio", name=re.compile(f"^{older[:7]}.*The good one")).check()
    page.get_by_role("button", name="Serve this revision").click()
    expect(page.locator("#hub-history-said")).to_contain_text(f"is pinned to {older[:7]}")
    expect(page.locator("#hub-published")).to_contain_text(f"serving {older[:7]}")
    page.get_by_role("tab", name="Classify").click()
    expect(page.locator("#classify-source")).to_contain_text("pinned")
    classify(page)
    expect(page.locator("#classify-latency")).to_contain_text(older[:7])
    page.get_by_role("tab", name="Hub").click()
    page.get_by_role("button", name="Serve the newest").click()
    expect(page.locator("#hub-published")).to_contain_text(f"serving {newer[:7]}")


def test_while_the_hub_is_away_the_tab_answers_and_says_so(
    app: AppProcess,
    open_page: OpenPage,
    hub: Hub,
    hub_process: HubProcess,
    make_classifier: MakeClassifier,
):
    page = open_page(app.url)
    revision = publish(hub, make_classifier()).revision
    serve(page, revision)
    hub_process.stop()
    notice = page.locator("#classify-notice")
    expect(notice).to_contain_text("The Hub does not answer")
    expect(notice).to_contain_text(revision[:7])
    classify(page)
    page.get_by_role("tab", name="Hub").click()
    expect(page.locator("#hub-where")).to_contain_text("does not answer")
    expect(page.locator("#hub-published")).to_contain_text("lab/reuters-classifier")
    hub_process.start()
    expect(page.locator("#hub-where")).not_to_contain_text("does not answer")
    page.get_by_role("tab", name="Classify").click()
    expect(notice).to_have_text("")


def test_a_training_that_cannot_succeed_says_why_in_a_sentence(
    app: AppProcess, open_page: OpenPage
):
    page = open_page(app.url)
    page.get_by_role("tab", name="Hub").click()
    page.get_by_role("button", name="Train again").click()
    expect(page.locator("#hub-training-said")).to_contain_text("The training has started")
    progress = page.locator("#hub-progress")
    expect(progress).to_contain_text("did not finish. There is no data set 'lab/reuters-r8'")
    expect(progress).not_to_contain_text("Traceback")


def test_a_training_can_be_stopped(app: AppProcess, open_page: OpenPage):
    page = open_page(app.url)
    page.get_by_role("tab", name="Hub").click()
    page.get_by_role("button", name="Train again").click()
    page.get_by_role("button", name="Stop the training").click()
    expect(page.locator("#hub-progress")).to_contain_text(re.compile("stopped"))


def test_a_table_of_ones_own_is_read_as_it_arrives_and_its_mistakes_are_sentences(
    app: AppProcess, open_page: OpenPage, tmp_path: Path
):
    page = open_page(app.url)
    page.get_by_role("tab", name="Hub").click()
    page.locator("#mine-go").click()
    expect(page.get_by_text("Choose a file with labelled texts first.")).to_be_visible()
    texts = tmp_path / "texts.csv"
    texts.write_text("message\nIt hums\nMy bill\n")
    page.locator("#mine-file input[type=file]").set_input_files(texts)
    expect(page.get_by_text("texts.csv has one column")).to_be_visible()
    page.locator("#mine-file").get_by_role("button", name="Clear").click()
    tickets = tmp_path / "tickets.csv"
    tickets.write_text("id,message,team\n1,It hums,technical\n2,My bill,billing\n3,Oh,billing\n")
    page.locator("#mine-file input[type=file]").set_input_files(tickets)
    expect(page.locator("#mine-about")).to_contain_text("3 rows, 2 labels: billing 2, technical 1")
    expect(page.get_by_label("Column of texts")).to_have_value("message")
    expect(page.get_by_label("Publish as")).to_have_value("tickets-classifier")
    page.get_by_label("Publish as").fill("no name!")
    page.locator("#mine-go").click()
    expect(page.get_by_text("cannot be a repository's name")).to_be_visible()
    expect(page.get_by_label("Publish as")).to_have_value("no name!")


def test_a_space_that_cannot_be_paused_is_a_sentence(app: AppProcess, open_page: OpenPage):
    page = open_page(app.url)
    page.get_by_role("tab", name="Hub").click()
    name = page.get_by_label("Name of the Space")
    expect(name).to_have_value("reuters-classifier")  # suggested with the models
    name.fill("nobodys")
    page.get_by_role("button", name="Pause this Space").click()
    expect(page.get_by_text("There is no space lab/nobodys")).to_be_visible()


def test_the_status_tab_shows_what_was_called_and_how_the_app_stands(
    app: AppProcess, open_page: OpenPage
):
    page = open_page(app.url)
    page.get_by_role("tab", name="Status").click()
    expect(page.locator("#status-facts")).to_contain_text("Up for")
    expect(page.locator("#status-facts")).to_contain_text("gradio")
    row = page.locator("#status-calls tr", has_text="/classify")
    expect(row).to_contain_text("s")
    before = int(row.locator("td").nth(1).inner_text())
    page.get_by_role("tab", name="Classify").click()
    classify(page)
    page.get_by_role("tab", name="Status").click()
    expect(row.locator("td").nth(1)).to_have_text(str(before + 1))
    assert '"endpoint": "/classify", "outcome": "ok"' in app.log()
    assert "the bank said oil" not in app.log()
