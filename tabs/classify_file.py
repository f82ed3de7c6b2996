"""The Classify tab's second half: a file of texts in, a CSV with labels out."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from tabs.classification import Batch, classify_file
from tabs.i18n import PageError, duration, say
from tabs.kinds import CLASSIFIER
from tabs.language import Language
from tabs.model_slot import LOAD_WAIT_S
from tabs.services import Services
from tabs.widgets import PRIVATE, QUIET, counted_as, offer, reader, sentences, text

PROGRESS = gr.Progress()  # Gradio fills in its own by the type of this default
LIMITS: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "batch"}
SUFFIXES = [".csv", ".tsv", ".jsonl", ".parquet"]


def build(services: Services, chosen: Any) -> None:
    """Lay the section out and connect it; `chosen` is the State with the model's id."""
    gr.HTML(text("batch.intro"), elem_classes="lab-section")
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=300):
            file = gr.File(
                label=text("batch.file"), file_types=SUFFIXES, height=140, elem_id="batch-file"
            )
            with gr.Row():
                go = gr.Button(text("batch.go"), elem_id="batch-go")
                stop = gr.Button(text("page.stop"), scale=0, min_width=110, elem_id="batch-stop")
        with gr.Column(scale=4, min_width=300):
            result = gr.File(
                label=text("batch.result"), interactive=False, height=140, elem_id="batch-result"
            )
            status = gr.HTML(elem_id="batch-status")
    last = gr.State(None)

    @sentences
    def show(
        file: str, repo: str, request: gr.Request, progress: gr.Progress = PROGRESS
    ) -> tuple[str, Batch]:
        batch = _classified(services, file, repo, request, progress)
        return str(batch.result), batch

    def classify_batch(file: str, request: gr.Request, progress: gr.Progress = PROGRESS) -> str:
        """Classify every row of a CSV, TSV, JSON Lines or Parquet file; the result is a CSV.

        Args:
            file: A file with a column named text (or with a single column), up to 10,000 rows.
        """
        return str(_classified(services, file, "", request, progress).result)

    def summary(batch: Batch, request: gr.Request) -> str:
        return _summary(batch, reader(request))

    def stop_batch(request: gr.Request) -> None:
        services.stops.stop(request.session_hash, "batch")

    go.click(
        counted_as("classify_batch", show),
        [file, chosen],
        [result, last],
        show_progress_on=result,
        **LIMITS,
        **PRIVATE,
    ).success(summary, last, status, **QUIET)
    stop.click(stop_batch, **QUIET)
    offer(classify_batch, file, result, name="classify_batch", **LIMITS)


def _classified(
    services: Services, file: str, repo: str, request: gr.Request, progress: gr.Progress
) -> Batch:
    if not file:
        raise PageError("batch.none")
    told = _progress(progress, reader(request))
    served = services.slot(CLASSIFIER, repo).serving(LOAD_WAIT_S)
    with services.stops.watching(request.session_hash, "batch") as stopped:
        return classify_file(
            served, Path(file), services.scratch(), report=told, stopped=stopped.is_set
        )


def _progress(progress: gr.Progress, language: Language) -> Callable[[int, int], None]:
    """Tells how far a file is and how long it will take at this speed."""
    started = time.perf_counter()

    def told(done: int, rows: int) -> None:
        values = {"done": f"{done:,}", "rows": f"{rows:,}"}
        said = say("batch.progress", language, **values)
        if done:
            left = (time.perf_counter() - started) / done * (rows - done)
            said = say("batch.left", language, **values, time=duration(left, language))
        progress(done / rows, desc=said)

    return told


def _summary(batch: Batch, language: Language) -> str:
    done, rows = f"{batch.done:,}", f"{batch.rows:,}"
    if batch.done < batch.rows:
        said = say("batch.stopped", language, done=done, rows=rows)
    else:
        rate = f"{batch.rows / max(batch.seconds, 1e-3):,.0f}"
        took = duration(batch.seconds, language)
        said = say("batch.done", language, rows=rows, time=took, rate=rate)
    return f'<p class="lab-quiet" role="status">{said}</p>'
