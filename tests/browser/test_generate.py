"""The Generate tab in a browser, and the same app as a program sees it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from playwright.sync_api import Page, expect

from hub_utils.connection import Hub
from tests.browser.conftest import PHONE, click_example
from tests.tabs.lab import AppProcess, HubProcess, environment_for, publish, tiny_generator

OpenPage = Callable[..., Page]
EVIL = "<img src=x onerror='window.harmed=true'> <b>wolf</b>"
REPO = "fairy-tale-gpt"


@pytest.fixture(scope="module")
def hub(hub_process: HubProcess, tmp_path_factory: pytest.TempPathFactory) -> Hub:
    return hub_process.client(tmp_path_factory.mktemp("publisher"))


@pytest.fixture(scope="module")
def app(
    hub_process: HubProcess, hub: Hub, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AppProcess]:
    """The app on a Hub where the language model lands while the first page waits for it."""
    home = tmp_path_factory.mktemp("app")
    process = AppProcess(home, environment_for(hub_process, home)).start()
    yield process
    process.stop()


@pytest.fixture(scope="module")
def revision(hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The published language model."""
    return publish(hub, tiny_generator(tmp_path_factory.mktemp("model"), seed=1), REPO).revision


@pytest.fixture(scope="module")
def client(app: AppProcess, revision: str) -> Iterator[Client]:
    connected = Client(app.url, verbose=False)
    yield connected
    connected.close()


def open_tab(open_page: OpenPage, url: str, name: str = "Generate", **options) -> Page:
    page = open_page(url, **options)
    page.get_by_role("tab", name=name).click()
    return page


def length(page: Page, tokens: int) -> None:
    page.locator("#generate-max-new-tokens input[type=number]").fill(str(tokens))
    page.locator("#generate-max-new-tokens input[type=number]").press("Tab")


def write(page: Page, prompt: str = "Once upon", tokens: int = 30) -> None:
    length(page, tokens)
    page.locator("#generate-prompt textarea").fill(prompt)
    page.get_by_role("button", name="Go on", exact=True).click()


def done(page: Page) -> None:
    expect(page.locator("#generate-status")).to_contain_text(re.compile("Answered in|用时"))


def test_a_waiting_tab_comes_alive_when_the_model_lands_and_keeps_what_was_typed(
    app: AppProcess, open_page: OpenPage, request: pytest.FixtureRequest
):
    page = open_tab(open_page, app.url)
    notice = page.locator("#generate-notice")
    expect(notice).to_contain_text(f"Waiting for lab/{REPO}")
    expect(notice).to_contain_text("python -m training gpt --push")
    write(page)
    expect(page.get_by_text("is not published yet. Train it")).to_be_visible()
    revision = request.getfixturevalue("revision")
    source = page.locator("#generate-source")
    expect(source).to_contain_text(f"lab/{REPO} · served at {revision[:7]} · bits per byte 2.001")
    expect(notice).to_have_text("")
    expect(page.locator("#generate-prompt textarea")).to_have_value("Once upon")
    page.get_by_role("button", name="Go on", exact=True).click()
    done(page)


def test_one_click_on_an_example_writes_on_in_coloured_tokens(
    app: AppProcess, revision: str, open_page: OpenPage
):
    page = open_tab(open_page, app.url)
    click_example(page, "generate")
    done(page)
    lane = page.locator("#generate-lane-0")
    expect(lane.locator(".lab-prompt")).to_contain_text("Once upon a time there was a king")
    assert lane.locator(".lab-lane-text .lab-token").count() == 200
    colours = lane.locator(".lab-token").evaluate_all(
        "all => [...new Set(all.map(one => getComputedStyle(one).backgroundColor))]"
    )
    assert len(colours) > 1
    expect(lane.locator(".lab-lane-speed")).to_contain_text("tokens/s · 200 tokens")
    expect(page.locator("#generate-status")).to_contain_text(f"by revision {revision[:7]}")
    expect(page.locator("#generate-legend")).to_contain_text("under 1 %")
    expect(page.locator("#generate-lane-1 .lab-lane")).to_be_hidden()


