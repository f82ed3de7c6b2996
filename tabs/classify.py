"""The Classify tab: a text in, labels with confidences out, and the words that decided."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from tabs import classify_file, elsewhere, fragments, model_panel
from tabs.classification import Answer, answer, degree, explain
from tabs.i18n import say
from tabs.kinds import CLASSIFIER
from tabs.language import Language
from tabs.model_slot import LOAD_WAIT_S
from tabs.services import Services
from tabs.widgets import PRIVATE, QUIET, counted_as, offer, reader, sentences, text

EXAMPLES = (
    "Champion Products Inc said its board approved a two-for-one stock split and raised the "
    "quarterly dividend to 15 cents a share.",
    "Computer Terminal Systems said it acquired Sage Drilling for 12.2 mln dlrs in cash.",
    "OPEC ministers meet in Geneva to discuss cutting crude oil output after prices fell below "
    "18 dlrs a barrel.",
    "The Bank of England said it provided the money market with 202 mln stg of assistance.",
    "Japan's trade surplus with the United States widened in March, and Washington threatened "
    "tariffs.",
)
COLOURS = {"for_much": "#5a9f92", "for": "#b3d7ce", "against": "#f0c4ad", "against_much": "#d98559"}
# Who comes while the network runs is served by its next pass, with all the others that came.
LIMITS: dict[str, Any] = {"concurrency_limit": 16, "concurrency_id": "classify"}
EXPLAIN: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "explain"}  # many passes


@dataclass(frozen=True)
class _Ask:
    """Where a text goes in and its answer comes out."""

    given: Any
    go: Any
    stop: Any
    examples: Any
    scores: Any
    latency: Any
    words: Any


def build(services: Services) -> None:
    """Lay the tab out and connect it."""
    chosen = model_panel.build(services, CLASSIFIER)
    ask = _lay_out_ask()
    _connect_ask(services, chosen, ask)
    _offer_to_programs(services, ask)
    classify_file.build(services, chosen)
    elsewhere.build(services, CLASSIFIER, chosen)


def _lay_out_ask() -> _Ask:
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=300):
            given = gr.Textbox(
                label=text("classify.text"),
                placeholder=text("classify.placeholder"),
                lines=5,
                max_lines=12,
                elem_id="classify-text",
            )
            with gr.Row():
                go = gr.Button(text("classify.go"), variant="primary", elem_id="classify-go")
                stop = gr.Button(text("page.stop"), scale=0, min_width=110, elem_id="classify-stop")
            examples = gr.Dataset(
                components=[given],
                samples=[[sample] for sample in EXAMPLES],
                label=text("classify.examples"),
                elem_id="classify-examples",
                elem_classes="lab-examples",
            )
        with gr.Column(scale=4, min_width=300):
            scores = gr.Label(
                label=text("classify.label"), elem_id="classify-label", elem_classes="lab-answer"
            )
            latency = gr.HTML(elem_id="classify-latency")
            words = gr.HighlightedText(
                label=text("classify.words"),
                show_legend=True,
                visible=False,
                elem_id="classify-words",
            )
    return _Ask(given, go, stop, examples, scores, latency, words)


def _connect_ask(services: Services, chosen: Any, ask: _Ask) -> None:
    last = gr.State(None)  # the last Answer, for what is shown after it

    @sentences
    def show(text: str, repo: str, _request: gr.Request) -> tuple[dict[str, float], Answer]:
        given = answer(services.slot(CLASSIFIER, repo).serving(LOAD_WAIT_S), text)
        return given.scores, given

    @sentences
    def show_details(given: Answer, repo: str, request: gr.Request) -> tuple[str, Any]:
        language = reader(request)
        marked = explain(services.slot(CLASSIFIER, repo).serving(LOAD_WAIT_S), given)
        return _latency(given, language), _words(marked, language)

    def on(trigger: Callable[..., Any]) -> list[Any]:
        limits = {**LIMITS, **PRIVATE}
        first = trigger(
            counted_as("classify", show), [ask.given, chosen], [ask.scores, last], **limits
        )
        outputs = [ask.latency, ask.words]
        after = first.success(
            show_details, [last, chosen], outputs, show_progress="hidden", **EXPLAIN, **PRIVATE
        )
        return [first, after]

    events = on(ask.go.click)
    events += on(ask.given.submit)
    filled = ask.examples.click(lambda row: row[0], ask.examples, ask.given, **QUIET)
    events += on(filled.then)
    ask.stop.click(None, cancels=events, **PRIVATE)


def _offer_to_programs(services: Services, ask: _Ask) -> None:
    def classify(text: str, _request: gr.Request) -> dict[str, float]:
        """Say what a text is about: every label of the served classifier with its confidence.

        Args:
            text: The text to classify, in the language that the classifier was trained on.
        """
        return answer(services.slot(CLASSIFIER).serving(LOAD_WAIT_S), text).scores

    offer(classify, ask.given, ask.scores, name="classify", **LIMITS)


def _words(marked: list[tuple[str, float]], language: Language) -> Any:
    shown: list[tuple[str, str | None]] = []
    for word, score in marked:
        key, bare = degree(score), word.rstrip()
        shown += [(bare, say(key, language) if key else None), (word[len(bare) :], None)]
    colours = {say(f"classify.{key}", language): colour for key, colour in COLOURS.items()}
    return gr.update(value=shown, visible=True, color_map=colours)


def _latency(given: Answer, language: Language) -> str:
    said = say(
        "classify.latency",
        language,
        ms=f"{given.seconds * 1000:.0f}",
        revision=fragments.revision(given.revision),
    )
    return f'<p class="lab-quiet">{escape(said)}</p>'
