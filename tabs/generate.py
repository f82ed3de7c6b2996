"""The Generate tab: a prompt goes on, token by token, each coloured by how likely it was."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

import gradio as gr

from tabs import elsewhere, fragments, model_panel
from tabs.generation import (
    MAX_NEW_TOKENS,
    Ask,
    Run,
    asked,
    begin,
    gain,
    lanes_of,
    race,
)
from tabs.i18n import say
from tabs.kinds import GENERATOR
from tabs.language import Language
from tabs.model_slot import LOAD_WAIT_S, Served
from tabs.services import Services
from tabs.token_view import Telling, token_view
from tabs.widgets import PRIVATE, QUIET, reader, sentences, text

if TYPE_CHECKING:
    from training.gpt.inference import TextGenerator

WORK = "generate"  # what a stop means
LIMITS: dict[str, Any] = {"concurrency_limit": 4, "concurrency_id": "generate"}
LANES = 3
WORDS = ("next", "hint", "text", "chosen")  # of token_view.js
TOP_P = 0.95
TEMPERATURE, OTHER_TEMPERATURE = 0.8, 1.2
EXAMPLES = (
    "Once upon a time there was a king who had three daughters, and",
    "The wolf knocked at the door and said: “",
    "In the middle of the dark forest stood a little house, and in it lived",
    "“Dear mother,” said the youngest,",
)


@dataclass(frozen=True)
class _Ask:
    """Where a prompt goes in, and how it is to go on."""

    prompt: Any
    max_new_tokens: Any
    temperature: Any
    top_k: Any
    top_p: Any
    seed: Any
    compare: Any
    other: Any
    no_cache: Any

    @property
    def wish(self) -> tuple[Any, ...]:
        """In the order that `asked` takes them."""
        sampling = (self.temperature, self.top_k, self.top_p, self.seed)
        return (self.prompt, self.max_new_tokens, *sampling)


@dataclass(frozen=True)
class _Tab:
    """The rest."""

    go: Any
    stop: Any
    examples: Any
    note: Any
    lanes: list[Any]
    status: Any


def build(services: Services) -> None:
    """Lay the tab out and connect it."""
    chosen = model_panel.build(services, GENERATOR)
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=300):
            prompt, go, stop, examples = _lay_out_prompt()
        with gr.Column(scale=4, min_width=300):
            ask = _lay_out_sampling(prompt)
    tab = _lay_out_answer(go, stop, examples)
    _connect(services, chosen, ask, tab)
    elsewhere.build(services, GENERATOR, chosen)
    _offer_to_programs(services)


def _lay_out_prompt() -> tuple[Any, Any, Any, Any]:
    prompt = gr.Textbox(
        label=text("generate.prompt"),
        placeholder=text("generate.placeholder"),
        lines=3,
        max_lines=10,
        elem_id="generate-prompt",
    )
    with gr.Row():
        go = gr.Button(text("generate.go"), variant="primary", elem_id="generate-go")
        stop = gr.Button(text("page.stop"), scale=0, min_width=110, elem_id="generate-stop")
    examples = gr.Dataset(
        components=[prompt],
        samples=[[sample] for sample in EXAMPLES],
        label=text("generate.examples"),
        elem_id="generate-examples",
        elem_classes="lab-examples",
    )
    return prompt, go, stop, examples


def _lay_out_sampling(prompt: Any) -> _Ask:
    def slider(key: str, low: float, high: float, value: float, step: float, **more: Any) -> Any:
        return gr.Slider(
            low, high, value=value, step=step, label=text(f"generate.{key}"),
            elem_id=f"generate-{key.replace('_', '-')}", **more,
        )  # fmt: skip

    length = slider("max_new_tokens", 10, MAX_NEW_TOKENS, 200, 10)
    temperature = slider("temperature", 0, 2, TEMPERATURE, 0.05)
    compare = gr.Checkbox(
        label=text("generate.compare"), elem_id="generate-compare", elem_classes="lab-switch"
    )
    other = slider("other", 0, 2, OTHER_TEMPERATURE, 0.05, visible=False)
    no_cache = gr.Checkbox(
        label=text("generate.no_cache"), elem_id="generate-no-cache", elem_classes="lab-switch"
    )
    with gr.Accordion(text("generate.more"), open=False, elem_classes="lab-more"):
        top_k = slider("top_k", 0, 200, 0, 1)
        top_p = slider("top_p", 0.05, 1, TOP_P, 0.01)
        seed = gr.Number(
            label=text("generate.seed"),
            placeholder=text("generate.seed_new"),
            precision=0,
            elem_id="generate-seed",
        )
    compare.change(lambda on: gr.update(visible=on), compare, other, **QUIET)
    return _Ask(prompt, length, temperature, top_k, top_p, seed, compare, other, no_cache)


def _lay_out_answer(go: Any, stop: Any, examples: Any) -> _Tab:
    with gr.Column(elem_classes="lab-answered"):
        note = gr.HTML(elem_id="generate-note")
        gr.HTML(text("generate.legend"), elem_id="generate-legend")
        with gr.Row(equal_height=False, elem_classes="lab-lanes"):
            lanes = [token_view(f"generate-lane-{number}") for number in range(LANES)]
        status = gr.HTML(elem_id="generate-status")
    return _Tab(go, stop, examples, note, lanes, status)


def _connect(services: Services, chosen: Any, ask: _Ask, tab: _Tab) -> None:
    def announce(request: gr.Request) -> None:
        services.stops.begin(request.session_hash, WORK)

    @sentences
    def show(given: dict[Any, Any], request: gr.Request) -> Iterator[list[Any]]:
        wish = asked(*(given[part] for part in ask.wish))
        second = given[ask.other] if given[ask.compare] else None
        lanes = lanes_of(wish, second=second, no_cache=given[ask.no_cache])
        with services.stops.watching(request.session_hash, WORK) as stopped:
            served = services.slot(GENERATOR, given[chosen]).serving(LOAD_WAIT_S)
            answer = _Answer(wish, begin(served, wish, lanes), served, reader(request))
            for _ in race(answer.runs, stopped=stopped.is_set):
                yield [answer.note(), *answer.lanes(), ""]
            yield [answer.note(), *answer.lanes(end=True), answer.summary()]

    def stop(request: gr.Request) -> None:
        services.stops.stop(request.session_hash, WORK)

    inputs = {*vars(ask).values(), chosen}  # a set: the handler gets them by component
    shown: dict[str, Any] = {
        "fn": show,
        "inputs": inputs,
        "outputs": [tab.note, *tab.lanes, tab.status],
    }
    options = {**LIMITS, **PRIVATE, "show_progress": "hidden"}
    gr.on([tab.go.click, ask.prompt.submit], announce, **QUIET).then(**shown, **options)
    filled = tab.examples.click(lambda row: row[0], tab.examples, ask.prompt, **QUIET)
    filled.then(announce, **QUIET).then(**shown, **options)
    tab.stop.click(stop, **QUIET)


class _Answer:
    """What the page shows of the runs, in one language."""

    def __init__(
        self, wish: Ask, runs: list[Run], served: Served[TextGenerator], language: Language
    ) -> None:
        self.runs = runs
        self._wish, self._served, self._language = wish, served, language
        self._began = perf_counter()
        words = {key: say(f"generate.{key}", language) for key in WORDS}
        self._tellings = [
            Telling(self._title(run), wish.prompt, words, first=run is runs[0]) for run in runs
        ]

    def lanes(self, *, end: bool = False) -> list[str]:
        """The value of every lane; "" for one that is not used."""
        for run, telling in zip(self.runs, self._tellings, strict=True):
            telling.show(run.steps, self._speed(run))
            if end or run.ended:
                telling.end()
        used = [telling.value for telling in self._tellings]
        return used + [""] * (LANES - len(used))

    def note(self) -> str:
        """What is to be known from the beginning: a prompt that was cut."""
        if not (cut := self.runs[0].stream.cut):
            return ""
        context = self._served.model.context
        return _line(say("generate.cut", self._language, cut=cut, context=context), "notice")

    def summary(self) -> str:
        """What is to be known at the end."""
        seconds = perf_counter() - self._began
        whole = all(run.ended for run in self.runs)
        said = say(
            "generate.done" if whole else "generate.stopped",
            self._language,
            tokens=sum(len(run.steps) for run in self.runs),
            seconds=f"{seconds:.1f}",
            revision=fragments.revision(self._served.revision),
            seed=self._wish.seed,
        )
        return self._gain() + _line(said, "quiet")

    def _gain(self) -> str:
        saved = gain(self.runs)
        if saved is None:
            return ""
        said = say(
            "generate.gain",
            self._language,
            cached=f"{saved.cached:,.0f}",
            uncached=f"{saved.uncached:,.0f}",
            times=f"{saved.times:.1f}",
        )
        same = say("generate.same", self._language) if saved.same else ""
        return _line(f"{said} {same}", "gain")

    def _title(self, run: Run) -> str:
        temperature = f"{run.lane.temperature:g}"
        if run.lane.use_cache:
            return say("generate.lane", self._language, temperature=temperature)
        return say("generate.lane_no_cache", self._language, temperature=temperature)

    def _speed(self, run: Run) -> str:
        rate = f"{run.tokens_per_second:,.0f}"
        return say("generate.speed", self._language, rate=rate, tokens=len(run.steps))


def _line(said: str, kind: str) -> str:
    return f'<p class="lab-{kind}" role="status">{fragments.plain(said)}</p>'


def _offer_to_programs(services: Services) -> None:
    def generate(
        prompt: str,
        max_new_tokens: int = 200,
        temperature: float = TEMPERATURE,
        top_k: int = 0,
        top_p: float = TOP_P,
        seed: int = 0,
        _request: gr.Request = None,  # type: ignore[assignment]
    ) -> Iterator[str]:
        """Continue a text with the served language model; streams the continuation as it grows.

        Args:
            prompt: The text to continue. The model sees its last tokens, as many as its context.
            max_new_tokens: How many tokens to make, 1 to 1000.
            temperature: 0 always takes the likeliest token; higher values dare more, up to 5.
            top_k: Choose among so many of the likeliest tokens; 0 means all.
            top_p: Choose among the likeliest tokens that together reach this probability.
            seed: The same seed gives the same text.
        """
        wish = asked(prompt, max_new_tokens, temperature, top_k, top_p, seed)
        served = services.slot(GENERATOR).serving(LOAD_WAIT_S)
        runs = begin(served, wish, lanes_of(wish))
        for _ in race(runs):
            yield runs[0].text

    generate.__annotations__["return"] = str  # what arrives each time: Gradio describes it by this
    gr.api(sentences(generate), api_name="generate", **LIMITS)
