"""The Search tab: a question in, passages out, and where they lie on the corpus's map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from tabs import elsewhere, fragments, model_panel, search_own
from tabs.i18n import say
from tabs.kinds import INDEX
from tabs.language import Language
from tabs.model_slot import LOAD_WAIT_S
from tabs.search_cards import cards, results_view
from tabs.search_files import OwnIndexes
from tabs.search_map import Marks, figure, ground, marks
from tabs.searching import (
    ALL,
    DEFAULT_HITS,
    MAX_HITS,
    MODES,
    Found,
    as_json,
    asked,
    choices,
    facets,
    more_like,
)
from tabs.searching import (
    search as found_by,
)
from tabs.services import Services
from tabs.widgets import PRIVATE, QUIET, on_page_load, on_tab_open, reader, sentences, text

if TYPE_CHECKING:
    from training.index.inference import SearchIndex

TICK_S = 2.0
LIMITS: dict[str, Any] = {"concurrency_limit": 4, "concurrency_id": "search"}
EXAMPLES = (
    "how much would a station on the moon cost",
    "my new graphics card shows nothing but stripes",
    "which pitcher had the best season",
    "should the government be able to read encrypted phone calls",
    "the engine loses oil when it is cold",
)


@dataclass(frozen=True)
class _Ask:
    """Where a question goes in, how it is searched for and in what."""

    query: Any
    go: Any
    examples: Any
    mode: Any
    only: Any
    k: Any
    last: Any  # State with the _Last answer
    where: Any  # the published index, or the reader's own
    chosen: Any  # the published index that was chosen
    own: Any  # the key of the reader's own index

    @property
    def target(self) -> list[Any]:
        """In the order that `_Targets` takes them."""
        return [self.chosen, self.where, self.own]


@dataclass(frozen=True)
class _Tab:
    """What comes out."""

    facts: Any
    results: Any
    status: Any
    map: Any


@dataclass(frozen=True)
class Target:
    """What is searched in, and how the page names it."""

    index: SearchIndex
    name: str  # of the reader's file; "" for the published index
    revision: str = ""


@dataclass
class _Last:
    """What a session's last answer put on the map. Shared by its events, which may overlap."""

    mark: Marks | None = None
    index: int = 0  # the id of the index that it is of


def build(services: Services) -> None:
    """Lay the tab out and connect it."""
    kept = OwnIndexes()
    chosen = model_panel.build(services, INDEX)
    own = gr.State("", delete_callback=kept.drop)  # the key of the reader's own index
    facts = gr.HTML(elem_id="search-facts")
    ask = _lay_out_ask(chosen, own)
    tab = _lay_out_answer(facts)
    targets = _Targets(services, kept)
    _connect(targets, ask, tab)
    _connect_view(targets, ask, tab)
    search_own.build(services, kept, chosen=chosen, own=own, where=ask.where)
    elsewhere.build(services, INDEX, chosen)
    _offer_to_programs(targets)


class _Targets:
    """Finds what a reader searches in."""

    def __init__(self, services: Services, kept: OwnIndexes) -> None:
        self._services, self._kept = services, kept

    def __call__(self, repo: str = "", where: str = "", own: str = "") -> Target:
        """The reader's own index, or the published one. PageError or LabError without it."""
        if where == search_own.OWN:
            kept = self._kept.get(own)
            return Target(kept.index, kept.name)
        served = self._services.slot(INDEX, repo).serving(LOAD_WAIT_S)
        return Target(served.model, "", served.revision)

    def ready(self, repo: str, where: str, own: str) -> Target | None:
        """The same if it is in memory now; nobody waits."""
        if where == search_own.OWN:
            return self(repo, where, own) if own in self._kept else None
        served = self._services.slot(INDEX, repo).state.served
        return Target(served.model, "", served.revision) if served else None


