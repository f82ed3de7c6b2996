"""The Match tab in a browser, and the same app as a program sees it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE, click_example
from tests.tabs.lab import AppProcess, HubProcess, environment_for, publish, tiny_clip
from tests.training.clip.conftest import draw

OpenPage = Callable[..., Page]


@pytest.fixture(scope="module")
def app(hub_process: HubProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppProcess]:
    """The app on a Hub with a tiny CLIP."""
    home = tmp_path_factory.mktemp("app")
    hub = hub_process.client(home / "publisher")
    publish(hub, tiny_clip(tmp_path_factory.mktemp("clip")), "emoji-clip")
    process = AppProcess(home, environment_for(hub_process, home)).start()
    yield process
    process.stop()


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "red-circle.png"
    draw("red", "circle").save(path)
    return path


def match_page(
    open_page: OpenPage, app: AppProcess, *, lang: str = "en", **options: object
) -> Page:
    page = open_page(f"{app.url}/?lang={lang}", **options)
    page.get_by_role("tab", name=re.compile("Match|图文匹配")).click()
    expect(page.locator("#match-source")).to_contain_text("emoji-clip")
    return page


def test_an_uploaded_picture_is_matched_and_shows_where_it_looked(
    open_page: OpenPage, app: AppProcess, picture: Path
) -> None:
    page = match_page(open_page, app)
    page.locator("#match-texts textarea").fill("red circle\nblue square\ngreen cross")
    page.locator("#match-image input[type=file]").set_input_files(picture)
    expect(page.locator("#match-latency")).to_contain_text("ms")
    expect(page.locator("#match-scores")).to_contain_text("blue square")
    expect(page.locator("#match-looked img")).to_be_visible()


def test_a_picked_picture_is_matched_by_one_click(open_page: OpenPage, app: AppProcess) -> None:
    page = match_page(open_page, app)
    page.locator("#match-picks button img").first.click()
    expect(page.locator("#match-latency")).to_contain_text("ms")


def test_a_text_finds_pictures_by_one_click_on_an_example(
    open_page: OpenPage, app: AppProcess
) -> None:
    page = match_page(open_page, app, lang="zh", viewport=PHONE)
    page.get_by_role("tab", name="文 → 图").click()
    click_example(page, "match")
    expect(page.locator("#match-find-latency")).to_contain_text("毫秒")
    expect(page.locator("#match-gallery img")).to_have_count(12)
    for box in [image.bounding_box() for image in page.locator("#match-gallery img").all()]:
        assert box["x"] + box["width"] <= PHONE["width"]
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= PHONE["width"]


def test_pictures_against_texts_are_a_table(open_page: OpenPage, app: AppProcess) -> None:
    page = match_page(open_page, app)
    page.get_by_role("tab", name="Likeness table").click()
    page.locator("#match-many-texts textarea").fill("red\nblue")
    page.locator("#match-many-go").click()
    expect(page.locator("#match-table tbody tr")).to_have_count(6)
    expect(page.locator("#match-table thead th")).to_have_count(2)


def test_programs_match_and_find(client: Client, picture: Path) -> None:
    found = client.predict(handle_file(str(picture)), "red circle\nblue", api_name="/match")
    assert {entry["label"] for entry in found["confidences"]} == {"red circle", "blue"}
    assert len(client.predict("red circle", 3, api_name="/find_image")) == 3


@pytest.mark.parametrize(
    ("texts", "sentence"), [("", "There is no text to match"), (" \n", "There is no text to match")]
)
def test_a_program_gets_a_sentence_for_a_mistake(
    client: Client, picture: Path, texts: str, sentence: str
) -> None:
    with pytest.raises(AppError, match=sentence):
        client.predict(handle_file(str(picture)), texts, api_name="/match")


def test_a_file_that_is_no_picture_is_a_sentence(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "note.png"
    path.write_text("only words")
    with pytest.raises(AppError) as refused:
        client.predict(handle_file(str(path)), "red", api_name="/match")
    assert "Traceback" not in str(refused.value)
    assert "note.png cannot be opened as a picture" in str(refused.value)
