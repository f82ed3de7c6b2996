"""Both languages say everything, with the same values filled in."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

from hub_utils import errors
from tabs.i18n import TEXTS, PageError, duration, say, sentence, translations
from tabs.registry import TABS
from tests.tabs.lab import ROOT

# Words that are the same in both languages.
SAME = {"page.title", "tab.hub", "hub.remote", "hub.space", "job.running"}


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("key", TEXTS)
def test_both_languages_have_the_text_and_fill_in_the_same_values(key: str):
    english, chinese = TEXTS[key]
    assert english
    assert fields(english) == fields(chinese)
    assert key in SAME or re.search(r"[\u4e00-\u9fff]|\{detail\}", chinese), chinese
    assert not re.search(r"[\u4e00-\u9fff]", english)


@pytest.mark.parametrize("key", TEXTS)
def test_both_languages_use_the_same_markup(key: str):
    english, chinese = (re.findall(r"</?\w+>", text) for text in TEXTS[key])
    assert english == chinese


def test_the_front_end_gets_the_same_keys_in_both_languages():
    both = translations()
    assert set(both) == {"en", "zh-CN"}
    assert both["en"].keys() == both["zh-CN"].keys() == TEXTS.keys()


def test_every_tab_has_a_name():
    assert all(f"tab.{tab.name}" in TEXTS for tab in TABS)


def used_keys() -> set[str]:
    sources = [path.read_text("utf-8") for path in Path(ROOT / "tabs").rglob("*.py")]
    quoted = re.compile(r'(?:say|text|PageError|_said)\(\s*f?"([a-z_.]+)"')
    return {key for source in sources for key in quoted.findall(source)}


def test_every_text_that_the_code_names_is_in_the_table():
    keys = used_keys()
    assert len(keys) > 30
    assert keys <= TEXTS.keys() | {"page.header"}


@pytest.mark.parametrize("kind", [k for k in vars(errors).values() if isinstance(k, type)])
def test_every_expected_error_has_a_sentence_in_both_languages(kind: type[errors.LabError]):
    error = kind("lab/x is gone.", hint="Publish it.")
    assert sentence(error, "en") == "lab/x is gone. Publish it."
    assert "lab/x is gone." in sentence(error, "zh")
    assert re.search(r"[\u4e00-\u9fff]", sentence(error, "zh"))


def test_an_error_of_the_page_is_translated_with_its_values():
    error = PageError("batch.empty_row", name="a.csv", row=7)
    assert "row 7" in sentence(error, "en")
    assert "第 7 行" in sentence(error, "zh")


@pytest.mark.parametrize(
    ("seconds", "english", "chinese"),
    [(0.2, "1 s", "1 秒"), (42, "42 s", "42 秒"), (150, "2 min", "2 分钟")],
)
def test_durations_are_told_as_people_do(seconds: float, english: str, chinese: str):
    assert duration(seconds, "en") == english
    assert duration(seconds, "zh") == chinese


def test_values_are_filled_in():
    assert say("hub.pinned", "en", repo="lab/x", revision="abc") == "lab/x is pinned to abc."
