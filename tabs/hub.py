"""The Hub tab: what is published, training with live progress, history and rollback.

A reader's own table and Spaces are in hub_own.py and hub_spaces.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import gradio as gr

from hub_utils.catalog import history
from hub_utils.errors import LabError
from hub_utils.names import RepoId, RepoType
from tabs import fragments, hub_own, hub_spaces
from tabs.i18n import PageError, say, sentence
from tabs.language import Language
from tabs.services import Services
from tabs.widgets import PRIVATE, QUIET, on_page_load, reader, sentences, text

TICK_S = 2.0
COMMITS = 12  # of a repository's history


@dataclass(frozen=True)
class _Training:
    """The training section."""

    progress: Any
    missing: Any
    again: Any
    go_on: Any
    stop: Any
    said: Any


@dataclass(frozen=True)
class _History:
    """The history section."""

    repo: Any
    commits: Any
    pin: Any
    unpin: Any
    said: Any


@dataclass(frozen=True)
class _View:
    """What the timer shows; an unchanged view is not sent again."""

    where: str
    table: str
    progress: str
    training: bool
    repos: tuple[tuple[str, str], ...]


def build(services: Services) -> None:
    """Lay the tab out and connect it."""
    gr.HTML(text("hub.intro"), elem_classes="lab-intro")
    where = gr.HTML(elem_id="hub-where")
    table = gr.HTML(elem_id="hub-published")
    writable = not services.settings.read_only
    training = _lay_out_training(writable, any(tab.goes_on for tab in services.tabs))
    hub_own.build(services)
    hub_spaces.build(services)
    past = _lay_out_history(writable)
    if not writable:
        gr.HTML(text("hub.read_only_note"), elem_classes="lab-section")
    _connect_training(services, training)
    _connect_history(services, past)
    _connect_view(services, [where, table, training.progress, training.stop, past.repo])


def _lay_out_training(writable: bool, goes_on: bool) -> _Training:
    with gr.Column(visible=writable):
        gr.HTML(text("hub.training_section"), elem_classes="lab-section")
        progress = gr.HTML(elem_id="hub-progress")
        with gr.Row():
            missing = gr.Button(
                text("hub.train_missing"),
                variant="primary",
                scale=2,
                min_width=280,
                elem_id="hub-train-missing",
            )
            again = gr.Button(text("hub.train_again"), min_width=130, elem_id="hub-train-again")
            go_on = gr.Button(
                text("hub.train_on"), min_width=170, elem_id="hub-train-on", visible=goes_on
            )
            stop = gr.Button(text("hub.stop"), min_width=130, interactive=False, elem_id="hub-stop")
        said = gr.HTML(elem_id="hub-training-said")
    return _Training(progress, missing, again, go_on, stop, said)


def _lay_out_history(writable: bool) -> _History:
    gr.HTML(text("hub.history_section"), elem_classes="lab-section")
    repo = gr.Dropdown(label=text("hub.repository"), elem_id="hub-history-repo")
    commits = gr.Radio(label=text("hub.commits"), elem_id="hub-commits", elem_classes="lab-commits")
    with gr.Row(visible=writable):
        pin = gr.Button(text("hub.pin"), elem_id="hub-pin")
        unpin = gr.Button(text("hub.unpin"), elem_id="hub-unpin")
    said = gr.HTML(elem_id="hub-history-said")
    return _History(repo, commits, pin, unpin, said)


def _connect_training(services: Services, training: _Training) -> None:
    @sentences
    def train_missing(request: gr.Request) -> str:
        missing = services.missing()
        services.train(missing)
        return _said("hub.started" if missing else "hub.none_missing", reader(request))

    @sentences
    def train_again(request: gr.Request) -> str:
        services.train(tab for tab in services.tabs if tab.recipe)
        return _said("hub.started", reader(request))

    @sentences
    def train_on(request: gr.Request) -> str:
        services.train_on()
        return _said("hub.started", reader(request))

    @sentences
    def stop(_request: gr.Request) -> str:
        services.refuse_read_only()
        services.jobs.stop()
        return ""

    training.missing.click(train_missing, None, training.said, **PRIVATE)
    training.again.click(train_again, None, training.said, **PRIVATE)
    training.go_on.click(train_on, None, training.said, **PRIVATE)
    training.stop.click(stop, None, training.said, **PRIVATE)


def _connect_history(services: Services, past: _History) -> None:
    @sentences
    def show_commits(repo: str | None, request: gr.Request) -> Any:
        return _commits(services, repo, reader(request))

    @sentences
    def pin(repo: str, commit: str | None, request: gr.Request) -> str:
        if not commit:
            raise PageError("hub.pick")
        services.pin(_repo(repo), commit)
        values = {"repo": _repo(repo), "revision": fragments.revision(commit)}
        return _said("hub.pinned", reader(request), **values)

    @sentences
    def unpin(repo: str, request: gr.Request) -> str:
        services.pin(_repo(repo), None)
        return _said("hub.unpinned", reader(request), repo=_repo(repo))

    shown: dict[str, Any] = {"fn": show_commits, "inputs": past.repo, "outputs": past.commits}
    past.repo.change(**shown, **PRIVATE)
    past.pin.click(pin, [past.repo, past.commits], past.said, **PRIVATE)
    past.unpin.click(unpin, past.repo, past.said, **PRIVATE).then(**shown, **PRIVATE)


def _connect_view(services: Services, outputs: list[Any]) -> None:
    seen = gr.State(None)

    def tick(before: _View | None, chosen: str | None, request: gr.Request) -> list[Any]:
        language = reader(request)
        now = _view(services, language)
        if now == before:
            return [gr.skip()] * (len(outputs) + 1)
        repos = gr.skip() if before and before.repos == now.repos else _choices(now, chosen)
        return [now.where, now.table, now.progress, gr.update(interactive=now.training), repos, now]

    show: dict[str, Any] = {
        "fn": tick,
        "inputs": [seen, outputs[-1]],
        "outputs": [*outputs, seen],
        **QUIET,
    }
    gr.Timer(TICK_S).tick(**show)
    on_page_load(**show)


def _view(services: Services, language: Language) -> _View:
    listing = services.catalog.listing
    serving = {str(item.repo): services.serving(item.repo) for item in listing.items}
    jobs = services.jobs.all()
    return _View(
        where=fragments.where(services.hub, away=listing.away, language=language),
        table=fragments.published(listing, serving, language, services.spaces.now),
        progress=fragments.job_panels(jobs, language),
        training=any(job.active for job in jobs),
        repos=tuple((str(item.repo), _key(item.repo)) for item in listing.items),
    )


def _choices(view: _View, chosen: str | None) -> Any:
    """The repositories; what the user chose stays, until then the first model is shown."""
    keys = [key for _, key in view.repos]
    first = next((key for key in keys if key.startswith("model:")), None)
    return gr.update(choices=list(view.repos), value=chosen if chosen in keys else first)


def _commits(services: Services, repo: str | None, language: Language) -> Any:
    if not repo:
        return gr.update(choices=[], value=None)
    try:
        found = history(services.hub, _repo(repo), limit=COMMITS)
    except LabError as error:
        gr.Warning(
            fragments.plain(sentence(error, language)), title=say("page.note_title", language)
        )
        return gr.skip()
    labels = [
        (f"{fragments.revision(c.revision)} · {c.date:%Y-%m-%d %H:%M} · {c.title}", c.revision)
        for c in found
    ]
    pin = services.pin_of(_repo(repo))
    return gr.update(choices=labels, value=pin.revision if pin else None)


def _key(repo: RepoId) -> str:
    return f"{repo.type}:{repo}"


def _repo(key: str) -> RepoId:
    kind, _, name = (key or "").partition(":")
    if not name:
        raise PageError("hub.pick")
    return RepoId.parse(name, type=cast(RepoType, kind))  # which refuses other kinds


def _said(key: str, language: Language, **values: object) -> str:
    return fragments.quiet(say(key, language, **values))
