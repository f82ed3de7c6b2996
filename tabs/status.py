"""The Status tab: what was called, how it ended, how long it took, and how the app stands."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import gradio as gr

from tabs import fragments
from tabs.i18n import duration, say
from tabs.language import Language
from tabs.services import Services
from tabs.telemetry import Figures
from tabs.widgets import QUIET, on_tab_open, reader, text

TICK_S = 2.0
PACKAGES = ("gradio", "torch", "transformers", "diffusers", "huggingface-hub")
COLUMNS = ("endpoint", "calls", "refused", "failed", "p50", "p95", "waited")
REFUSED = ("refused", "busy", "limited")  # a sentence was the answer


def build(services: Services) -> None:
    """Lay the tab out and connect it."""
    gr.HTML(text("status.intro"), elem_classes="lab-intro")
    facts, table = gr.HTML(elem_id="status-facts"), gr.HTML(elem_id="status-calls")
    gr.HTML(text("status.note"), elem_classes="lab-quiet")

    def tick(request: gr.Request) -> tuple[str, str]:
        language = reader(request)
        return _facts(services, language), calls(services.telemetry.figures(), language)

    timer = gr.Timer(TICK_S, active=False)  # pages that never open the tab pay nothing for it
    show: dict[str, Any] = {"fn": tick, "inputs": None, "outputs": [facts, table], **QUIET}
    timer.tick(**show)
    on_tab_open(fn=lambda: gr.Timer(active=True), inputs=None, outputs=timer, **QUIET)
    on_tab_open(**show)


def calls(figures: list[Figures], language: Language) -> str:
    """A row of figures for everything that was called."""
    if not figures:
        return f'<p class="lab-quiet">{say("status.none", language)}</p>'
    head = "".join(f'<th scope="col">{say(f"status.{name}", language)}</th>' for name in COLUMNS)
    rows = "".join(_row(each) for each in figures)
    return f'<table class="lab-table"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'


def _row(each: Figures) -> str:
    refused = sum(each.outcomes.get(name, 0) for name in REFUSED)
    cells = (
        f'<span class="mono">{fragments.plain(each.endpoint)}</span>',
        f"{each.calls:,}",
        f"{refused:,}",
        f"{each.outcomes.get('failed', 0):,}",
        *(f"{seconds:.3f} s" for seconds in (each.p50, each.p95, each.waited_p95)),
    )
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _facts(services: Services, language: Language) -> str:
    telemetry = services.telemetry
    waiting = sum(telemetry.waiting().values())
    said = [
        say("status.up", language, time=duration(telemetry.uptime, language)),
        say("status.queue", language, n=waiting),
        *_memory(language),
        *(f"{name} {found}" for name in PACKAGES if (found := _version(name))),
        f"Python {platform.python_version()}",
    ]
    away = services.catalog.listing.away
    line = fragments.plain(" · ".join(said))
    where = fragments.where(services.hub, away=away, language=language)
    return f'{where}<p class="lab-where" role="status">{line}</p>'


def _memory(language: Language) -> list[str]:
    try:
        pages = int(Path("/proc/self/statm").read_text("utf-8").split()[1])
    except OSError:  # a system that does not say so
        return []
    import resource

    return [say("status.memory", language, mb=f"{pages * resource.getpagesize() / 1e6:,.0f}")]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
