"""The Paint tab: a prompt becomes a picture, step by step out of noise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from tabs import elsewhere, fragments, model_panel
from tabs.i18n import say
from tabs.kinds import PAINTER
from tabs.language import Language
from tabs.model_slot import LOAD_WAIT_S, Served
from tabs.painting import Painting, between, paint, pictures, strip, wished
from tabs.services import Services
from tabs.widgets import PRIVATE, QUIET, offer, reader, sentences, text
from training.diffusion.config import GUIDANCE, STEPS
from training.diffusion.inference import SCHEDULERS

if TYPE_CHECKING:
    from training.diffusion.inference import Painter

WORK = "paint"  # what a stop means
LIMITS: dict[str, Any] = {"concurrency_limit": 2, "concurrency_id": "paint"}
VARIATIONS = 4
BETWEEN = 7  # pictures from one prompt to another
EXAMPLES = (
    "tomato",
    "grinning face",
    "jack-o-lantern",
    "rainbow",
    "sunflower",
    "broken heart",
    "basketball",
)
FIRST, SECOND = "tomato", "grinning face"


@dataclass(frozen=True)
class _Ask:
    """What is to be painted, in the order that `wished` takes it."""

    prompt: Any
    negative: Any
    seed: Any
    steps: Any
    guidance: Any
    scheduler: Any
    count: Any

    @property
    def wish(self) -> list[Any]:
        """The components, in that order."""
        return list(vars(self).values())


@dataclass(frozen=True)
class _Tab:
    """The rest."""

    go: Any
    stop: Any
    examples: Any
    pictures: Any
    way: Any
    status: Any


def build(services: Services) -> None:
    """Lay the tab out and connect it."""
    chosen = model_panel.build(services, PAINTER)
    with gr.Row(equal_height=False):
        with gr.Column(scale=4, min_width=300):
            ask, go, stop, examples = _lay_out_ask()
        with gr.Column(scale=5, min_width=300):
            shown = gr.HTML(elem_id="paint-pictures")
            status = gr.HTML(elem_id="paint-status")
    way = gr.HTML(elem_id="paint-way")
    _connect(services, chosen, ask, _Tab(go, stop, examples, shown, way, status))
    _build_between(services, chosen, ask)
    elsewhere.build(services, PAINTER, chosen)
    gr.HTML(text("match.credit"), elem_classes="lab-quiet")
    _offer_to_programs(services)


def _lay_out_ask() -> tuple[_Ask, Any, Any, Any]:
    prompt = gr.Textbox(
        label=text("paint.prompt"),
        placeholder=text("paint.placeholder"),
        lines=2,
        max_lines=4,
        elem_id="paint-prompt",
    )
    with gr.Row():
        go = gr.Button(text("paint.go"), variant="primary", elem_id="paint-go")
        stop = gr.Button(text("page.stop"), scale=0, min_width=110, elem_id="paint-stop")
    examples = gr.Dataset(
        components=[prompt],
        samples=[[sample] for sample in EXAMPLES],
        label=text("paint.examples"),
        elem_id="paint-examples",
        elem_classes="lab-examples",
    )
    count = gr.Radio(
        [("1", 1), (str(VARIATIONS), VARIATIONS)],
        value=1,
        label=text("paint.count"),
        elem_id="paint-count",
    )
    with gr.Accordion(text("paint.more"), open=False, elem_classes="lab-more"):
        seed = gr.Number(
            label=text("paint.seed"),
            placeholder=text("paint.seed_new"),
            precision=0,
            elem_id="paint-seed",
        )
        steps = gr.Slider(
            1, 50, value=STEPS, step=1, label=text("paint.steps"), elem_id="paint-steps"
        )
        guidance = gr.Slider(
            0, 12, value=GUIDANCE, step=0.5, label=text("paint.guidance"), elem_id="paint-guidance"
        )
        scheduler = gr.Dropdown(
            [(text("paint.published"), ""), *((name, name) for name in SCHEDULERS)],
            value="",
            label=text("paint.scheduler"),
            elem_id="paint-scheduler",
        )
        negative = gr.Textbox(label=text("paint.negative"), max_lines=2, elem_id="paint-negative")
    return _Ask(prompt, negative, seed, steps, guidance, scheduler, count), go, stop, examples


def _connect(services: Services, chosen: Any, ask: _Ask, tab: _Tab) -> None:
    def announce(request: gr.Request) -> None:
        services.stops.begin(request.session_hash, WORK)

    @sentences
    def show(given: dict[Any, Any], request: gr.Request) -> Iterator[list[str]]:
        wish, language = wished(*(given[part] for part in ask.wish)), reader(request)
        with services.stops.watching(request.session_hash, WORK) as stopped:
            served = services.slot(PAINTER, given[chosen]).serving(LOAD_WAIT_S)
            for painting in paint(served, wish, stopped=stopped.is_set):
                yield _shown(painting, served, language)

    def stop(request: gr.Request) -> None:
        services.stops.stop(request.session_hash, WORK)

    event: dict[str, Any] = {
        "fn": show,
        "inputs": {*ask.wish, chosen},  # a set: the handler gets them by component
        "outputs": [tab.pictures, tab.way, tab.status],
        "show_progress": "hidden",
        **LIMITS,
        **PRIVATE,
    }
    gr.on([tab.go.click, ask.prompt.submit], announce, **QUIET).then(**event)
    filled = tab.examples.click(lambda row: row[0], tab.examples, ask.prompt, **QUIET)
    filled.then(announce, **QUIET).then(**event)
    tab.stop.click(stop, **QUIET)


def _shown(painting: Painting, served: Served[Painter], language: Language) -> list[str]:
    now = pictures(painting, served, say("paint.save", language))
    labels = [str(step) for step in range(1, len(painting.way) + 1)]
    way = strip(painting.way, labels, say("paint.way", language))
    key = "paint.done" if painting.done else "paint.becoming"
    said = say(
        key,
        language,
        step=len(painting.way),
        of=painting.of,
        seconds=f"{painting.seconds:.1f}",
        seed=painting.wish.seed,
        revision=fragments.revision(served.revision),
    )
    return [now, way, f'<p class="lab-quiet" role="status">{fragments.plain(said)}</p>']


def _build_between(services: Services, chosen: Any, ask: _Ask) -> None:
    gr.HTML(text("paint.between_intro"), elem_classes="lab-section")
    with gr.Row(equal_height=True):
        first = gr.Textbox(FIRST, label=text("paint.first"), min_width=200, elem_id="paint-first")
        second = gr.Textbox(
            SECOND, label=text("paint.second"), min_width=200, elem_id="paint-second"
        )
        go = gr.Button(text("paint.between_go"), min_width=110, scale=0, elem_id="paint-between-go")
    shown = gr.HTML(elem_id="paint-between")

    @sentences
    def show(one: str, two: str, seed: float | None, repo: str, request: gr.Request) -> str:
        served = services.slot(PAINTER, repo).serving(LOAD_WAIT_S)
        images, seconds = between(served, one, two, BETWEEN, seed)
        shares = [f"{100 * place / (BETWEEN - 1):.0f} %" for place in range(BETWEEN)]
        title = say(
            "paint.between", reader(request), first=one, second=two, seconds=f"{seconds:.1f}"
        )
        return strip(images, shares, title)

    inputs = [first, second, ask.seed, chosen]
    gr.on([go.click, first.submit, second.submit], show, inputs, shown, **LIMITS, **PRIVATE)


def _offer_to_programs(services: Services) -> None:
    names = ("prompt", "steps", "guidance", "seed")
    inputs = [
        gr.Textbox(visible=False, label=names[0]),
        gr.Number(STEPS, precision=0, visible=False, label=names[1]),
        gr.Number(GUIDANCE, visible=False, label=names[2]),
        gr.Number(0, precision=0, visible=False, label=names[3]),
    ]
    output = gr.Image(visible=False, format="png", label="picture")

    def paint_picture(
        prompt: str, steps: int, guidance: float, seed: int, _request: gr.Request
    ) -> Iterator[Any]:
        """Paint a picture of a prompt with the served diffusion model; streams it as it becomes.

        Args:
            prompt: What to paint, in a few English words.
            steps: How many steps from noise to the picture, 1 to 100.
            guidance: How strictly to follow the prompt, 0 to 20; 1 and less do not guide.
            seed: The same seed gives the same picture.
        """
        wish = wished(prompt, "", seed, steps, guidance, "", 1)
        served = services.slot(PAINTER).serving(LOAD_WAIT_S)
        for painting in paint(served, wish):
            yield painting.images[0]

    offer(paint_picture, inputs, output, name="paint", **LIMITS)
