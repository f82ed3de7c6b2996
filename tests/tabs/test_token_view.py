"""What the browser is told of a text: it only grows, costs what is new, and carries no markup."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from gradio.utils import diff

from tabs.token_view import PROMPT_SHOWN, Telling, token_view

WORDS = {"next": "n", "hint": "h", "text": "t", "chosen": "c"}


@dataclass
class FakeStep:
    text: str
    probability: float = 0.25
    candidates: tuple[tuple[str, float], ...] = (("a", 0.5), ("b", 0.25), ("c", 0.25))


def lines(value: str) -> list[Any]:
    return [json.loads(line) for line in value.splitlines()]


def test_the_first_line_says_what_is_around_the_text():
    telling = Telling("Temperature 1", "Once", WORDS)
    head = {"title": "Temperature 1", "prompt": "Once", "words": WORDS, "first": True}
    assert lines(telling.value) == [head]
    assert not lines(Telling("", "", WORDS, first=False).value)[0]["first"]


def test_of_a_long_prompt_the_end_is_shown():
    shown = lines(Telling("", "x" + "y" * PROMPT_SHOWN, WORDS).value)[0]["prompt"]
    assert shown == "…" + "y" * PROMPT_SHOWN


def test_a_token_is_told_with_its_probability_and_the_candidates():
    value = Telling("", "", WORDS).show([FakeStep("b")], "fast")  # type: ignore[list-item]
    token, said = lines(value)[1:]
    assert token == ["b", 0.25, [["a", 0.5], ["b", 0.25], ["c", 0.25]], 1]
    assert said == {"say": "fast"}


def test_the_place_of_a_token_among_the_candidates():
    steps = [FakeStep("?", 0.5), FakeStep("c"), FakeStep("?"), FakeStep("rare", 0.001)]
    value = Telling("", "", WORDS).show(steps, "fast")  # type: ignore[arg-type]
    assert [line[3] for line in lines(value)[1:-1]] == [0, 2, 1, -1]


def test_an_update_costs_what_is_new():
    telling = Telling("", "Once", WORDS)
    steps = [FakeStep("a")] * 300
    before = [telling.show(steps, "1")]  # type: ignore[arg-type]
    after = [telling.show([*steps, FakeStep("b")], "2")]  # type: ignore[list-item]
    ((kind, path, added),) = diff(before, after)
    assert (kind, path) == ("append", [0])
    assert len(added) < 120
    assert lines(added)[0][0] == "b"
    assert telling.end().startswith(after[0])


def test_what_has_ended_costs_nothing_while_others_go_on():
    telling = Telling("", "Once", WORDS)
    steps = [FakeStep("a")]
    telling.show(steps, "1")  # type: ignore[arg-type]
    ended = telling.end()
    assert telling.show(steps, "1") == ended == telling.end()  # type: ignore[arg-type]
    assert lines(ended)[-1] == {"end": True}


def test_nothing_that_a_model_writes_is_markup_on_its_way():
    step = FakeStep("<script>", 0.5, (("</b>", 0.5),))
    value = Telling("<i>", "<b>", WORDS).show([step], "<u>")  # type: ignore[list-item]
    assert "<" not in value
    assert lines(value)[1][0] == "<script>"


def test_the_component_begins_unseen_and_its_template_never_changes():
    import gradio as gr

    with gr.Blocks():
        view = token_view("lane")
    assert view.value == ""
    assert "hidden" in view.html_template
    assert "${" not in view.html_template  # a template that changes would be drawn again
