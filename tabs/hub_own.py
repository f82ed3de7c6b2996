"""The Hub tab's part for a reader's own table: upload, choose columns, train, publish."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from tabs.fragments import quiet
from tabs.i18n import PageError, say
from tabs.language import Language
from tabs.own_table import (
    MINUTES,
    MOST_MINUTES,
    SUFFIXES,
    Choice,
    labels,
    look,
    name_for,
    train,
)
from tabs.services import Services
from tabs.widgets import PRIVATE, QUIET, reader, sentences, text

SHOWN = 8  # labels that are named with their counts
SAME = 0.5  # labels a row above which a column is hardly one of labels
LIMITS: dict[str, Any] = {"concurrency_limit": 2, "concurrency_id": "own-table"}


@dataclass(frozen=True)
class _Parts:
    """The components."""

    file: Any
    about: Any
    text: Any
    label: Any
    name: Any
    minutes: Any
    go: Any
    said: Any


def build(services: Services) -> None:
    """Lay the section out and connect it; a read-only page has none."""
    with gr.Column(visible=not services.settings.read_only):
        parts = _lay_out()
    _connect(services, parts)


def _lay_out() -> _Parts:
    gr.HTML(text("mine.section"), elem_classes="lab-section")
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=300):
            file = gr.File(
                label=text("mine.file"), file_types=list(SUFFIXES), height=140, elem_id="mine-file"
            )
            about = gr.HTML(elem_id="mine-about")
        with gr.Column(scale=4, min_width=300):
            with gr.Row():
                texts = gr.Dropdown(label=text("mine.text"), min_width=130, elem_id="mine-text")
                label = gr.Dropdown(label=text("mine.label"), min_width=130, elem_id="mine-label")
            name = gr.Textbox(label=text("mine.name"), max_lines=1, elem_id="mine-name")
            minutes = gr.Slider(
                1, MOST_MINUTES, MINUTES, step=1, label=text("mine.minutes"), elem_id="mine-minutes"
            )
            go = gr.Button(text("mine.go"), variant="primary", elem_id="mine-go")
    said = gr.HTML(elem_id="mine-said")
    return _Parts(file, about, texts, label, name, minutes, go, said)


def _connect(services: Services, parts: _Parts) -> None:
    @sentences
    def taken(file: str, request: gr.Request) -> list[Any]:
        table, path = look(Path(file)), Path(file)
        columns = list(table.columns)
        if len(columns) == 1:
            raise PageError("mine.one_column", name=path.name)
        return [
            gr.update(choices=columns, value=table.text),
            gr.update(choices=columns, value=table.label),
            name_for(path),
            _about(file, table.text, table.label, reader(request)),
        ]

    @sentences
    def describe(file: str | None, column: str, label: str, request: gr.Request) -> str:
        return _about(file, column, label, reader(request))

    @sentences
    def start(
        file: str | None, column: str, label: str, name: str, minutes: float, request: gr.Request
    ) -> str:
        services.refuse_read_only()
        path = _needed(file, column, label)
        train(services, path, Choice(column, label, name, minutes))
        return quiet(say("mine.started", reader(request), name=name.strip()))

    def cleared() -> list[Any]:
        return [gr.update(choices=[], value=None)] * 2 + ["", ""]

    filled = [parts.text, parts.label, parts.name, parts.about]
    chosen = [parts.file, parts.text, parts.label]
    parts.file.upload(taken, parts.file, filled, **LIMITS, **PRIVATE)
    parts.file.clear(cleared, None, filled, **QUIET)
    for column in (parts.text, parts.label):
        column.input(describe, chosen, parts.about, **LIMITS, **PRIVATE)
    parts.go.click(start, [*chosen, parts.name, parts.minutes], parts.said, **LIMITS, **PRIVATE)


def _needed(file: str | None, column: str | None, label: str | None) -> Path:
    if not file:
        raise PageError("mine.none")
    if not column or not label:
        raise PageError("mine.no_columns")
    return Path(file)


def _about(file: str | None, column: str | None, label: str | None, language: Language) -> str:
    """How many rows have which label; a column that is hardly one of labels is pointed out."""
    if not (file and column and label):
        return ""
    counts = labels(Path(file), column, label)
    named = [f"{name} {count:,}" for name, count in counts.most_common(SHOWN)]
    listed = ", ".join([*named, *(["…"] if len(counts) > SHOWN else [])])
    rows = counts.total()
    values = {"rows": f"{rows:,}", "labels": f"{len(counts):,}", "counts": listed}
    said = quiet(say("mine.about", language, **values))
    if len(counts) > SAME * rows and rows > SHOWN:
        said += quiet(say("mine.many", language))
    return said