def _lay_out_ask(chosen: Any, own: Any) -> _Ask:
    with gr.Row(equal_height=True, elem_classes="lab-search"):
        query = gr.Textbox(
            label=text("search.query"),
            placeholder=text("search.placeholder"),
            scale=6,
            min_width=260,
            max_lines=4,
            elem_id="search-query",
        )
        go = gr.Button(
            text("search.go"), variant="primary", scale=1, min_width=110, elem_id="search-go"
        )
    examples = gr.Dataset(
        components=[query],
        samples=[[sample] for sample in EXAMPLES],
        label=text("search.examples"),
        elem_id="search-examples",
        elem_classes="lab-examples",
    )
    with gr.Row(equal_height=False):
        mode = gr.Radio(
            _modes("en"), value="hybrid", label=text("search.by"),
            scale=5, min_width=300, elem_id="search-mode",
        )  # fmt: skip
        with gr.Column(scale=4, min_width=300):
            only = gr.Dropdown(
                [], multiselect=True, label=text("search.only"),
                visible=False, elem_id="search-only",
            )  # fmt: skip
            where = gr.Radio(
                [("", "")], value="", label=text("search.where"),
                visible=False, elem_id="search-where",
            )  # fmt: skip
        k = gr.Slider(
            1, MAX_HITS, value=DEFAULT_HITS, step=1, label=text("search.k"),
            scale=2, min_width=200, elem_id="search-k",
        )  # fmt: skip
    return _Ask(query, go, examples, mode, only, k, gr.State(_Last()), where, chosen, own)


def _lay_out_answer(facts: Any) -> _Tab:
    with gr.Row(equal_height=False, elem_classes="lab-answered lab-search-answer"):
        with gr.Column(scale=7, min_width=320):
            status = gr.HTML(elem_id="search-status")
            results = results_view("search-results")
        with gr.Column(scale=5, min_width=320, elem_classes="lab-map"):
            drawn = gr.Plot(label=text("search.map"), visible=False, elem_id="search-map")
            gr.HTML(text("search.map_hint"), elem_id="search-map-hint")
    return _Tab(facts, results, status, drawn)


def _modes(language: Language) -> list[tuple[str, str]]:
    return [(say(f"search.{mode}", language), mode) for mode in (*MODES, ALL)]


def _connect(targets: _Targets, ask: _Ask, tab: _Tab) -> None:
    def found_in(given: dict[Any, Any]) -> Target:
        return targets(*(given[part] for part in ask.target))

    @sentences
    def show(given: dict[Any, Any], request: gr.Request) -> tuple[str, str]:
        wish = asked(*(given[part] for part in (ask.query, ask.k, ask.mode, ask.only)))
        target = found_in(given)
        return _shown(found_by(target.index, wish), target, given[ask.last], reader(request))

    @sentences
    def show_more(
        given: dict[Any, Any], event: gr.EventData, request: gr.Request
    ) -> tuple[str, str]:
        target = found_in(given)
        found = more_like(target.index, str(event.passage), int(given[ask.k]), given[ask.only])
        return _shown(found, target, given[ask.last], reader(request))

    def show_map(repo: str, where: str, own: str, last: _Last, request: gr.Request) -> Any:
        return _map(targets.ready(repo, where, own), last, reader(request))

    def on(trigger: Any, handler: Any = show) -> None:
        limits = {**LIMITS, **PRIVATE, "show_progress": "minimal", "show_progress_on": tab.status}
        answered = trigger(handler, inputs, [tab.results, tab.status], **limits)
        answered.success(show_map, [*ask.target, ask.last], tab.map, **QUIET)

    inputs = {
        ask.query,
        ask.k,
        ask.mode,
        ask.only,
        ask.last,
        *ask.target,
    }  # a set: given by component
    for trigger in (ask.go.click, ask.query.submit, ask.mode.input, ask.only.input, ask.k.release):
        on(trigger)
    on(ask.examples.click(lambda row: row[0], ask.examples, ask.query, **QUIET).then)
    on(tab.results.more, show_more)