def test_a_click_on_a_token_shows_the_ten_likeliest_and_the_keyboard_walks_on(
    app: AppProcess, revision: str, open_page: OpenPage
):
    page = open_tab(open_page, app.url)
    write(page)
    done(page)
    tokens = page.locator("#generate-lane-0 .lab-lane-text .lab-token")
    rows = page.locator("#generate-lane-0 .lab-lane-next li")
    tokens.nth(3).click()
    expect(tokens.nth(3)).to_have_attribute("aria-pressed", "true")
    assert rows.count() in (10, 11)  # the eleventh: a token that was not among them
    assert page.locator("#generate-lane-0 .lab-chosen").count() == 1
    shares = [float(text.strip("<% ")) for text in rows.locator(".lab-percent").all_inner_texts()]
    assert shares[:10] == sorted(shares[:10], reverse=True)
    before = rows.all_inner_texts()
    page.keyboard.press("ArrowRight")
    expect(tokens.nth(4)).to_be_focused()
    expect(tokens.nth(4)).to_have_attribute("aria-pressed", "true")
    assert rows.all_inner_texts() != before
    page.keyboard.press("End")
    expect(tokens.nth(29)).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(tokens.nth(29)).to_be_focused()
    assert page.locator('#generate-lane-0 .lab-token[tabindex="0"]').count() == 1


def test_two_temperatures_side_by_side_and_what_the_cache_saves(
    app: AppProcess, revision: str, open_page: OpenPage
):
    page = open_tab(open_page, app.url)
    page.get_by_label("Side by side with a second temperature").check()
    page.get_by_label("No cache").check()
    expect(page.locator("#generate-other")).to_be_visible()
    write(page, tokens=40)
    done(page)
    texts = [
        page.locator(f"#generate-lane-{number} .lab-lane-text").inner_text() for number in range(3)
    ]
    titles = [page.locator(f"#generate-lane-{n} .lab-lane-title").inner_text() for n in range(3)]
    assert titles == ["Temperature 0.8", "Temperature 1.2", "Temperature 0.8, no cache"]
    assert texts[0] == texts[2]
    assert texts[0] != texts[1]
    said = re.compile(r"With the cache [\d,]+ tokens a second, without it [\d,]+: it makes")
    expect(page.locator("#generate-status")).to_contain_text(said)
    expect(page.locator("#generate-status")).to_contain_text("The tokens are the same.")


def test_stopping_keeps_what_is_written(app: AppProcess, revision: str, open_page: OpenPage):
    page = open_tab(open_page, app.url)
    page.get_by_label("No cache").check()
    write(page, tokens=1000)
    # The sooner it is stopped, the less can end before.
    expect(page.locator("#generate-lane-1 .lab-token").first).to_be_visible()
    page.locator("#generate-stop").click()
    expect(page.locator("#generate-status")).to_contain_text("Stopped after")
    kept = page.locator("#generate-lane-1 .lab-token").count()
    assert 0 < kept < 1000
    assert page.locator(".lab-running").count() == 0
    write(page, tokens=30)
    done(page)


def test_a_prompt_over_the_context_is_cut_with_a_notice_and_shown_as_text(
    app: AppProcess, revision: str, open_page: OpenPage
):
    page = open_tab(open_page, app.url)
    write(page, "the wolf said " * 100 + EVIL, tokens=10)
    done(page)
    notice = page.locator("#generate-note .lab-notice")
    expect(notice).to_contain_text("longer than the model's context of 256 tokens")
    expect(notice).to_contain_text(re.compile(r"its first \d+ tokens were left out"))
    expect(page.locator("#generate-lane-0 .lab-prompt")).to_contain_text(EVIL)
    assert page.evaluate("window.harmed") is None


def test_without_a_prompt_a_sentence_says_what_to_do(
    app: AppProcess, revision: str, open_page: OpenPage
):
    page = open_tab(open_page, app.url)
    page.get_by_role("button", name="Go on", exact=True).click()
    expect(page.get_by_text("There is nothing to go on from")).to_be_visible()
    expect(page.get_by_text("Traceback")).to_have_count(0)


