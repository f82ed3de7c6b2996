import re
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from hub_utils.local_hub import words
from hub_utils.local_hub.words import TABLE, Words, choose_language

NOW = datetime(2026, 5, 20, 12, tzinfo=timezone.utc)


@pytest.mark.parametrize("key", TABLE)
def test_both_languages_say_something_with_the_same_blanks(key):
    english, chinese = TABLE[key]
    assert english.strip()
    assert chinese.strip()
    assert set(re.findall(r"{\w+}", english)) == set(re.findall(r"{\w+}", chinese))


def test_every_word_that_a_template_asks_for_is_there():
    templates = (Path(words.__file__).parent / "templates").glob("*.html")
    asked = {key for path in templates for key in re.findall(r'\bt\("(\w+)"[,)]', path.read_text())}
    assert len(asked) > 40
    assert asked <= set(TABLE)


def test_unknown_word_is_an_error():
    with pytest.raises(KeyError):
        Words("en")("no_such_word")


@pytest.mark.parametrize(
    ("asked", "remembered", "accepted", "language"),
    [
        ("zh", "en", "en", "zh"),
        ("", "zh", "en", "zh"),
        ("", "", "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("", "", "fr,en;q=0.4,zh;q=0.6", "zh"),
        ("", "", "fr", "en"),
        ("", "", "", "en"),
        ("xx", "<script>", "zh;q=nonsense,en;q=0.1", "en"),
    ],
)
def test_language_is_what_was_asked_then_remembered_then_accepted(
    asked, remembered, accepted, language
):
    assert choose_language(asked, remembered, accepted) == language


@pytest.mark.parametrize(
    ("age", "text"),
    [
        (timedelta(seconds=3), "just now"),
        (timedelta(minutes=5), "5 min ago"),
        (timedelta(hours=3), "3 h ago"),
        (timedelta(hours=30), "yesterday"),
        (timedelta(days=9), "9 days ago"),
        (timedelta(days=80), "2026-03-01"),
    ],
)
def test_ages_read_as_people_say_them(age, text):
    assert Words("en").ago(NOW - age, NOW) == text
