"""Each tutorial, from the user's data to a running Space that answers: its commands as they stand."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.test_docs import commands, levels
from tests.tutorial import SERVING, Walk, blocks, copy_project

TUTORIALS = ROOT / "docs" / "tutorials"
BUDGET_S = 10  # put in the place of a tutorial's own --max-seconds, the only change that is made
# What the last block must say: the Space's own answer.
ANSWERS = {
    "classifier": r"'label': '(billing|technical|delivery)'",
    "mini-gpt": r"\w{2}",
    "search": r"\('.+', '.+'\)",
    "match": r"(?s)'label': '(red circle|blue square)'.+caption.+green",
    "paint": r"\.(png|webp)",
}


@pytest.fixture
def walk(tmp_path: Path) -> Iterator[Walk]:
    walk = Walk(copy_project(tmp_path / "project"))
    yield walk
    walk.close()


def test_every_model_has_a_tutorial_in_both_languages():
    assert {page.stem for page in TUTORIALS.glob("*.md")} == {
        *ANSWERS,
        *(f"{name}.zh" for name in ANSWERS),
    }


@pytest.mark.parametrize("name", ANSWERS)
def test_both_languages_have_the_same_steps(name: str):
    english, chinese = (
        (TUTORIALS / f"{name}{language}.md").read_text("utf-8") for language in ("", ".zh")
    )
    assert levels(english) == levels(chinese)
    assert commands(english) == commands(chinese)
    assert f"]({name}.zh.md)" in english
    assert f"]({name}.md)" in chinese


@pytest.mark.slow
@pytest.mark.parametrize("name", ANSWERS)
def test_a_tutorial_leads_to_a_running_space_that_answers(name: str, walk: Walk):
    *before, serving, asking = blocks(TUTORIALS / f"{name}.md")
    for block in before:
        walk.run(re.sub(r"--max-seconds \d+", f"--max-seconds {BUDGET_S}", block))
    assert serving.startswith(SERVING)
    assert set(json.loads(walk.leave_running(serving))) == {"space", "url", "revision"}
    assert re.search(ANSWERS[name], walk.run(asking))
    assert walk.close() == [130]