def test_a_phone_in_chinese_reads_everything_in_one_direction(
    app: AppProcess, revision: str, open_page: OpenPage
):
    page = open_tab(open_page, f"{app.url}/?lang=zh", "文本生成", viewport=PHONE)
    expect(page.locator("#generate-source")).to_contain_text("当前版本")
    page.get_by_label("与另一个温度并排").check()
    click_example(page, "generate")
    done(page)
    expect(page.locator("#generate-lane-0 .lab-lane-title")).to_be_in_viewport()
    expect(page.locator("#generate-lane-1 .lab-lane-title")).to_have_text("温度 1.2")
    expect(page.locator("#generate-legend")).to_contain_text("低于 1 %")
    page.locator("#generate-lane-0 .lab-token").nth(2).click()
    expect(page.locator("#generate-lane-0 .lab-lane-next h4")).to_have_text("这里可能出现的词元")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_colour_of_the_legend_is_readable(
    app: AppProcess, revision: str, open_page: OpenPage, scheme: str
):
    page = open_tab(open_page, app.url, color_scheme=scheme)
    write(page, tokens=10)
    done(page)
    pairs = page.locator("#generate-legend .lab-token").evaluate_all(
        "all => all.map(getComputedStyle).map(style => [style.color, style.backgroundColor])"
    )
    assert len(pairs) == len({background for _, background in pairs}) == 5
    assert min(contrast(*pair) for pair in pairs) >= 4.5


def contrast(one: str, other: str) -> float:
    """WCAG contrast of two CSS colours."""
    dark, light = sorted(map(luminance, (one, other)))
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = [int(number) / 255 for number in re.findall(r"\d+", colour)[:3]]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_a_new_revision_is_offered_and_loaded_without_a_reload(
    app: AppProcess, revision: str, open_page: OpenPage, hub: Hub, tmp_path
):
    page = open_tab(open_page, app.url)
    expect(page.locator("#generate-source")).to_contain_text(revision[:7])
    newer = publish(hub, tiny_generator(tmp_path / "newer", seed=2), REPO).revision
    expect(page.locator("#generate-notice")).to_contain_text(f"new revision, {newer[:7]}")
    page.get_by_role("button", name=f"Load revision {newer[:7]}").click()
    expect(page.locator("#generate-source")).to_contain_text(newer[:7])
    write(page, tokens=10)
    expect(page.locator("#generate-status")).to_contain_text(f"by revision {newer[:7]}")


# As a program sees it


def pieces(client: Client, prompt: str, seed: int, tokens: int = 300) -> tuple[list[str], str]:
    """Everything that arrived, and the result."""
    job = client.submit(prompt, tokens, 0.8, 0, 1.0, seed, api_name="/generate")
    result = job.result(timeout=120)
    return job.outputs(), result


def test_a_program_gets_the_text_as_it_grows(client: Client):
    arrived, result = pieces(client, "Once upon", seed=1)
    assert len(arrived) > 2
    assert all(longer.startswith(shorter) for shorter, longer in pairwise(arrived))
    added = [new[len(old) :] for old, new in zip(["", *arrived], arrived, strict=False)]
    assert result == "".join(added) == arrived[-1]


def test_the_same_seed_gives_the_same_text_and_the_defaults_are_enough(client: Client):
    texts = {pieces(client, "Once upon", seed=seed, tokens=40)[1] for seed in (7, 7, 8)}
    assert len(texts) == 2
    alone = client.predict("Once upon", api_name="/generate")
    assert isinstance(alone, str)
    assert alone


def test_several_programs_stream_at_once(app: AppProcess, client: Client):
    expected = [pieces(client, "The wolf", seed=seed)[1] for seed in range(3)]
    clients = [Client(app.url, verbose=False) for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda n: pieces(clients[n % 3], "The wolf", seed=n % 3), range(6)))
    for connected in clients:
        connected.close()
    assert [result for _, result in answers] == expected * 2
    assert all(len(arrived) > 2 for arrived, _ in answers)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((" ", 10, 0.8, 0, 1.0, 0), "nothing to go on from"),
        (("Once", 100_000, 0.8, 0, 1.0, 0), "max_new_tokens is 100000"),
        (("Once", 10, -1, 0, 1.0, 0), "temperature is -1"),
    ],
)
def test_a_program_gets_a_sentence_for_a_mistake(client: Client, given: tuple, said: str):
    with pytest.raises(AppError, match=said):
        client.predict(*given, api_name="/generate")
