"""Do pictures show what was asked for? A judge that the painter never met says so.

Prompt accuracy: the share of pictures whose best text, among the own prompt and 19 others of the
collection, is the own one, by the vectors of an independent CLIP. Beside it the same for the real
pictures and for noise, and what tells copying from painting: how far pictures of one prompt are
from each other, and the nearest picture of the collection.

Legend: n pictures, q prompts, s pixels a side, d dimension of the judge's vectors.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from training.diffusion.sheets import enlarged, sheet
from training.shared.clip_files import open_clip_folder

if TYPE_CHECKING:
    from PIL.Image import Image

    from training.diffusion.painting import Paint

CHOICES = 20  # texts that the judge chooses from
SEEDS = 4  # pictures of a prompt whose distances are the diversity
DIVERSE_PROMPTS = 32
BATCH = 32
GRID = 8  # pictures a side of the card's grid


class Judge(Protocol):
    """A model with pictures and texts in one space."""

    name: str
    revision: str | None

    def pictures(self, images: Sequence[Image]) -> np.ndarray:
        """(n, d) vectors of length 1."""

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        """(n, d) vectors of length 1."""


class ClipJudge:
    """A CLIP that open_clip opened."""

    def __init__(
        self, model: Any, preprocess: Any, tokenizer: Any, *, name: str, revision: str | None
    ) -> None:
        self.name, self.revision = name, revision
        self._model, self._preprocess, self._tokenizer = model, preprocess, tokenizer

    def pictures(self, images: Sequence[Image]) -> np.ndarray:
        """(n, d) vectors of length 1."""
        import torch

        with torch.inference_mode():
            found = [
                self._model.encode_image(
                    torch.stack([self._preprocess(image) for image in images[start : start + 64]]),
                    normalize=True,
                )
                for start in range(0, len(images), 64)
            ]
        vectors: np.ndarray = torch.cat(found).float().numpy()
        return vectors

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        """(n, d) vectors of length 1."""
        import torch

        with torch.inference_mode():
            found = [
                self._model.encode_text(
                    self._tokenizer(list(texts[start : start + 64])), normalize=True
                )
                for start in range(0, len(texts), 64)
            ]
        vectors: np.ndarray = torch.cat(found).float().numpy()
        return vectors


def load_judge(folder: Path, *, name: str, revision: str | None) -> ClipJudge:
    """A published CLIP as judge. Raises LabError."""
    return ClipJudge(*open_clip_folder(folder, name=name), name=name, revision=revision)


@dataclass(frozen=True)
class Asked:
    """A picture that was not learnt, by its caption; rivals: captions of the nearest to it."""

    caption: str
    picture: Image
    rivals: tuple[str, ...]


@dataclass(frozen=True)
class Combinations:
    """Prompt accuracy on known things with a detail that they were never seen with."""

    accuracy: float | None  # None: there was no judge
    real: float | None  # the same for the real pictures
    prompts: int
    samples: tuple[tuple[str, Image, Image], ...]  # prompt, painted, the real one


@dataclass(frozen=True)
class Evaluation:
    """All figures of a model, and the pictures that the card shows."""

    accuracy: float | None  # None: there was no judge
    real: float | None  # the same for the pictures of the collection
    noise: float | None  # and for pictures of noise
    judge: str | None
    judge_revision: str | None
    diversity: float  # mean distance of pictures of one prompt, per pixel, of colours 0 to 1
    collection_diversity: float  # the same between different pictures of the collection
    copies: float  # share of pictures nearer to one of the collection than that is to any other
    images_per_second: float
    prompts: int
    steps: int
    guidance: float
    samples: tuple[tuple[str, Image, Image], ...]  # prompt, painted, nearest of the collection
    grid: Image
    combinations: Combinations | None = None  # None: none were held out

    @property
    def chance(self) -> float:
        """Prompt accuracy of a guess."""
        return 1 / min(CHOICES, self.prompts)


def evaluate(
    paint: Paint,
    real: Sequence[Image],
    captions: Sequence[str],
    *,
    judge: Judge | None,
    steps: int,
    guidance: float,
    seed: int = 0,
) -> Evaluation:
    """Paint every caption once and measure. real: the picture of each caption."""
    started = time.perf_counter()
    painted = _in_batches(paint, captions, [seed + row for row in range(len(captions))])
    seconds = time.perf_counter() - started
    side = painted[0].size[0]
    mine, theirs = pixels(painted, side), pixels(real, side)
    nearest, near = nearest_of(mine, theirs)
    apart = distances(theirs, theirs) + np.diag(np.full(len(theirs), np.inf))
    accuracies = [
        None if judge is None else prompt_accuracy(judge, some, captions, seed=seed)
        for some in (painted, real, noise_like(painted, seed=seed))
    ]
    shown = np.linspace(0, len(captions) - 1, min(16, len(captions))).astype(int)
    return Evaluation(
        accuracy=accuracies[0],
        real=accuracies[1],
        noise=accuracies[2],
        judge=judge.name if judge else None,
        judge_revision=judge.revision if judge else None,
        diversity=_diversity(paint, captions, seed=seed),
        collection_diversity=float(apart[np.isfinite(apart)].mean()),
        copies=float((near < apart.min(1)[nearest]).mean()),
        images_per_second=len(captions) / seconds,
        prompts=len(captions),
        steps=steps,
        guidance=guidance,
        samples=tuple((captions[row], painted[row], real[nearest[row]]) for row in shown),
        grid=grid_of(painted),
    )


def evaluate_combinations(
    paint: Paint,
    held_out: Sequence[Asked],
    captions: Sequence[str],
    *,
    judge: Judge | None,
    seed: int = 0,
) -> Combinations:
    """Paint every caption that was held out once and measure. captions: of the collection."""
    prompts = [asked.caption for asked in held_out]
    painted = _in_batches(paint, prompts, [seed + row for row in range(len(prompts))])
    real = [asked.picture for asked in held_out]
    accuracies = [
        None
        if judge is None
        else prompt_accuracy(
            judge, some, prompts, among=captions, near=[a.rivals for a in held_out], seed=seed
        )
        for some in (painted, real)
    ]
    shown = np.linspace(0, len(prompts) - 1, min(16, len(prompts))).astype(int)
    samples = tuple((prompts[row], painted[row], real[row]) for row in shown)
    return Combinations(accuracies[0], accuracies[1], len(prompts), samples)


def prompt_accuracy(
    judge: Judge,
    images: Sequence[Image],
    captions: Sequence[str],
    *,
    among: Sequence[str] | None = None,
    near: Sequence[Sequence[str]] | None = None,
    seed: int = 0,
) -> float:
    """Share of pictures whose own caption beats CHOICES - 1 others. A tie is a miss.

    The others are drawn from `among` (None: captions). near: texts that each picture's own has to
    beat in any case, the first ones.
    """
    order = np.random.default_rng(seed)
    drawn_from = list(captions if among is None else among)
    close = [()] * len(images) if near is None else near
    texts = list(dict.fromkeys([*captions, *drawn_from, *(t for some in close for t in some)]))
    places = {text: place for place, text in enumerate(texts)}
    likeness = judge.pictures(images) @ judge.texts(texts).T  # (n, texts)
    hits = 0
    for row, own in enumerate(captions):
        rivals = [text for text in close[row] if text != own][: CHOICES - 1]
        others = [text for text in drawn_from if text not in (own, *rivals)]
        count = min(CHOICES - 1 - len(rivals), len(others))
        rivals += [others[place] for place in order.choice(len(others), count, replace=False)]
        best = likeness[row, [places[text] for text in rivals]].max(initial=-np.inf)
        hits += bool(likeness[row, places[own]] > best)
    return hits / len(images)


def noise_like(images: Sequence[Image], *, seed: int) -> list[Image]:
    """Pictures of nothing, of the same sizes."""
    from PIL import Image

    order = np.random.default_rng(seed)
    return [
        Image.fromarray(order.integers(0, 256, (*image.size[::-1], 3), np.uint8))
        for image in images
    ]


def pixels(images: Sequence[Image], side: int) -> np.ndarray:
    """(n, 3ss) float32 from 0 to 1."""
    small = [
        image if image.size == (side, side) else image.resize((side, side)) for image in images
    ]
    stacked = np.stack([np.asarray(image.convert("RGB"), np.float32) for image in small])
    return stacked.reshape(len(images), -1) / np.float32(255)


def distances(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """(n, 3ss), (m, 3ss) -> (n, m) root of the mean squared difference."""
    squares = (one**2).sum(1)[:, None] + (two**2).sum(1) - 2 * one @ two.T
    found: np.ndarray = np.sqrt(np.maximum(squares, 0) / one.shape[1])
    return found


def nearest_of(one: np.ndarray, two: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each of `one` the place of the nearest of `two`, and how far it is."""
    apart = distances(one, two)
    places = apart.argmin(1)
    return places, apart[range(len(one)), places]


