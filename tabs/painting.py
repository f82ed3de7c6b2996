"""What the Paint tab does, without its layout: wishes, paintings as they become, what is shown."""

from __future__ import annotations

import base64
import re
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

from tabs.i18n import PageError
from tabs.model_slot import Served

if TYPE_CHECKING:
    from PIL.Image import Image

    from training.diffusion.inference import Painter

NEW_SEEDS = 100_000  # a seed that nobody chose is below: short enough to be written down
MAX_FILE_NAME = 40  # characters of a prompt in the name of its file


@dataclass(frozen=True)
class Wish:
    """What is to be painted, and how."""

    prompt: str
    negative: str
    seed: int
    steps: int
    guidance: float
    scheduler: str | None  # None: the published one
    count: int

    def settings(self, number: int, served: Served[Painter]) -> dict[str, Any]:
        """How picture `number` was made, for the inside of its file."""
        return {
            "prompt": self.prompt,
            "negative prompt": self.negative,
            "seed": self.seed + number,
            "steps": self.steps,
            "guidance": self.guidance,
            "scheduler": self.scheduler or "as published",
            "model": str(served.repo),
            "revision": served.revision,
        }


@dataclass
class Painting:
    """Pictures on their way from noise."""

    wish: Wish
    of: int = 0  # steps
    images: list[Image] = field(default_factory=list)  # as they are now
    way: list[str] = field(default_factory=list)  # the first picture after each step, as `source`
    seconds: float = 0.0

    @property
    def done(self) -> bool:
        """Whether all steps were taken."""
        return bool(self.of) and len(self.way) == self.of


def wished(
    prompt: str,
    negative: str,
    seed: float | None,
    steps: float,
    guidance: float,
    scheduler: str,
    count: float,
) -> Wish:
    """A wish from what the page holds; without a seed, a new one. Raises PageError."""
    if not prompt.strip():
        raise PageError("paint.empty")
    chosen = secrets.randbelow(NEW_SEEDS) if seed is None else int(seed)
    return Wish(
        prompt, negative or "", chosen, int(steps), float(guidance), scheduler or None, int(count)
    )


def paint(
    served: Served[Painter], wish: Wish, *, stopped: Callable[[], bool] = lambda: False
) -> Iterator[Painting]:
    """The painting after every step, until it is done or stopped. Raises LabError."""
    from training.diffusion.inference import save_png

    painting = Painting(wish)
    started = time.perf_counter()
    stages = served.model.paint(
        wish.prompt,
        wish.negative,
        wish.seed,
        wish.steps,
        wish.guidance,
        wish.scheduler,
        wish.count,
    )
    for stage in stages:
        painting.of, painting.images = stage.of, stage.images
        painting.way.append(source(save_png(stage.images[0], {})))
        painting.seconds = time.perf_counter() - started
        yield painting
        if stopped():
            return


def between(
    served: Served[Painter], first: str, second: str, count: int, seed: float | None
) -> tuple[list[str], float]:
    """Pictures from one prompt to another, as `source`, and the seconds that they took.

    Raises PageError or LabError.
    """
    from training.diffusion.inference import save_png

    if not (first.strip() and second.strip()):
        raise PageError("paint.two_prompts")
    started = time.perf_counter()
    images = served.model.interpolate(first, second, int(count), seed=int(seed or 0))
    seconds = time.perf_counter() - started
    return [source(save_png(image, {})) for image in images], seconds


def pictures(painting: Painting, served: Served[Painter], save: str) -> str:
    """HTML of the pictures; a finished one can be saved. save: what the link says."""
    from training.diffusion.inference import save_png

    wish, figures = painting.wish, []
    for number, image in enumerate(painting.images):
        link = source(save_png(image, wish.settings(number, served)))
        caption = f"seed {wish.seed + number}"
        if painting.done:
            name = file_name(wish, number)
            caption += f' · <a download="{escape(name)}" href="{link}">{escape(save)}</a>'
        figures.append(
            f'<figure><img src="{link}" alt="{escape(wish.prompt, quote=True)}">'
            f"<figcaption>{caption}</figcaption></figure>"
        )
    busy = "" if painting.done else " lab-becoming"
    return f'<div class="lab-pictures lab-of-{len(figures)}{busy}">{"".join(figures)}</div>'


def strip(sources: Sequence[str], labels: Sequence[str], title: str) -> str:
    """HTML of small pictures in a row, each with its label. sources: of `source`."""
    figures = "".join(
        f'<figure><img src="{link}" alt="{escape(label, quote=True)}">'
        f"<figcaption>{escape(label)}</figcaption></figure>"
        for link, label in zip(sources, labels, strict=True)
    )
    return f'<h3>{escape(title)}</h3><div class="lab-strip" tabindex="0">{figures}</div>'


def file_name(wish: Wish, number: int) -> str:
    """A name for a picture's file, from its prompt and seed."""
    words = re.sub(r"[^\w]+", "-", wish.prompt.lower()).strip("-")[:MAX_FILE_NAME].strip("-")
    return f"{words or 'picture'}-{wish.seed + number}.png"


def source(png: bytes) -> str:
    """A PNG file's content as the address of an <img>."""
    return "data:image/png;base64," + base64.b64encode(png).decode()
