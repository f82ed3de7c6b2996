"""Headless Chromium, and pages of it that notice what should not happen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.chromium import running_chromium
from tests.tabs.lab import AppProcess, HubProcess, tiny_classifier

if TYPE_CHECKING:
    from gradio_client import Client

PATIENCE_MS = 60_000  # the machine may be busy; nothing waits longer than it must
PHONE = {"width": 390, "height": 844}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what lies here, so that it can be left out with -m "not browser"."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker("browser")


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with running_chromium() as browser:
        yield browser


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens an address in a fresh profile; at the end nothing may have left this machine."""
    contexts, outside = [], []

    def watch(request: Any) -> None:
        if not request.url.startswith(("http://127.0.0.1", "data:", "blob:")):
            outside.append(request.url)

    def open_at(url: str, **options: Any) -> Page:
        context = browser.new_context(**{"locale": "en-US", **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("request", watch)
        page.goto(url)
        return page

    expect.set_options(timeout=PATIENCE_MS)
    yield open_at
    for context in contexts:
        context.close()
    assert outside == []


def click_example(page: Page, tab: str) -> None:
    """Click the first example of a tab.

    Gradio draws the row twice, plain until the examples' own view is loaded: a click that falls in
    between is lost with its button.
    """
    page.locator(f"#{tab}-examples button:has(span)").first.click()


@pytest.fixture(scope="module")
def hub_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """An empty embedded Hub of this module's own."""
    process = HubProcess(tmp_path_factory.mktemp("hub")).start()
    yield process
    process.stop()


@pytest.fixture(scope="module")
def client(app: AppProcess) -> Iterator[Client]:
    """A program's connection to the module's own `app`."""
    from gradio_client import Client

    connected = Client(app.url, verbose=False)
    yield connected
    connected.close()


@pytest.fixture(scope="module")
def make_classifier(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Makes a tiny classifier that differs from all before it."""
    made: list[Path] = []

    def make(**options: Any) -> Path:
        seed = len(made) + 1
        made.append(tiny_classifier(tmp_path_factory.mktemp("model"), seed=seed, **options))
        return made[-1]

    return make
