"""The measure is not fooled: noise is at chance, the right picture at one, a tie a miss."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image

from training.diffusion.evaluate import (
    Asked,
    distances,
    evaluate,
    evaluate_combinations,
    grid_of,
    nearest_of,
    noise_like,
    pixels,
    prompt_accuracy,
)

CAPTIONS = [f"colour {number}" for number in range(40)]
SIDE = 8


def colors() -> np.ndarray:
    """(40, 3) far apart."""
    return np.random.default_rng(3).integers(0, 256, (len(CAPTIONS), 3))


def real() -> list[Image.Image]:
    return [Image.new("RGB", (SIDE, SIDE), tuple(int(v) for v in color)) for color in colors()]


class ColorJudge:
    """Knows the colour of each caption and sees a picture's mean colour: a judge that is right."""

    name, revision = "color-judge", None

    def pictures(self, images: Sequence[Image.Image]) -> np.ndarray:
        means = np.stack([np.asarray(image, np.float64).reshape(-1, 3).mean(0) for image in images])
        return np.concatenate([2 * means, np.ones((len(means), 1))], 1)

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        """Products with these are largest for the nearest colour."""
        known = colors()[[CAPTIONS.index(text) for text in texts]]
        return np.concatenate([known, -(known**2).sum(1, keepdims=True)], 1)


class BlindJudge(ColorJudge):
    """Sees nothing: all pictures are alike."""

    def pictures(self, images: Sequence[Image.Image]) -> np.ndarray:
        return np.ones((len(images), 5)) / np.sqrt(5)

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        return np.ones((len(texts), 5)) / np.sqrt(5)


def test_right_pictures_count_and_noise_and_wrong_ones_do_not() -> None:
    judge, pictures = ColorJudge(), real()
    assert prompt_accuracy(judge, pictures, CAPTIONS) == 1.0
    assert prompt_accuracy(judge, noise_like(pictures, seed=0), CAPTIONS) <= 0.15
    assert prompt_accuracy(judge, pictures[1:] + pictures[:1], CAPTIONS) <= 0.15


def test_a_judge_that_sees_nothing_gives_no_hits() -> None:
    assert prompt_accuracy(BlindJudge(), real(), CAPTIONS) == 0.0


def test_figures_of_a_painter_that_copies() -> None:
    pictures = dict(zip(CAPTIONS, real(), strict=True))
    found = evaluate(
        lambda prompts, _: [pictures[prompt] for prompt in prompts],
        real(), CAPTIONS, judge=ColorJudge(), steps=1, guidance=1.0,
    )  # fmt: skip
    assert (found.accuracy, found.real, found.chance) == (1.0, 1.0, pytest.approx(0.05))
    assert found.noise is not None
    assert found.noise <= 0.15
    assert found.copies == 1.0
    assert found.diversity == pytest.approx(0, abs=1e-3)
    assert found.collection_diversity > 0.1
    assert all(one.tobytes() == two.tobytes() for _, one, two in found.samples)


def test_distances_are_the_written_out_ones() -> None:
    one, two = pixels(real()[:3], SIDE), pixels(real()[3:5], SIDE)
    wanted = [[np.sqrt(np.mean((a - b) ** 2)) for b in two] for a in one]
    np.testing.assert_allclose(distances(one, two), wanted, atol=1e-4)
    assert nearest_of(one, one)[0].tolist() == [0, 1, 2]


def test_the_grid_holds_as_many_pictures_as_there_are() -> None:
    assert grid_of(real(), scale=1).size == (6 * SIDE, 6 * SIDE)
    assert grid_of(real()[:1], scale=2).size == (2 * SIDE, 2 * SIDE)


def test_held_out_pictures_have_to_beat_what_is_nearest_to_them() -> None:
    judge, pictures = ColorJudge(), real()
    rivals = tuple(CAPTIONS[1:4])
    asked = [Asked(CAPTIONS[0], pictures[0], rivals)]
    for painted, accuracy in ((pictures[0], 1.0), (pictures[2], 0.0)):
        found = evaluate_combinations(
            lambda _prompts, _seeds, painted=painted: [painted], asked, CAPTIONS[4:], judge=judge
        )
        assert (found.accuracy, found.real, found.prompts) == (accuracy, 1.0, 1)


def test_published_figures_keep_the_contract(finished) -> None:
    folder, figures = finished
    assert set(figures) >= {"prompt_accuracy", "images_per_second", "train_seconds", "repo"}
    assert json.loads(json.dumps(figures)) == figures
    assert figures["prompt_accuracy"] is None  # there was no judge
    card = (folder / "repository" / "README.md").read_text("utf-8")
    assert "license: other" in card  # pictures of one's own
    assert "there was no judge" in card
    for name in ("grid", "beside_nearest", "learning_curve", "milestones"):
        assert (folder / "repository" / "pictures" / f"{name}.png").stat().st_size > 0
    weights = [path.suffix for path in (folder / "repository").rglob("*") if path.is_file()]
    assert not {".bin", ".pt", ".ckpt"} & set(weights)
