"""The Search tab's last part: index a file of the reader's own and search in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from tabs.fragments import plain
from tabs.i18n import PageError, say
from tabs.kinds import INDEX
from tabs.language import Language
from tabs.model_slot import LOAD_WAIT_S
from tabs.search_files import SUFFIXES, OwnIndex, OwnIndexes, index_file
from tabs.services import Services
from tabs.widgets import PRIVATE, QUIET, reader, sentences, text

OWN = "own"  # the value of "Search in" that means the reader's file
WORK = "own-index"  # what a stop means
PROGRESS = gr.Progress()  # Gradio fills in its own by the type of this default


def build(services: Services, kept: OwnIndexes, *, chosen: Any, own: Any, where: Any) -> None:
    """Lay the section out and connect it; it sets the key `own` and the choice `where`."""
    gr.HTML(text("own.intro"), elem_classes="lab-section")
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=300):
            file = gr.File(
                label=text("own.file"), file_types=list(SUFFIXES), height=140, elem_id="own-file"
            )
        with gr.Column(scale=4, min_width=300):
            with gr.Row():
                go = gr.Button(text("own.go"), elem_id="own-go")
                stop = gr.Button(text("page.stop"), scale=0, min_width=110, elem_id="own-stop")
                forget = gr.Button(text("own.forget"), visible=False, elem_id="own-forget")
            status = gr.HTML(elem_id="own-status")

    @sentences
    def index(
        file: str, repo: str, key: str, request: gr.Request, progress: gr.Progress = PROGRESS
    ) -> list[Any]:
        if not file:
            raise PageError("own.none")
        language, path = reader(request), Path(file)
        served = services.slot(INDEX, repo).serving(LOAD_WAIT_S)
        progress(0, desc=say("own.reading", language, name=path.name))
        with services.stops.watching(request.session_hash, WORK) as stopped:
            made = index_file(
                path,
                served.model.encoder,
                hub=services.hub,
                report=_told(progress, language),
                stopped=stopped.is_set,
            )
        path.unlink(missing_ok=True)  # the upload: what is kept is in memory
        new = kept.put(made, instead_of=key)
        return [
            new,
            _where(made.name, language),
            gr.update(visible=True),
            _done(made, language),
            None,
        ]

    def forget_it(key: str, request: gr.Request) -> list[Any]:
        kept.drop(key)
        language = reader(request)
        return [
            "",
            _where("", language),
            gr.update(visible=False),
            _said("own.forgotten", language),
        ]

    def end(request: gr.Request) -> None:
        services.stops.stop(request.session_hash, WORK)

    go.click(
        index,
        [file, chosen, own],
        [own, where, forget, status, file],
        concurrency_limit=1,
        concurrency_id="own",
        show_progress_on=status,
        **PRIVATE,
    )
    forget.click(forget_it, own, [own, where, forget, status], **QUIET)
    stop.click(end, **QUIET)


def _told(progress: gr.Progress, language: Language) -> Callable[[int, int], None]:
    def told(done: int, passages: int) -> None:
        values = {"done": f"{done:,}", "passages": f"{passages:,}"}
        progress(done / max(1, passages), desc=say("own.progress", language, **values))

    return told


def _where(name: str, language: Language) -> Any:
    """The choice of what is searched in: with a file that; without one there is no choice."""
    published = (say("own.published", language), "")
    if not name:
        return gr.update(choices=[published], value="", visible=False)
    return gr.update(choices=[published, (name, OWN)], value=OWN, visible=True)


def _done(made: OwnIndex, language: Language) -> str:
    values = {"passages": f"{len(made.index):,}", "documents": f"{made.documents:,}"}
    return _said("own.done", language, name=made.name, seconds=f"{made.seconds:.1f}", **values)


def _said(key: str, language: Language, **values: object) -> str:
    return f'<p class="lab-quiet" role="status">{plain(say(key, language, **values))}</p>'
