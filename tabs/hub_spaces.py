"""The Hub tab's part for Spaces: deploy a published model, see it run, pause it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from tabs import fragments
from tabs.fragments import quiet
from tabs.i18n import say
from tabs.language import Language
from tabs.services import Services
from tabs.spaces import deploy, deployable, pause
from tabs.widgets import PRIVATE, QUIET, on_page_load, reader, sentences, text

TICK_S = 1.0


@dataclass(frozen=True)
class _View:
    """What the timer shows; an unchanged view is not sent again."""

    progress: str
    models: tuple[tuple[str, str], ...]  # (what a reader sees, value)


def build(services: Services) -> None:
    """Lay the section out and connect it; where another Hub is used, say how to deploy there."""
    local = not services.hub.private_by_default
    if not local and not services.settings.read_only:
        gr.HTML(text("spaces.elsewhere_note"), elem_classes="lab-section", elem_id="spaces-note")
    with gr.Column(visible=local and not services.settings.read_only):
        gr.HTML(text("spaces.section"), elem_classes="lab-section")
        progress = gr.HTML(elem_id="spaces-progress")
        with gr.Row():
            model = gr.Dropdown(label=text("spaces.model"), min_width=260, elem_id="spaces-model")
            name = gr.Textbox(
                label=text("spaces.name"), max_lines=1, min_width=200, elem_id="spaces-name"
            )
        with gr.Row():
            go = gr.Button(
                text("spaces.go"), variant="primary", scale=2, min_width=200, elem_id="spaces-go"
            )
            rest = gr.Button(text("spaces.pause"), min_width=130, elem_id="spaces-pause")
        said = gr.HTML(elem_id="spaces-said")
    _connect(services, model, name, go=go, rest=rest, said=said)
    _connect_view(services, progress, model)


def _connect(services: Services, model: Any, name: Any, *, go: Any, rest: Any, said: Any) -> None:
    @sentences
    def start(model: str | None, name: str, request: gr.Request) -> str:
        tab, _, repo = (model or "").partition(":")
        deploy(services, tab, repo, name)
        return quiet(say("spaces.started", reader(request), name=name.strip()))

    @sentences
    def stop(name: str, request: gr.Request) -> str:
        pause(services, name)
        return quiet(say("spaces.paused", reader(request), name=name.strip()))

    def suggest(model: str | None, name: str, before: str) -> list[Any]:
        found = (model or "").rpartition("/")[2]
        return [found if name in ("", before) else gr.skip(), found]  # what was typed stays

    go.click(start, [model, name], said, **PRIVATE)
    rest.click(stop, name, said, **PRIVATE)
    suggested = gr.State("")
    model.change(suggest, [model, name, suggested], [name, suggested], **QUIET)


def _connect_view(services: Services, progress: Any, model: Any) -> None:
    seen = gr.State(None)

    def tick(before: _View | None, chosen: str | None, request: gr.Request) -> list[Any]:
        now = _view(services, reader(request))
        if now == before:
            return [gr.skip()] * 3
        models = gr.skip() if before and before.models == now.models else _choices(now, chosen)
        return [now.progress, models, now]

    show: dict[str, Any] = {
        "fn": tick,
        "inputs": [seen, model],
        "outputs": [progress, model, seen],
        **QUIET,
    }
    gr.Timer(TICK_S).tick(**show)
    on_page_load(**show)


def _view(services: Services, language: Language) -> _View:
    now = {key.rpartition("/")[2]: space for key, space in services.spaces.now.items()}
    return _View(
        progress=fragments.deployments(services.spaces.all(), now, language),
        models=tuple(
            (f"{say(f'tab.{tab}', language)} · {repo}", f"{tab}:{repo}")
            for tab, repo in deployable(services)
        ),
    )


def _choices(view: _View, chosen: str | None) -> Any:
    """What can be deployed; what the user chose stays, until then it is the newest."""
    values = [value for _, value in view.models]
    newest = values[0] if values else None
    return gr.update(choices=list(view.models), value=chosen if chosen in values else newest)
