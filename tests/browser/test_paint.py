"""The Paint tab in a browser, and the same app as a program sees it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE, click_example
from tests.tabs.lab import AppProcess, HubProcess, environment_for, publish, tiny_painter

OpenPage = Callable[..., Page]


@pytest.fixture(scope="module")
def app(hub_process: HubProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppProcess]:
    """The app on a Hub with a tiny diffusion model."""
    home = tmp_path_factory.mktemp("app")
    hub = hub_process.client(home / "publisher")
    publish(hub, tiny_painter(tmp_path_factory.mktemp("painter")), "emoji-painter")
    process = AppProcess(home, environment_for(hub_process, home)).start()
    yield process
    process.stop()


def paint_page(
    open_page: OpenPage, app: AppProcess, *, lang: str = "en", **options: object
) -> Page:
    page = open_page(f"{app.url}/?lang={lang}", **options)
    page.get_by_role("tab", name=re.compile("Paint|画图")).click()
    expect(page.locator("#paint-source")).to_contain_text("emoji-painter")
    return page


def test_an_example_becomes_a_picture_that_can_be_saved(
    open_page: OpenPage, app: AppProcess
) -> None:
    page = paint_page(open_page, app)
    click_example(page, "paint")
    expect(page.locator("#paint-status")).to_contain_text("Painted in")
    expect(page.locator("#paint-pictures img")).to_have_count(1)
    expect(page.locator("#paint-way img")).to_have_count(8)
    with page.expect_download() as saving:
        page.locator("#paint-pictures a").click()
    assert saving.value.suggested_filename.startswith("tomato-")
    picture = Image.open(saving.value.path())
    assert picture.text["prompt"] == "tomato"


def test_four_variations_stand_together_and_an_empty_prompt_is_a_sentence(
    open_page: OpenPage, app: AppProcess
) -> None:
    page = paint_page(open_page, app)
    page.locator("#paint-go").click()
    expect(page.get_by_text("There is nothing to paint")).to_be_visible()
    page.locator("#paint-prompt textarea").fill("blue square")
    page.get_by_label("4", exact=True).check()
    page.locator("#paint-go").click()
    expect(page.locator("#paint-pictures a")).to_have_count(4)


def test_a_phone_in_chinese_paints_from_one_prompt_to_another(
    open_page: OpenPage, app: AppProcess
) -> None:
    page = paint_page(open_page, app, lang="zh", viewport=PHONE)
    page.locator("#paint-first textarea, #paint-first input").first.fill("red circle")
    page.locator("#paint-between-go").click()
    expect(page.locator("#paint-between img")).to_have_count(7)
    expect(page.locator("#paint-between")).to_contain_text("red circle →")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_a_program_gets_the_same_picture_for_the_same_seed(client: Client) -> None:
    one, two, other = (
        Path(client.predict("red circle", 3, 3.5, seed, api_name="/paint")).read_bytes()
        for seed in (1, 1, 2)
    )
    assert one == two != other


def test_a_program_sees_the_picture_after_every_step(client: Client) -> None:
    job = client.submit("red circle", 4, 3.5, 1, api_name="/paint")
    job.result()
    pictures = [Path(path).read_bytes() for path in job.outputs()]
    assert len(set(pictures)) == 4


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("",), "nothing to paint"),
        (("x" * 10_000,), "10,000 characters"),
        (("red", 1000), "number of steps is 1000.*Try 100\\."),
        (("red", 4, 3.5, -1), "seed is -1"),
    ],
)
def test_a_program_gets_a_sentence_for_a_mistake(client: Client, given: tuple, said: str) -> None:
    with pytest.raises(AppError, match=said):
        client.predict(*given, api_name="/paint")
