"""Wishes, paintings on their way, and what the page shows of them: with a tiny painter."""

from __future__ import annotations

import base64
import io
import re

import pytest
from PIL import Image

from hub_utils.errors import LabError
from hub_utils.names import RepoId
from tabs.i18n import PageError
from tabs.model_slot import Served
from tabs.painting import NEW_SEEDS, between, file_name, paint, pictures, strip, wished
from tests.tabs.lab import tiny_painter
from training.diffusion.inference import Painter, load

REVISION = "d" * 40


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served[Painter]:
    folder = tiny_painter(tmp_path_factory.mktemp("painter"))
    return Served(load(folder), RepoId("lab", "tiny-painter", "model"), REVISION, folder)


def wish(prompt: str = "red circle", *, seed: int | None = 5, steps: int = 3, count: int = 1):
    return wished(prompt, "", seed, steps, 3.5, "", count)


def opened(link: str) -> Image.Image:
    """The picture at an address that holds it."""
    return Image.open(io.BytesIO(base64.b64decode(link.partition(",")[2])))


def sources(html: str) -> list[Image.Image]:
    """The pictures in an HTML text."""
    return [opened(link) for link in re.findall(r'<img src="(data:image/png;base64,[^"]+)"', html)]


def test_a_wish_without_a_seed_gets_one_and_an_empty_one_is_a_sentence() -> None:
    seeds = {wish(seed=None).seed for _ in range(20)}
    assert len(seeds) > 1
    assert all(0 <= seed < NEW_SEEDS for seed in seeds)
    with pytest.raises(PageError, match="nothing to paint"):
        wish("  ")


def test_a_painting_has_a_picture_after_each_step_and_ends_when_stopped(served) -> None:
    lengths = [(len(p.way), p.done) for p in paint(served, wish(steps=4))]
    assert lengths == [(1, False), (2, False), (3, False), (4, True)]
    stopped = list(paint(served, wish(steps=4), stopped=lambda: True))
    assert len(stopped) == 1
    assert not stopped[0].done


def test_variations_have_seeds_of_their_own_and_can_be_painted_again(served) -> None:
    *_, four = paint(served, wish(count=4))
    *_, third = paint(served, wish(seed=7))
    difference = max(
        abs(a - b) for a, b in zip(bytes_of(four.images[2]), bytes_of(third.images[0]), strict=True)
    )
    assert difference <= 1
    assert len({image.tobytes() for image in four.images}) == 4


def bytes_of(image: Image.Image) -> bytes:
    return image.convert("RGB").tobytes()


def test_what_is_saved_says_how_it_was_made(served) -> None:
    *_, painting = paint(served, wish("a <b>red</b> circle"))
    shown = pictures(painting, served, "save")
    assert 'download="a-b-red-b-circle-5.png"' in shown
    assert "<b>" not in shown
    (picture,) = sources(shown)
    assert picture.size == (served.model.size, served.model.size)
    assert picture.text["prompt"] == "a <b>red</b> circle"
    assert picture.text["seed"] == "5"
    assert picture.text["revision"] == REVISION


def test_what_is_not_finished_cannot_be_saved(served) -> None:
    first = next(paint(served, wish()))
    assert "download" not in pictures(first, served, "save")


def test_a_strip_shows_every_picture_with_its_label(served) -> None:
    *_, painting = paint(served, wish())
    shown = strip(painting.way, ["1", "2", "<3>"], "From noise")
    assert len(sources(shown)) == 3
    assert "&lt;3&gt;" in shown


def test_between_two_prompts_the_ends_are_the_prompts_own(served) -> None:
    images, seconds = between(served, "red circle", "blue square", 3, 5)
    assert len(images) == 3
    assert seconds > 0
    *_, first = paint(served, wish(steps=served.model.steps))
    ends = zip(bytes_of(opened(images[0])), bytes_of(first.images[0]), strict=True)
    assert max(abs(a - b) for a, b in ends) <= 1
    with pytest.raises(PageError, match="Two prompts"):
        between(served, "red circle", " ", 3, 5)


@pytest.mark.parametrize("prompt", ["x" * 10_000, "word " * 3_000])
def test_a_prompt_beyond_measure_is_a_sentence(served, prompt: str) -> None:
    with pytest.raises(LabError, match="characters"):
        next(paint(served, wish(prompt)))


@pytest.mark.parametrize(
    ("prompt", "name"), [("Red Apple!", "red-apple-5.png"), ("…", "picture-5.png")]
)
def test_a_file_is_named_after_its_prompt(prompt: str, name: str) -> None:
    assert file_name(wish(prompt), 0) == name
