"""The Match tab: pictures and texts in one space, asked in both directions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from tabs import elsewhere, fragments, model_panel
from tabs.i18n import PageError, say
from tabs.kinds import MATCHER
from tabs.language import Language
from tabs.matching import (
    MAX_FOUND,
    MAX_PICTURES,
    PLACE,
    Found,
    Match,
    filled,
    find,
    likeness,
    looked_at,
    match,
    opened,
    texts_of,
)
from tabs.model_slot import LOAD_WAIT_S, Served
from tabs.services import Services
from tabs.widgets import (
    PRIVATE,
    QUIET,
    counted_as,
    offer,
    on_page_load,
    picture_file,
    reader,
    sentences,
    text,
)

if TYPE_CHECKING:
    from training.clip.gallery import Gallery
    from training.clip.inference import Matcher

TEXTS = "a red fruit\nan animal\nsomething to drink\na happy face\na flag\na building"
FIND = ("something sweet to eat", "an angry face", "music", "a way to travel", "bad weather")
ALIKE = 12  # pictures like one's own
OWN_TEXTS = 8  # captions of the collection that are matched where nobody wrote a text
PICKS_S = 5.0  # until a model that arrived shows its pictures
LIMITS: dict[str, Any] = {"concurrency_limit": 2, "concurrency_id": "match"}
# Texts of many readers are encoded together, pictures are not.
FIND_LIMITS: dict[str, Any] = {"concurrency_limit": 16, "concurrency_id": "find_image"}


@dataclass(frozen=True)
class _Ask:
    """A picture against texts."""

    image: Any
    drawing: Any
    use_drawing: Any
    picks: Any
    texts: Any
    template: Any
    go: Any
    alike: Any
    scores: Any
    looked: Any
    latency: Any


@dataclass(frozen=True)
class _Find:
    """A text, and the pictures nearest to it."""

    text: Any
    count: Any
    go: Any
    examples: Any
    gallery: Any
    latency: Any


def build(services: Services) -> None:
    """Lay the tab out and connect it."""
    chosen = model_panel.build(services, MATCHER)
    with gr.Tabs():
        with gr.Tab(text("match.by_image"), id="match-image"):
            ask = _lay_out_ask()
        with gr.Tab(text("match.by_text"), id="match-text"):
            finder = _lay_out_find()
        with gr.Tab(text("match.many"), id="match-many"):
            _build_table(services, chosen)
    elsewhere.build(services, MATCHER, chosen)
    gr.HTML(text("match.credit"), elem_classes="lab-quiet")
    _connect_ask(services, chosen, ask, finder)
    _connect_find(services, chosen, finder)
    _offer_to_programs(services, ask, finder)


def _lay_out_ask() -> _Ask:
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=300):
            image = picture_file(
                label=text("match.image"),
                sources=["upload", "clipboard"],
                height=260,
                elem_id="match-image",
            )
            gr.HTML(text("match.pick"), elem_classes="lab-quiet")
            picks = gr.Gallery(
                label=text("match.pick"),
                show_label=False,
                columns=6,
                height=150,
                allow_preview=False,
                visible=False,
                elem_id="match-picks",
            )
            with gr.Accordion(text("match.draw"), open=False):
                drawing = gr.Sketchpad(
                    show_label=False, type="pil", height=300, elem_id="match-drawing"
                )
                use_drawing = gr.Button(text("match.use_drawing"), elem_id="match-use-drawing")
            texts = gr.Textbox(
                label=text("match.texts"), lines=5, value=TEXTS, elem_id="match-texts"
            )
            template = gr.Textbox(
                label=text("match.template"), value=PLACE, elem_id="match-template"
            )
            with gr.Row():
                go = gr.Button(text("match.go"), variant="primary", elem_id="match-go")
                alike = gr.Button(text("match.alike"), elem_id="match-alike")
        with gr.Column(scale=4, min_width=300):
            scores = gr.Label(label=text("match.scores"), elem_id="match-scores")
            latency = gr.HTML(elem_id="match-latency")
            looked = gr.Image(
                label=text("match.looked"),
                show_label=False,
                visible=False,
                interactive=False,
                height=260,
                elem_id="match-looked",
            )
    return _Ask(
        image, drawing, use_drawing, picks, texts, template, go, alike, scores, looked, latency
    )


def _lay_out_find() -> _Find:
    with gr.Row(equal_height=True):
        what = gr.Textbox(
            label=text("match.find"), scale=4, min_width=260, max_lines=3, elem_id="match-find"
        )
        count = gr.Slider(
            1, MAX_FOUND, 12, step=1, label=text("match.k"), scale=2, elem_id="match-k"
        )
        go = gr.Button(
            text("match.find_go"),
            variant="primary",
            scale=1,
            min_width=110,
            elem_id="match-find-go",
        )
    examples = gr.Dataset(
        components=[what],
        samples=[[sample] for sample in FIND],
        label=text("match.examples"),
        elem_id="match-examples",
        elem_classes="lab-examples",
    )
    latency = gr.HTML(elem_id="match-find-latency")
    gallery = gr.Gallery(
        label=text("match.found"),
        show_label=False,
        columns=6,
        height="auto",
        elem_id="match-gallery",
    )
    return _Find(what, count, go, examples, gallery, latency)


def _connect_ask(services: Services, chosen: Any, ask: _Ask, finder: _Find) -> None:
    last = gr.State(None)  # the last Match, for what is shown after it
    template = gr.State(PLACE)

    @sentences
    def show(
        image: str | None, texts: str, template: str, repo: str, _request: gr.Request
    ) -> tuple[dict[str, float], Match]:
        given = match(_served(services, repo), opened(image), texts, template=template)
        return given.scores, given

    @sentences
    def show_looked(
        image: str | None, given: Match, template: str, repo: str, request: gr.Request
    ) -> tuple[str, Any]:
        picture = opened(image)
        prompt = filled(template, [given.best])[0]
        relevance = _served(services, repo).model.relevance(picture, prompt)
        shown = gr.update(value=looked_at(picture, relevance), visible=True)
        return _latency("match.latency", given, reader(request), looked=True), shown

    @sentences
    def find_alike(image: str | None, repo: str, request: gr.Request) -> tuple[Any, str]:
        found = find(_served(services, repo), opened(image), ALIKE)
        return _shown(found), _latency("match.found_in", found, reader(request))

    def on(trigger: Callable[..., Any]) -> None:
        inputs, outputs = [ask.image, ask.texts, template, chosen], [ask.scores, last]
        first = trigger(counted_as("match", show), inputs, outputs, **LIMITS, **PRIVATE)
        inputs = [ask.image, last, template, chosen]
        outputs = [ask.latency, ask.looked]
        first.success(show_looked, inputs, outputs, show_progress="hidden", **LIMITS, **PRIVATE)

    ask.template.change(lambda given: given, ask.template, template, **QUIET)
    on(ask.go.click)
    on(ask.image.input)
    on(ask.picks.select(_picked, None, ask.image, **PRIVATE).then)
    on(ask.use_drawing.click(sentences(_drawn), ask.drawing, ask.image, **PRIVATE).success)
    outputs = [finder.gallery, finder.latency]
    ask.alike.click(find_alike, [ask.image, chosen], outputs, **LIMITS, **PRIVATE)
    _connect_picks(services, chosen, ask)


def _connect_picks(services: Services, chosen: Any, ask: _Ask) -> None:
    shown = gr.State("")  # the revision whose pictures are shown

    def show(repo: str, before: str, texts: str) -> tuple[Any, Any, Any]:
        served = services.slot(MATCHER, repo).state.served
        gallery = served.model.gallery if served is not None else None
        revision = served.revision if served is not None and gallery else ""
        if revision == before:
            return gr.skip(), gr.skip(), gr.skip()
        if gallery is None:
            return gr.update(visible=False), revision, gr.skip()
        picks = gr.update(value=[(hit.image, hit.caption) for hit in gallery.sample], visible=True)
        return picks, revision, _own_texts(gallery, texts)

    event: dict[str, Any] = {
        "fn": show,
        "inputs": [chosen, shown, ask.texts],
        "outputs": [ask.picks, shown, ask.texts],
        **QUIET,
    }
    on_page_load(**event)
    gr.Timer(PICKS_S).tick(**event)


def _picked(event: gr.SelectData) -> str:
    return str(event.value["image"]["path"])


def _drawn(drawing: Any, _request: gr.Request) -> Any:
    composite = (drawing or {}).get("composite")
    if composite is None or composite.getextrema()[-1] == (0, 0):
        raise PageError("match.no_drawing")
    return composite


def _connect_find(services: Services, chosen: Any, finder: _Find) -> None:
    last = gr.State(None)

    @sentences
    def show(
        text: str, k: int, repo: str, _request: gr.Request
    ) -> tuple[list[tuple[Any, str]], Found]:
        found = find(_served(services, repo), text, int(k))
        return _shown(found), replace(found, hits=[])  # no session keeps pictures

    @sentences
    def show_latency(found: Found, request: gr.Request) -> str:
        return _latency("match.ranked_in", found, reader(request))

    def on(trigger: Callable[..., Any]) -> None:
        inputs, outputs = [finder.text, finder.count, chosen], [finder.gallery, last]
        trigger(counted_as("find_image", show), inputs, outputs, **FIND_LIMITS, **PRIVATE).success(
            show_latency, last, finder.latency, show_progress="hidden", **PRIVATE
        )

    on(finder.go.click)
    on(finder.text.submit)
    example = finder.examples.click(lambda row: row[0], finder.examples, finder.text, **QUIET)
    on(example.then)


def _offer_to_programs(services: Services, ask: _Ask, finder: _Find) -> None:
    def match_texts(image: str | None, texts: str, _request: gr.Request) -> dict[str, float]:
        """Say which texts fit a picture: the probability of each, by the served CLIP.

        Args:
            image: The picture.
            texts: What it may show, one text a line.
        """
        return match(_served(services), opened(image), texts).scores

    def find_image(text: str, k: int, _request: gr.Request) -> list[tuple[Any, str]]:
        """Find pictures of the served CLIP's collection by what they show, the best first.

        Args:
            text: What the picture shows, in English.
            k: How many pictures, 1 to 60.
        """
        return _shown(find(_served(services), text, int(k)))

    offer(match_texts, [ask.image, ask.texts], ask.scores, name="match", **LIMITS)
    offer(find_image, [finder.text, finder.count], finder.gallery, name="find_image", **FIND_LIMITS)


def _build_table(services: Services, chosen: Any) -> None:
    gr.HTML(text("match.many_intro"), elem_classes="lab-section")
    with gr.Row(equal_height=False):
        files = gr.File(
            label=text("match.files"),
            file_count="multiple",
            file_types=["image"],
            height=150,
            elem_id="match-files",
        )
        texts = gr.Textbox(
            label=text("match.texts"), lines=5, value=TEXTS, elem_id="match-many-texts"
        )
    go = gr.Button(text("match.many_go"), variant="primary", elem_id="match-many-go")
    table = gr.HTML(elem_id="match-table")

    @sentences
    def compare(paths: Sequence[str] | None, texts: str, repo: str, request: gr.Request) -> str:
        served, names = _served(services, repo), texts_of(texts)
        if paths:
            pictures = [opened(path) for path in paths[:MAX_PICTURES]]
            called = [Path(path).name for path in paths[:MAX_PICTURES]]
        else:
            sample = served.model.gallery.sample[:6] if served.model.gallery else []
            pictures, called = [hit.image for hit in sample], [hit.caption for hit in sample]
        if not pictures:
            raise PageError("match.no_image")
        values = served.model.similarities(pictures, names)
        return likeness(called, names, values, say("match.many", reader(request)))

    go.click(compare, [files, texts, chosen], table, **LIMITS, **PRIVATE)


def _served(services: Services, repo: str = "") -> Served[Matcher]:
    return services.slot(MATCHER, repo).serving(LOAD_WAIT_S)


def _own_texts(gallery: Gallery, texts: str) -> Any:
    """What the pictures to pick show, as long as nobody wrote other texts."""
    if texts.strip() != TEXTS:
        return gr.skip()
    captions = dict.fromkeys(hit.caption for hit in gallery.sample)
    return "\n".join(list(captions)[:OWN_TEXTS])


def _shown(found: Found) -> list[tuple[Any, str]]:
    return [(hit.image, f"{hit.score:.2f} · {hit.caption}") for hit in found.hits]


def _latency(key: str, given: Any, language: Language, *, looked: bool = False) -> str:
    said = say(
        key,
        language,
        ms=f"{given.seconds * 1000:.0f}",
        revision=fragments.revision(given.revision),
    )
    below = f" {say('match.looked', language)}" if looked else ""
    return f'<p class="lab-quiet">{escape(said + below)}</p>'
