"""What the Match tab does, without its layout: texts against a picture, finding, where it looks."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from tabs.i18n import PageError
from tabs.model_slot import Served

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

    from training.clip.gallery import Hit
    from training.clip.inference import Matcher

MAX_TEXTS = 100
MAX_PICTURES = 12  # in a table of likeness
MAX_FOUND = 60
SHOWN_SIDE = 320  # pixels of the picture that shows where the model looked
PLACE = "{}"  # in a template


@dataclass(frozen=True)
class Match:
    """A picture against texts."""

    scores: dict[str, float]  # text → probability, descending
    seconds: float
    revision: str

    @property
    def best(self) -> str:
        """The most probable text."""
        return next(iter(self.scores))


@dataclass(frozen=True)
class Found:
    """Pictures of the collection, nearest first."""

    hits: list[Hit]
    seconds: float
    revision: str


def texts_of(given: str) -> list[str]:
    """One text a line, without empty lines and repetitions. Raises PageError."""
    texts = list(dict.fromkeys(" ".join(line.split()) for line in given.splitlines()))
    texts = [text for text in texts if text]
    if not texts:
        raise PageError("match.no_texts")
    if len(texts) > MAX_TEXTS:
        raise PageError("match.too_many", given=len(texts), limit=MAX_TEXTS)
    return texts


def filled(template: str, texts: Sequence[str]) -> list[str]:
    """The template with each text in place of {}. Raises PageError if it has none."""
    template = template.strip() or PLACE
    if PLACE not in template:
        raise PageError("match.no_place", template=template[:80])
    return [template.replace(PLACE, text) for text in texts]


def opened(path: str | None) -> Image:
    """The picture at a path that the page stored. Raises PageError or LabError."""
    from training.shared.images import open_image

    if not path:
        raise PageError("match.no_image")
    return open_image(path, name=Path(path).name)


def match(served: Served[Matcher], image: Image, texts: str, *, template: str = PLACE) -> Match:
    """Probability of each text for a picture. Raises PageError or LabError."""
    names = texts_of(texts)
    prompts = filled(template, names)
    started = time.perf_counter()
    found = served.model.match(image, prompts)
    seconds = time.perf_counter() - started
    pairs = sorted(zip(names, found, strict=True), key=lambda pair: -pair[1])
    return Match(dict(pairs), seconds, served.revision)


def find(served: Served[Matcher], what: str | Image, k: int) -> Found:
    """Pictures of the collection near a text or a picture. Raises PageError or LabError."""
    if not 1 <= k <= MAX_FOUND:
        raise PageError("match.count", given=k, limit=MAX_FOUND)
    if isinstance(what, str) and not what.strip():
        raise PageError("match.empty")
    started = time.perf_counter()
    if isinstance(what, str):
        hits = served.model.find_by_text(what, k)
    else:
        hits = served.model.find_by_image(what, k)
    return Found(hits, time.perf_counter() - started, served.revision)


def looked_at(image: Image, relevance: np.ndarray) -> Image:
    """The picture with what mattered left bright. relevance: (g, g), 0 to 1."""
    import numpy as np
    from PIL import Image as Pictures

    shown = image.convert("RGB").resize((SHOWN_SIDE, SHOWN_SIDE))
    mask = Pictures.fromarray((relevance * 255).astype(np.uint8)).resize(
        shown.size, Pictures.Resampling.BICUBIC
    )
    weight = 0.25 + 0.75 * np.asarray(mask, np.float32)[..., None] / 255
    ground = np.array([22, 44, 40], np.float32)
    mixed = np.asarray(shown, np.float32) * weight + ground * (1 - weight)
    return Pictures.fromarray(mixed.round().astype(np.uint8))


def likeness(names: Sequence[str], texts: Sequence[str], values: np.ndarray, label: str) -> str:
    """Cosines (pictures, texts) as a table whose cells are coloured from least to most alike."""
    low, high = float(values.min()), float(values.max())
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in texts)
    rows = []
    for name, row in zip(names, values, strict=True):
        cells = "".join(_cell(float(value), low, high) for value in row)
        rows.append(f'<tr><th scope="row">{escape(name)}</th>{cells}</tr>')
    return (
        f'<div class="lab-heat"><table aria-label="{escape(label)}"><thead><tr><td></td>{head}</tr>'
        f"</thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _cell(value: float, low: float, high: float) -> str:
    share = round(100 * (value - low) / (high - low)) if high > low else 100
    return f'<td style="--heat:{share}%">{value:.2f}</td>'
