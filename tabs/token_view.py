"""A text as its tokens: coloured by how likely the model found each, with the likeliest at a click.

The browser draws it (token_view.js) from lines of JSON. While a text is made the value only grows,
and Gradio sends only what was added: an update costs the new tokens, however long the text is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

if TYPE_CHECKING:
    from training.gpt.inference import Step

SCRIPT = Path(__file__).with_name("token_view.js")
PROMPT_SHOWN = 600  # characters, the last ones
DIGITS = 4  # of a probability
TEMPLATE = """<figure class="lab-lane" hidden>
<figcaption><span class="lab-lane-title"></span> <span class="lab-lane-speed"></span></figcaption>
<div class="lab-lane-text" role="group"></div>
<aside class="lab-lane-next">
<h4></h4><ol></ol><p class="lab-lane-hint"></p>
</aside>
</figure>"""


def token_view(elem_id: str) -> Any:
    """The component; its value is a `Telling`'s text. Empty, it is not seen."""
    return gr.HTML(
        value="",
        html_template=TEMPLATE,
        js_on_load=SCRIPT.read_text("utf-8"),
        apply_default_css=False,
        elem_id=elem_id,
        elem_classes="lab-token-view",
    )


class Telling:
    """The value of a view, as it grows."""

    def __init__(
        self, title: str, prompt: str, words: Mapping[str, str], *, first: bool = True
    ) -> None:
        """`words`: next, hint, text, chosen; see token_view.js. The `first` lane comes in sight."""
        shown = prompt if len(prompt) <= PROMPT_SHOWN else "…" + prompt[-PROMPT_SHOWN:]
        self.value = ""
        self._tokens, self._said, self._ended = 0, "", False
        self._line({"title": title, "prompt": shown, "words": dict(words), "first": first})

    def show(self, steps: list[Step], say: str) -> str:
        """Take up the steps that are new; the value."""
        self._lines(_token(step) for step in steps[self._tokens :])
        self._tokens = len(steps)
        if say != self._said:
            self._said = say
            self._line({"say": say})
        return self.value

    def end(self) -> str:
        """Nothing more comes; the value."""
        if not self._ended:
            self._ended = True
            self._line({"end": True})
        return self.value

    def _line(self, content: object) -> None:
        self._lines([content])

    def _lines(self, contents: Iterable[object]) -> None:
        # "<" is written so that no text of a model looks like markup to anything on its way.
        lines = [json.dumps(content, ensure_ascii=False) + "\n" for content in contents]
        self.value += "".join(lines).replace("<", "\\u003c")


def _token(step: Step) -> list[object]:
    candidates = [[text, round(share, DIGITS)] for text, share in step.candidates]
    return [step.text, round(step.probability, DIGITS), candidates, _place(step)]


def _place(step: Step) -> int:
    """Where the token itself stands among the candidates; -1: not among them."""
    shares = [share for _, share in step.candidates]
    even = [place for place, share in enumerate(shares) if share == step.probability]
    named = [place for place in even if step.candidates[place][0] == step.text]
    return (named or even or [-1])[0]
