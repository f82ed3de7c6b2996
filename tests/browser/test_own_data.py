"""By clicks alone: a table becomes a published classifier, and that a Space which answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import ROOT
from tests.tabs.lab import AppProcess
from tests.tutorial import blocks

pytestmark = pytest.mark.slow
TEXT = "I was billed for something I never ordered"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppProcess]:
    """The app as `python app.py` starts it, with its own embedded Hub."""
    process = AppProcess(tmp_path_factory.mktemp("app"), {"LAB_TABS": "classify,hub"}).start()
    yield process
    process.stop()


@pytest.fixture(scope="module")
def tickets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The table of the classifier's tutorial."""
    made = blocks(ROOT / "docs" / "tutorials" / "classifier.md")[0]
    path = tmp_path_factory.mktemp("data") / "tickets.csv"
    path.write_text(made.split("\n", 1)[1].split("\nEND")[0] + "\n", "utf-8")
    return path


def test_clicks_lead_from_a_table_to_a_running_space(
    app: AppProcess, open_page: Callable[..., Page], tickets: Path
):
    page = open_page(app.url)
    page.set_default_timeout(180_000)
    expect.set_options(timeout=180_000)
    page.get_by_role("tab", name="Hub").click()
    page.locator("#mine-file input[type=file]").set_input_files(tickets)
    expect(page.locator("#mine-about")).to_contain_text("24 rows, 3 labels")
    page.locator("#mine-go").click()
    expect(page.locator("#mine-said")).to_contain_text("tickets-classifier is trained as soon as")
    expect(page.locator("#hub-published")).to_contain_text("lab/tickets-classifier")
    expect(page.locator("#hub-progress")).to_contain_text(
        "tickets-classifier: finished and published"
    )
    expect(page.locator("#spaces-name textarea, #spaces-name input")).to_have_value(
        "tickets-classifier"
    )
    page.locator("#spaces-go").click()
    expect(page.locator("#spaces-progress")).to_contain_text("tickets-classifier runs")
    running = page.locator("#hub-published tr", has_text="Space").filter(has_text="running")
    with page.context.expect_page() as opened:
        running.get_by_role("link", name="open").click()
    ask(opened.value)

    page.locator("#spaces-pause").click()
    expect(page.locator("#hub-published")).to_contain_text("paused")
    expect(page.locator("#spaces-progress")).to_contain_text("tickets-classifier: paused")


def ask(space: Page) -> None:
    """The Space's page answers, and offers nothing that changes something."""
    space.get_by_label("Text", exact=True).fill(TEXT)
    space.get_by_role("button", name="Classify", exact=True).click()
    expect(space.locator("#classify-latency")).to_contain_text("ms")
    assert space.get_by_role("tab").count() == 1