def grid_of(images: Sequence[Image], *, side: int = GRID, scale: int = 2) -> Image:
    """A square of pictures from all over the list."""
    side = min(side, max(1, int(len(images) ** 0.5)))
    chosen = [images[row] for row in np.linspace(0, len(images) - 1, side * side).astype(int)]
    large = [enlarged(image, image.width * scale) for image in chosen]
    return sheet(large, columns=side)


def _diversity(paint: Paint, captions: Sequence[str], *, seed: int) -> float:
    """Mean distance between pictures of one prompt with different seeds."""
    rows = np.linspace(0, len(captions) - 1, min(DIVERSE_PROMPTS, len(captions))).astype(int)
    prompts = [captions[row] for row in rows for _ in range(SEEDS)]
    images = _in_batches(paint, prompts, [seed + 1000 + n for n in range(len(prompts))])
    found = pixels(images, images[0].size[0]).reshape(len(rows), SEEDS, -1)
    pairs = np.triu_indices(SEEDS, 1)
    return float(np.mean([distances(some, some)[pairs].mean() for some in found]))


def _in_batches(paint: Paint, prompts: Sequence[str], seeds: Sequence[int]) -> list[Image]:
    found: list[Image] = []
    for start in range(0, len(prompts), BATCH):
        found += paint(prompts[start : start + BATCH], seeds[start : start + BATCH])
    return found
