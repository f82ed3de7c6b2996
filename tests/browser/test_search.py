"""The Search tab in a browser, and the same app as a program sees it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from playwright.sync_api import Page, expect

from hub_utils.connection import Hub
from tests.browser.conftest import PHONE, click_example
from tests.tabs.lab import EVIL, AppProcess, HubProcess, environment_for, publish_index

OpenPage = Callable[..., Page]
REPO = "newsgroups-index"
PLOT = "document.querySelector('#search-map .js-plotly-plot')"
OWN = "The quick red fox.\n\nBread needs salt and an oven.\n\n" + EVIL


@pytest.fixture(scope="module")
def hub(hub_process: HubProcess, tmp_path_factory: pytest.TempPathFactory) -> Hub:
    return hub_process.client(tmp_path_factory.mktemp("publisher"))


@pytest.fixture(scope="module")
def app(
    hub_process: HubProcess, hub: Hub, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AppProcess]:
    """The app on a Hub where the index lands while the first page waits for it."""
    home = tmp_path_factory.mktemp("app")
    process = AppProcess(home, environment_for(hub_process, home)).start()
    yield process
    process.stop()


@pytest.fixture(scope="module")
def revision(hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The published index."""
    return publish_index(hub, tmp_path_factory.mktemp("index")).revision


@pytest.fixture(scope="module")
def client(app: AppProcess, revision: str) -> Iterator[Client]:
    connected = Client(app.url, verbose=False)
    yield connected
    connected.close()


def open_tab(open_page: OpenPage, url: str, name: str = "Search", **options) -> Page:
    page = open_page(url, **options)
    page.get_by_role("tab", name=name, exact=True).click()
    return page


def look_for(page: Page, query: str) -> None:
    page.locator("#search-query textarea").fill(query)
    page.locator("#search-go").click()


def give(page: Page, path: Path, content: str) -> None:
    path.write_text(content, "utf-8")
    page.locator("#own-file input[type=file]").set_input_files(path)
    expect(page.locator("#own-file")).to_contain_text(path.stem)
    page.locator("#own-go").click()


def answered(page: Page, said: str = "passages in|用时") -> None:
    expect(page.locator("#search-status")).to_contain_text(re.compile(said))


def test_a_waiting_tab_comes_alive_when_the_index_lands_and_keeps_what_was_typed(
    app: AppProcess, open_page: OpenPage, request: pytest.FixtureRequest
):
    page = open_tab(open_page, app.url)
    notice = page.locator("#search-notice")
    expect(notice).to_contain_text(f"Waiting for lab/{REPO}")
    expect(notice).to_contain_text("python -m training index --push")
    look_for(page, "rocket")
    expect(page.get_by_text("is not published yet. Train it")).to_be_visible()
    revision = request.getfixturevalue("revision")
    source = page.locator("#search-source")
    expect(source).to_contain_text(f"lab/{REPO} · served at {revision[:7]}")
    expect(source.get_by_role("link", name="data card")).to_have_attribute(
        "href", re.compile(f"/datasets/lab/{REPO}$")
    )
    expect(notice).to_have_text("")
    expect(page.locator("#search-facts")).to_contain_text("by the encoder lab/tiny-encoder")
    expect(page.locator("#search-map .js-plotly-plot")).to_be_visible()
    page.locator("#search-query textarea").press("Enter")
    answered(page)
    look_for(page, " ")
    expect(page.get_by_text("There is nothing to look for")).to_be_visible()


def test_an_example_is_found_shown_on_the_map_and_leads_on(
    app: AppProcess, revision: str, open_page: OpenPage
):
    page = open_tab(open_page, app.url)
    click_example(page, "search")
    answered(page, rf"\d+ passages in \d+ ms by revision {revision[:7]}")
    shown = int(page.locator("#search-status").inner_text().split()[0])
    assert 1 < shown <= 10
    expect(page.locator(".lab-rank")).to_have_text([str(n) for n in range(1, shown + 1)])
    expect(page.locator(".lab-hit mark").first).to_be_visible()
    page.wait_for_function(f"{PLOT}?.data?.at(-1).name === 'query'")
    names = page.evaluate(f"{PLOT}.data.map(trace => trace.name)")
    assert names == ["cooking", "hockey", "space", "hits", "query"]
    expect(page.locator("#search-map .annotation-text").first).to_be_visible()
    look_for(page, "rocket")
    first = page.locator(".lab-hit").first
    expect(first.locator("mark").first).to_have_text(re.compile("^rocket$", re.IGNORECASE))
    expect(first.locator(".lab-context")).to_be_hidden()
    first.get_by_text("Context").click()
    expect(first.locator(".lab-context mark").first).to_be_visible()
    title = first.locator("h4").inner_text()
    first.get_by_role("button", name="More like this").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".lab-like")).to_have_text(f"More like “{title}”")
    expect(page.locator(".lab-hit").first).to_be_visible()