def _shown(found: Found, found_in: Target, last: _Last, language: Language) -> tuple[str, str]:
    last.mark, last.index = marks(found, language), id(found_in.index)
    return cards(found, language), _latency(found, found_in, language)


def _latency(found: Found, found_in: Target, language: Language) -> str:
    values = {"hits": len(found.hits), "ms": f"{1000 * found.seconds:.0f}"}
    if found_in.name:
        said = say("search.latency_own", language, name=found_in.name, **values)
    else:
        revision = fragments.revision(found_in.revision)
        said = say("search.latency", language, revision=revision, **values)
    return f'<p class="lab-quiet" role="status">{fragments.plain(said)}</p>'


def _map(found_in: Target | None, last: _Last, language: Language) -> Any:
    """The map with what was answered last: asked late, so that no slower event wipes it off."""
    drawn = ground(found_in.index) if found_in else None
    if found_in is None or drawn is None:
        return gr.update(value=None, visible=False)
    mark = last.mark if last.index == id(found_in.index) else None
    return gr.update(value=figure(drawn, mark), visible=True, label=say("search.map", language))


def _connect_view(targets: _Targets, ask: _Ask, tab: _Tab) -> None:
    """What depends on the index: facts, filters, the map. Renewed when another one serves."""
    seen = gr.State(None)

    def tick(
        repo: str,
        where: str,
        own: str,
        last: _Last,
        before: tuple[str, ...] | None,
        request: gr.Request,
    ) -> list[Any]:
        found_in = targets.ready(repo, where, own)
        language = reader(request)
        now = (repo, where, own, found_in.revision if found_in else "", language)
        if found_in is None or now == before:
            return [gr.skip()] * 4
        filters = choices(facets(found_in.index))
        return [
            _facts(found_in, language),
            gr.update(choices=filters, value=[], visible=bool(filters)),
            _map(found_in, last, language),
            now,
        ]

    def translate(request: gr.Request) -> Any:
        language = reader(request)
        # A click while choices are drawn anew would be lost.
        return gr.skip() if language == "en" else gr.update(choices=_modes(language))

    timer = gr.Timer(TICK_S, active=False)  # pages that never open the tab pay nothing for it
    show: dict[str, Any] = {
        "fn": tick,
        "inputs": [*ask.target, ask.last, seen],
        "outputs": [tab.facts, ask.only, tab.map, seen],
        **QUIET,
    }
    timer.tick(**show)
    ask.where.input(**show)
    on_tab_open(fn=lambda: gr.Timer(active=True), inputs=None, outputs=timer, **QUIET)
    on_tab_open(**show)
    on_page_load(fn=translate, inputs=None, outputs=ask.mode, **QUIET)


def _facts(found_in: Target, language: Language) -> str:
    """How large the index is and what made its vectors."""
    manifest = found_in.index.manifest
    if manifest is None:
        return ""
    encoder = manifest.encoder
    said = say(
        "search.facts",
        language,
        passages=f"{manifest.counts.passages:,}",
        documents=f"{manifest.counts.documents:,}",
        dimension=encoder.dimension,
        encoder=f"{encoder.repo} @ {fragments.revision(encoder.revision)}",
    )
    return f'<p class="lab-quiet">{fragments.plain(said)}</p>'


def _offer_to_programs(targets: _Targets) -> None:
    def search(
        query: str,
        k: int = DEFAULT_HITS,
        mode: str = "hybrid",
        _request: gr.Request = None,  # type: ignore[assignment]
    ) -> list[dict[str, Any]]:
        """Find the passages of the served index that answer a query, best first.

        Args:
            query: What is looked for, in plain words.
            k: How many passages, 1 to 50.
            mode: "dense" by meaning, "keyword" by words, "hybrid" by both.
        """
        return as_json(found_by(targets().index, asked(query, k, mode, known=MODES)))

    gr.api(sentences(search), api_name="search", **LIMITS)
