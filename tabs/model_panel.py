"""The head of a tab that serves a model: what it does, which model answers and how that stands.

The same for every kind: where the model came from, a notice while it is awaited, away or outdated,
a button for a newer revision, and a choice when several are published.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from tabs import fragments
from tabs.i18n import say
from tabs.kinds import Kind
from tabs.language import Language
from tabs.registry import tab_named
from tabs.services import Services
from tabs.widgets import PRIVATE, QUIET, on_page_load, reader, sentences, text

TICK_S = 2.0


@dataclass(frozen=True)
class _Panel:
    """The components."""

    source: Any
    notice: Any
    load_new: Any
    choice: Any


@dataclass(frozen=True)
class _View:
    """What the timer shows; an unchanged view is not sent again."""

    source: str
    notice: str
    offered: str
    choices: tuple[str, ...]
    chosen: str


def build(services: Services, kind: Kind[Any]) -> Any:
    """Lay the head out and connect it; the State with the chosen id ("" is the default)."""
    chosen = gr.State("")
    panel = _lay_out(kind)
    _connect(services, kind, chosen, panel)
    return chosen


def _lay_out(kind: Kind[Any]) -> _Panel:
    tab = kind.tab
    with gr.Row(equal_height=False, elem_classes="lab-model"):
        with gr.Column(scale=3, min_width=300):
            gr.HTML(text(f"{tab}.intro"), elem_classes="lab-intro")
            source, notice = gr.HTML(elem_id=f"{tab}-source"), gr.HTML(elem_id=f"{tab}-notice")
            load_new = gr.Button(visible=False, size="md", elem_id=f"{tab}-load-new")
        choice = gr.Dropdown(
            label=text(kind.choice), min_width=240, visible=False, elem_id=f"{tab}-model"
        )
    return _Panel(source, notice, load_new, choice)


def _connect(services: Services, kind: Kind[Any], chosen: Any, panel: _Panel) -> None:
    seen = gr.State(None)  # the view sent last
    outputs = [panel.source, panel.notice, panel.load_new, panel.choice, seen]

    def tick(repo: str, before: _View | None, request: gr.Request) -> list[Any]:
        language = reader(request)
        now = _view(services, kind, repo, language)
        return [gr.skip()] * len(outputs) if now == before else [*_updates(now, language), now]

    @sentences
    def choose(repo: str, _request: gr.Request) -> str:
        services.slot(kind, repo)
        return repo

    @sentences
    def load_newest(repo: str, _request: gr.Request) -> None:
        services.slot(kind, repo).load()

    show: dict[str, Any] = {"fn": tick, "inputs": [chosen, seen], "outputs": outputs, **QUIET}
    gr.Timer(TICK_S).tick(**show)
    on_page_load(**show)
    panel.choice.input(choose, panel.choice, chosen, **QUIET).then(**show)
    panel.load_new.click(load_newest, chosen, **PRIVATE).then(**show)


def _view(services: Services, kind: Kind[Any], repo: str, language: Language) -> _View:
    choices = services.choices(kind)
    slot = services.slot(kind, repo if repo in choices else "")
    state, tab = slot.state, tab_named(kind.tab)
    job = services.jobs.state(tab.recipe)
    trainable = state.repo == services.own_repo(tab) and not services.settings.read_only
    command = f"python -m training {tab.recipe} --push" if trainable else ""
    return _View(
        source=fragments.provenance(state, services.hub.url(slot.repo), language),
        notice=fragments.notice(state, job, command, language),
        offered=fragments.revision(state.offered),
        choices=choices,
        chosen=str(slot.repo),
    )


def _updates(view: _View, language: Language) -> list[Any]:
    load = say("model.load_new", language, revision=view.offered)
    several = len(view.choices) > 1
    return [
        view.source,
        view.notice,
        gr.update(value=load, visible=bool(view.offered)),
        gr.update(choices=list(view.choices), value=view.chosen, visible=several),
    ]
