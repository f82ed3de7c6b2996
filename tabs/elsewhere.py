"""The foot of every tab that serves a model: the lines that use this very revision elsewhere.

What is shown is what `hub_utils.snippets` writes into the model's card, with the revision that the
tab serves; it follows the chosen model and a newer revision while it is open.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from hub_utils import snippets
from hub_utils.connection import REAL_ENDPOINT
from tabs.kinds import Kind
from tabs.model_slot import Served
from tabs.services import Services
from tabs.widgets import QUIET, sentences, text

TICK_S = 2.0
TOKENS = 60  # of a continuation
SENTENCE = "Crude oil prices rose after the cartel agreed to cut production."
BEGINNING = "Once upon a time"
QUESTION = "how do I launch a satellite"
TEXTS = ("a red apple", "a green apple", "a happy face")
PROMPT = "tomato"


@dataclass(frozen=True)
class Use:
    """How one kind of model is used without this project."""

    packages: str  # what pip installs
    code: Callable[[Served[Any]], str]


def _classifier(served: Served[Any]) -> str:
    return snippets.text_classifier(served.repo, example=SENTENCE, revision=served.revision)


def _generator(served: Served[Any]) -> str:
    tokens = max(1, min(TOKENS, served.model.context // 2))
    return snippets.text_generator(
        served.repo, prompt=BEGINNING, tokens=tokens, revision=served.revision
    )


def _index(served: Served[Any]) -> str:
    if (manifest := served.model.manifest) is None:
        return ""  # it does not say what encoded it
    return snippets.search_index(
        served.repo,
        encoder=manifest.encoder.repo,
        encoder_revision=manifest.encoder.commit,
        example=QUESTION,
        revision=served.revision,
    )


def _matcher(served: Served[Any]) -> str:
    return snippets.picture_matcher(served.repo, texts=TEXTS, revision=served.revision)


def _painter(served: Served[Any]) -> str:
    model = served.model
    return snippets.painter(
        served.repo,
        prompt=PROMPT,
        steps=model.steps,
        guidance=model.guidance,
        revision=served.revision,
    )


USES: dict[str, Use] = {
    "classify": Use("transformers torch", _classifier),
    "generate": Use("transformers torch", _generator),
    "search": Use("datasets sentence-transformers", _index),
    "match": Use("open-clip-torch transformers", _matcher),
    "paint": Use("diffusers transformers torch", _painter),
}


def build(services: Services, kind: Kind[Any], chosen: Any) -> None:
    """Lay the part out and connect it. chosen: the State that `model_panel.build` returned."""
    with gr.Accordion(text("elsewhere.title"), open=False, elem_id=f"{kind.tab}-elsewhere") as part:
        gr.HTML(text("elsewhere.intro"), elem_classes="lab-quiet")
        before = gr.Code(
            label=text("elsewhere.shell"),
            language="shell",
            interactive=False,
            elem_id=f"{kind.tab}-elsewhere-shell",
        )
        code = gr.Code(
            label=text("elsewhere.python"),
            language="python",
            interactive=False,
            elem_id=f"{kind.tab}-elsewhere-python",
        )
    shown = gr.State("")  # the code shown last
    timer = gr.Timer(TICK_S, active=False)  # a closed part asks for nothing

    @sentences
    def show(repo: str, last: str, _request: gr.Request) -> list[Any]:
        served = services.slot(kind, repo).state.served
        now = USES[kind.tab].code(served) if served else ""
        if now == last:
            return [gr.skip()] * 3
        return [_shell(services, kind.tab), now, now]

    event: dict[str, Any] = {
        "fn": show,
        "inputs": [chosen, shown],
        "outputs": [before, code, shown],
        **QUIET,
    }
    part.expand(**event)
    part.expand(lambda: gr.Timer(active=True), None, timer, **QUIET)
    part.collapse(lambda: gr.Timer(active=False), None, timer, **QUIET)
    timer.tick(**event)


def _shell(services: Services, tab: str) -> str:
    hub = services.hub
    endpoint = "" if hub.endpoint == REAL_ENDPOINT else hub.endpoint
    return snippets.shell(USES[tab].packages, endpoint=endpoint, private=hub.private_by_default)