def test_the_three_ways_stand_side_by_side_and_a_filter_narrows_them(
    app: AppProcess, revision: str, open_page: OpenPage
):
    page = open_tab(open_page, app.url)
    page.get_by_label("All three, side by side").check()
    look_for(page, "the rocket of good people")
    heads = page.locator(".lab-column h3")
    expect(heads).to_have_text(["Both (hybrid)", "Meaning (dense)", "Words (keyword)"])
    tops = [heads.nth(n).bounding_box()["y"] for n in range(3)]
    assert max(tops) - min(tops) < 2
    hit = page.locator(".lab-column").nth(2).locator(".lab-hit").first
    hit.hover()
    same = page.locator(f'.lab-same[data-passage="{hit.get_attribute("data-passage")}"]')
    expect(same.first).to_be_visible()
    assert page.locator(".lab-same").count() == same.count() >= 1
    page.get_by_label("Only from").click()
    page.get_by_role("option", name="topic: hockey").click()
    tags = page.locator('.lab-hit .lab-tag[title="topic"]')
    expect(tags.filter(has_text="space")).to_have_count(0)
    expect(tags.filter(has_text="cooking")).to_have_count(0)
    assert tags.count() > 1


def test_texts_of_the_corpus_do_nothing_and_copies_are_folded(
    app: AppProcess, revision: str, open_page: OpenPage
):
    page = open_tab(open_page, app.url)
    look_for(page, "alert harmed onerror")
    hit = page.locator(".lab-hit", has_text="<script>").first
    expect(hit).to_contain_text(EVIL)
    hit.get_by_text("Context").click()
    expect(hit.locator(".lab-context")).to_contain_text(EVIL)
    expect(page.locator("#search-map .js-plotly-plot")).to_be_visible()
    assert page.evaluate("window.harmed") is None
    expect(page.locator("#search-results img, #search-results script")).to_have_count(0)
    look_for(page, "butter and onion recipe copied by good people")
    folded = page.locator(".lab-hit").first.get_by_text(re.compile(r"\d+ near-copies"))
    folded.click()
    expect(page.locator(".lab-copies li").first).to_contain_text("Copy")


def test_a_file_of_one_s_own_is_searched_until_it_is_forgotten(
    app: AppProcess, revision: str, open_page: OpenPage, tmp_path: Path
):
    page = open_tab(open_page, app.url)
    page.locator("#own-go").click()
    expect(page.get_by_text("Choose a file first.")).to_be_visible()
    give(page, tmp_path / "broken.jsonl", "nonsense\n")
    expect(page.locator(".toast-body", has_text="broken.jsonl")).to_be_visible()
    expect(page.get_by_text("Traceback")).to_have_count(0)
    page.locator("#own-file").get_by_label("Clear").click()
    give(page, tmp_path / "mine.txt", OWN)
    expect(page.locator("#own-status")).to_contain_text("You now search in it.")
    look_for(page, "salt")
    answered(page, r"passages in \d+ ms from mine\.txt")
    expect(page.locator(".lab-hit").first).to_contain_text("Bread needs salt")
    assert page.evaluate("window.harmed") is None
    other = open_tab(open_page, app.url)
    expect(other.locator("#search-facts")).not_to_have_text("")
    expect(other.get_by_text("mine.txt")).to_have_count(0)
    page.locator("#own-forget").click()
    expect(page.locator("#own-status")).to_contain_text("forgotten")
    look_for(page, "salt")
    answered(page, revision[:7])


def test_a_phone_in_chinese_reads_everything_in_one_direction(
    app: AppProcess, revision: str, open_page: OpenPage
):
    url = f"{app.url}/?lang=zh"
    page = open_tab(open_page, url, "语义搜索", viewport=PHONE, color_scheme="dark")
    expect(page.locator("#search-source")).to_contain_text("数据卡")
    page.get_by_label("三种并排").check()
    click_example(page, "search")
    answered(page)
    expect(page.locator(".lab-column h3").first).to_be_in_viewport()
    expect(page.locator(".lab-column h3").first).to_have_text("两者结合")
    page.wait_for_function(f"{PLOT}?.data?.at(-1).name === 'query'")
    expect(page.locator("#search-map-hint")).to_contain_text("星号是你的问题")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


# As a program sees it


def test_a_program_gets_hits_as_plain_values(client: Client):
    found = client.predict("rocket", 3, "keyword", api_name="/search")
    assert json.loads(json.dumps(found)) == found
    assert len(found) == 3
    assert list(found[0]) == ["id", "document", "title", "text", "score", "metadata"]
    assert "rocket" in (found[0]["title"] + found[0]["text"]).lower()
    assert 3 < len(client.predict("rocket", api_name="/search")) <= 10  # near-copies are folded


def test_several_programs_search_at_once(app: AppProcess, client: Client):
    queries = ["rocket", "puck", "bread", "moon"]

    def ids(program: Client) -> list[list[str]]:
        answers = [program.predict(query, 3, "dense", api_name="/search") for query in queries]
        return [[hit["id"] for hit in hits] for hits in answers]

    # A client each: one that several threads share cancels a call that is sent while its stream of
    # answers closes.
    programs = [Client(app.url, verbose=False) for _ in range(8)]
    with ThreadPoolExecutor(len(programs)) as pool:
        together = list(pool.map(ids, programs))
    for program in programs:
        program.close()
    assert together == [ids(client)] * len(programs)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((" ", 3, "hybrid"), "nothing to look for"),
        (("moon", 1_000, "hybrid"), "k is 1000"),
        (("moon", 3, "all"), "no mode all"),
    ],
)
def test_a_program_gets_a_sentence_for_a_mistake(client: Client, given: tuple, said: str):
    with pytest.raises(AppError, match=said):
        client.predict(*given, api_name="/search")
