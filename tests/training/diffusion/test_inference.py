"""Stages, seeds, schedulers, settings inside a PNG, and bad input as sentences."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hub_utils.cards import snippet_of
from hub_utils.errors import LabError
from tests.training.diffusion.conftest import TINY
from training.diffusion.inference import Painter, load, save_png

PROMPT = "red circle"


@pytest.fixture(scope="module")
def painter(finished) -> Painter:
    return load(finished[0] / "repository")


def last(painter: Painter, **more: Any) -> list[np.ndarray]:
    *_, stage = painter.paint(PROMPT, **more)
    return [np.asarray(image, np.float32) / 255 for image in stage.images]


def test_there_is_a_picture_from_the_first_step_on(painter) -> None:
    stages = list(painter.paint(PROMPT, seed=3, steps=4, count=2))
    assert [(stage.step, stage.of) for stage in stages] == [(n, 4) for n in range(1, 5)]
    for stage in stages:
        assert [image.size for image in stage.images] == [(painter.size, painter.size)] * 2
    assert stages[0].images[0].tobytes() != stages[-1].images[0].tobytes()
    assert painter.size == TINY.image_size
    assert (painter.steps, painter.guidance) == (TINY.sampling_steps, TINY.guidance)


def test_a_picture_depends_on_its_seed_and_not_on_its_neighbours(painter) -> None:
    one, two = last(painter, seed=5, count=2)
    np.testing.assert_allclose(one, last(painter, seed=5)[0], atol=4e-3)
    np.testing.assert_allclose(two, last(painter, seed=6)[0], atol=4e-3)
    assert np.abs(one - two).max() > 0.01


@pytest.mark.parametrize("name", ["DPM++ 2M", "UniPC", "DDIM", "Euler", "Euler ancestral"])
def test_every_scheduler_paints(painter, name) -> None:
    assert name in painter.schedulers
    (picture,) = last(painter, scheduler=name, steps=5)
    assert np.isfinite(picture).all()


def test_interpolation_begins_and_ends_with_the_prompts_own_pictures(painter) -> None:
    strip = painter.interpolate("red circle", "blue square", 4, seed=2)
    assert len(strip) == 4
    (own,) = last(painter, seed=2)
    np.testing.assert_allclose(np.asarray(strip[0], np.float32) / 255, own, atol=4e-3)


def test_settings_are_inside_the_png(painter) -> None:
    picture = painter.interpolate("red circle", "blue square", 2)[0]
    content = save_png(picture, {"prompt": "rotes Quadrat ■", "seed": 3, "guidance": 2.5})
    with Image.open(io.BytesIO(content)) as opened:
        assert opened.text == {"prompt": "rotes Quadrat ■", "seed": "3", "guidance": "2.5"}
        assert opened.tobytes() == picture.tobytes()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"prompt": "  \n"}, "The prompt is empty"),
        ({"prompt": "a" * 10_000}, "10,000 characters"),
        ({"negative": "a" * 10_000}, "10,000 characters"),
        ({"steps": 0}, "The number of steps is 0"),
        ({"steps": 10**400}, "The number of steps"),
        ({"steps": 2.5}, "The number of steps is 2.5"),
        ({"guidance": float("nan")}, "The guidance is nan"),
        ({"guidance": "much"}, "The guidance is 'much'"),
        ({"seed": -1}, "The seed is -1"),
        ({"seed": True}, "The seed is True"),
        ({"count": 99}, "The number of pictures is 99"),
        ({"scheduler": "Best"}, "no scheduler named 'Best'"),
    ],
)
def test_bad_input_is_a_sentence_before_anything_is_painted(painter, settings, sentence) -> None:
    with pytest.raises(LabError, match=sentence):
        painter.paint(**{"prompt": PROMPT, **settings})


def test_a_long_prompt_is_cut_to_what_the_model_reads(painter) -> None:
    *_, stage = painter.paint("red circle " * 60)
    assert len(stage.images) == 1


def test_a_folder_that_is_no_painter_is_a_sentence(tmp_path) -> None:
    (tmp_path / "model_index.json").write_text("{}", "utf-8")
    with pytest.raises(LabError, match="cannot be opened as a text-to-image model"):
        load(tmp_path)


def test_a_process_with_only_diffusers_paints_the_same_picture(painter, finished, tmp_path) -> None:
    repository = finished[0] / "repository"
    card = (repository / "README.md").read_text("utf-8")
    code = snippet_of(card).replace("local/emoji-painter", str(repository))
    code += 'import numpy\nnumpy.save("theirs.npy", numpy.asarray(picture))\n'
    code += "import sys, json\nprint(json.dumps([n for n in sys.modules if n == 'training']))\n"
    done = subprocess.run(
        [sys.executable, "-I", "-W", "ignore", "-c", code],
        env={**os.environ, "OMP_NUM_THREADS": "1"}, cwd=tmp_path,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == []
    theirs = np.load(Path(tmp_path) / "theirs.npy").astype(np.float32) / 255
    prompt = json.loads((repository / "painter.json").read_text("utf-8"))["prompts"][0]
    *_, stage = painter.paint(prompt, seed=0)
    ours = np.asarray(stage.images[0], np.float32) / 255
    assert np.abs(ours - theirs).max() <= 1 / 255 + 1e-6
    assert np.abs(ours - theirs).mean() < 1e-3
