"""The Classify tab in a browser, and the same app as a program sees it."""

from __future__ import annotations

import csv
import json
import re
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE, click_example
from tests.tabs.lab import LABELS, AppProcess, HubProcess, environment_for, publish

OpenPage = Callable[..., Page]
EVIL = "<img src=x onerror='window.harmed=true'>"


@pytest.fixture(scope="module")
def app(
    hub_process: HubProcess,
    make_classifier: Callable[..., Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[AppProcess]:
    """The app on a Hub with the default classifier and one with a hostile label."""
    home = tmp_path_factory.mktemp("app")
    hub = hub_process.client(home / "publisher")
    publish(hub, make_classifier())
    publish(hub, make_classifier(labels=(EVIL, EVIL + "!")), "hostile")
    process = AppProcess(home, environment_for(hub_process, home)).start()
    yield process
    process.stop()


def classify_example(page: Page) -> None:
    click_example(page, "classify")
    expect(page.locator("#classify-latency")).to_contain_text(re.compile(r"ms|毫秒"))


def test_one_click_on_an_example_classifies_and_explains(app: AppProcess, open_page: OpenPage):
    page = open_page(app.url)
    expect(page.locator("#classify-source")).to_contain_text("lab/reuters-classifier · served at")
    classify_example(page)
    expect(page.locator("#classify-text textarea")).to_have_value(re.compile("^Champion Products"))
    for label in LABELS:
        expect(page.locator("#classify-label")).to_contain_text(label)
    expect(page.locator("#classify-words")).to_contain_text("Champion Products")
    expect(page.locator("#classify-words")).to_contain_text("strongly for")


def test_a_typed_text_is_classified_by_the_button(app: AppProcess, open_page: OpenPage):
    page = open_page(app.url)
    page.get_by_label("Text", exact=True).fill("the bank said oil")
    page.get_by_role("button", name="Classify", exact=True).click()
    expect(page.locator("#classify-words")).to_contain_text("the bank said oil")


def test_the_provenance_links_to_a_page_whose_card_is_harmless(
    app: AppProcess, open_page: OpenPage
):
    page = open_page(app.url)
    card = page.locator("#classify-source a", has_text="model card")
    with page.context.expect_page() as opened:
        card.click()
    expect(opened.value.get_by_text("Tiny model").first).to_be_visible()
    assert opened.value.evaluate("window.harmed") is None


def test_a_hostile_label_is_shown_as_text(app: AppProcess, open_page: OpenPage):
    page = open_page(app.url)
    page.get_by_label("Model").click()
    page.get_by_role("option", name="lab/hostile").click()
    expect(page.locator("#classify-source")).to_contain_text("lab/hostile")
    classify_example(page)
    expect(page.locator("#classify-label")).to_contain_text(EVIL)
    assert page.evaluate("window.harmed") is None


def test_without_text_a_sentence_says_what_to_do(app: AppProcess, open_page: OpenPage):
    page = open_page(app.url)
    page.get_by_role("button", name="Classify", exact=True).click()
    expect(page.get_by_text("There is no text to classify")).to_be_visible()
    expect(page.get_by_text("Traceback")).to_have_count(0)


def test_the_switch_speaks_chinese_everywhere_and_is_remembered(
    app: AppProcess, open_page: OpenPage
):
    page = open_page(app.url)
    assert page.evaluate("document.documentElement.lang") == "en"
    page.get_by_role("link", name="中文").click()
    expect(page.get_by_role("tab", name="文本分类")).to_be_visible()
    assert page.evaluate("document.documentElement.lang") == "zh-CN"
    expect(page.locator("#classify-source")).to_contain_text("当前版本")
    classify_example(page)
    expect(page.locator("#classify-words")).to_contain_text("强烈支持")
    page.goto(app.url)  # the address no longer says it
    expect(page.get_by_role("tab", name="文本分类")).to_be_visible()
    page.get_by_role("link", name="English").click()
    expect(page.get_by_role("tab", name="Classify")).to_be_visible()


def test_a_chinese_browser_gets_chinese_at_once(app: AppProcess, open_page: OpenPage):
    page = open_page(app.url, locale="zh-CN")
    expect(page.get_by_role("button", name="分类", exact=True)).to_be_visible()
    page.get_by_role("button", name="分类", exact=True).click()
    expect(page.get_by_text("没有可分类的文本")).to_be_visible()


def contrast(page: Page, selector: str) -> float:
    """WCAG contrast between an element's colour and the page's background."""
    colours = page.evaluate(
        """selector => [getComputedStyle(document.querySelector(selector)).color,
                        getComputedStyle(document.body).backgroundColor]""",
        selector,
    )
    light, dark = sorted(map(_luminance, colours), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(number) / 255 for number in re.findall(r"\d+", colour)[:3]]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_are_readable_in_light_and_dark(app: AppProcess, open_page: OpenPage, scheme: str):
    page = open_page(app.url, color_scheme=scheme)
    expect(page.locator("#classify-source a").first).to_be_visible()
    background = _luminance(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert (background < 0.1) == (scheme == "dark")
    for selector in (".lab-name", ".lab-tagline", ".lab-intro p", "#classify-source a"):
        assert contrast(page, selector) >= 4.5, selector


def test_the_switch_for_dark_is_remembered(app: AppProcess, open_page: OpenPage):
    page = open_page(app.url, color_scheme="light")
    page.get_by_role("button", name="Light or dark").click()
    expect(page.locator("body")).to_have_class(re.compile("dark"))
    page.goto(app.url)
    expect(page.locator("#classify-source a").first).to_be_visible()
    expect(page.locator("body")).to_have_class(re.compile("dark"))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_phone_scrolls_in_one_direction_only(app: AppProcess, open_page: OpenPage, language: str):
    page = open_page(f"{app.url}/?lang={language}", viewport=PHONE)
    classify_example(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.get_by_role("tab", name="Hub").click()
    expect(page.locator("#hub-published")).to_contain_text("lab/reuters-classifier")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_the_keyboard_reaches_the_controls_and_shows_where_it_is(
    app: AppProcess, open_page: OpenPage
):
    page = open_page(app.url)
    expect(page.locator("#classify-source a").first).to_be_visible()
    page.keyboard.press("Tab")
    style = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert (page.evaluate("document.activeElement.tagName"), style) == ("A", "solid")


def test_a_file_is_classified_and_comes_back(app: AppProcess, open_page: OpenPage, tmp_path: Path):
    path = tmp_path / "news.csv"
    path.write_text("text\n" + "oil price\n" * 200, "utf-8")
    page = open_page(app.url)
    page.locator("#batch-file input[type=file]").set_input_files(path)
    expect(page.locator("#batch-file")).to_contain_text("news")
    page.get_by_role("button", name="Classify the file").click()
    expect(page.locator("#batch-status")).to_contain_text("200 rows in")
    expect(page.locator("#batch-result")).to_contain_text("news-classified")


def test_an_unusable_file_is_a_sentence(app: AppProcess, open_page: OpenPage, tmp_path: Path):
    path = tmp_path / "news.csv"
    path.write_text("id,title,body\n1,one,two\n", "utf-8")
    page = open_page(app.url)
    page.locator("#batch-file input[type=file]").set_input_files(path)
    expect(page.locator("#batch-file")).to_contain_text("news")
    page.get_by_role("button", name="Classify the file").click()
    expect(page.get_by_text("it has: id, title, body")).to_be_visible()


def test_without_a_file_a_sentence_says_so(app: AppProcess, open_page: OpenPage):
    page = open_page(app.url)
    page.get_by_role("button", name="Classify the file").click()
    expect(page.get_by_text("Choose a file first.")).to_be_visible()


def test_stopping_a_file_keeps_the_rows_that_are_done(
    app: AppProcess, open_page: OpenPage, tmp_path: Path
):
    path = tmp_path / "long.csv"
    path.write_text("text\n" + ("oil price " * 180 + "\n") * 10_000, "utf-8")
    page = open_page(app.url)
    page.locator("#batch-file input[type=file]").set_input_files(path)
    expect(page.locator("#batch-file")).to_contain_text("long")
    page.get_by_role("button", name="Classify the file").click()
    left = re.compile(r"[1-9][\d,]* of 10,000 rows, about \d+ s left")
    expect(page.locator("#batch-result")).to_contain_text(left)
    page.locator("#batch-stop").click()
    expect(page.locator("#batch-status")).to_contain_text("Stopped after")
    expect(page.locator("#batch-result")).to_contain_text("long-classified")


# As a program sees it


def test_a_program_gets_the_label_and_every_confidence(client: Client):
    answer = client.predict("the bank said oil", api_name="/classify")
    assert {one["label"] for one in answer["confidences"]} == set(LABELS)
    assert answer["label"] == answer["confidences"][0]["label"]


def test_a_program_sends_a_file_and_gets_a_file(client: Client, tmp_path: Path):
    path = tmp_path / "texts.csv"
    path.write_text("text,label\noil price,?\nbank money,?\n", "utf-8")
    result = client.predict(handle_file(str(path)), api_name="/classify_batch")
    with Path(result).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["text"] for row in rows] == ["oil price", "bank money"]
    assert {row["label"] for row in rows} <= set(LABELS)


def test_a_program_gets_a_sentence_for_a_mistake(client: Client):
    with pytest.raises(AppError, match="There is no text to classify"):
        client.predict("  ", api_name="/classify")


def test_mcp_offers_the_tools_with_their_descriptions(app: AppProcess):
    with urllib.request.urlopen(f"{app.url}/gradio_api/mcp/schema", timeout=30) as answer:
        tools = {tool["name"]: tool for tool in json.load(answer)}
    pictures = {"match", "find_image", "paint"}
    assert set(tools) == {"classify", "classify_batch", "generate", "search", *pictures}
    for name in pictures:
        assert all(one["description"] for one in tools[name]["inputSchema"]["properties"].values())
    assert list(tools["classify"]["inputSchema"]["properties"]) == ["text"]
    assert list(tools["classify_batch"]["inputSchema"]["properties"]) == ["file"]
    assert "every label" in tools["classify"]["description"]
    assert tools["classify"]["inputSchema"]["properties"]["text"]["description"]
    given = tools["generate"]["inputSchema"]["properties"]
    assert list(given) == ["prompt", "max_new_tokens", "temperature", "top_k", "top_p", "seed"]
    assert all(one["description"] for one in given.values())
    assert "streams the continuation" in tools["generate"]["description"]
