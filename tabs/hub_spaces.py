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
    suggested = gr.State("")
    model.change(_suggested, [model, name, suggested], [name, suggested], **QUIET)
    _connect(services, model, name, go=go, rest=rest, said=said)
    _connect_view(services, progress, model, name, suggested)


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

    go.click(start, [model, name], said, **PRIVATE)
    rest.click(stop, name, said, **PRIVATE)


def _connect_view(services: Services, progress: Any, model: Any, name: Any, suggested: Any) -> None:
    seen = gr.State(None)

    def tick(
        before: _View | None,
        chosen: str | None,
        name: str | None,
        suggested: str,
        request: gr.Request,
    ) -> list[Any]:
        now = _view(services, reader(request))
        if now == before:
            return [gr.skip()] * 5
        if before and before.models == now.models:
            return [now.progress, now, *[gr.skip()] * 3]
        value = _chosen(now, chosen)
        models = gr.update(choices=list(now.models), value=value)
        # A tab that nobody has opened yet tells of no change, so the name comes with the models.
        return [now.progress, now, models, *_suggested(value, name, suggested)]

    show: dict[str, Any] = {
        "fn": tick,
        "inputs": [seen, model, name, suggested],
        "outputs": [progress, seen, model, name, suggested],
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


def _chosen(view: _View, chosen: str | None) -> str | None:
    """What the user chose stays while it is there, until then it is the newest."""
    values = [value for _, value in view.models]
    return chosen if chosen in values else next(iter(values), None)


def _suggested(model: str | None, name: str | None, before: str) -> list[Any]:
    """A Space's name, and what was suggested last; a name that was typed stays."""
    found = (model or "").rpartition("/")[2]
    return [found if not name or name == before else gr.skip(), found]
