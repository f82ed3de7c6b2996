"""Changed pictures show the same thing, the same way round."""

from __future__ import annotations

import json

import numpy as np
import torch

from tests.training.clip.conftest import draw
from training.clip.augment import MEAN, STD, augmented, prepared, sized


def pixels(picture) -> torch.Tensor:
    return torch.from_numpy(np.array(picture))[None]


def shown(tensor: torch.Tensor) -> np.ndarray:
    """(s, s, 3) from 0 to 1."""
    return (tensor[0] * STD + MEAN).permute(1, 2, 0).numpy()


def test_prepared_is_what_the_published_preprocessing_makes(finished) -> None:
    from open_clip.transform import PreprocessCfg, image_transform_v2

    described = json.loads((finished[0] / "repository" / "open_clip_config.json").read_text())
    published = PreprocessCfg(size=32, **described["preprocess_cfg"])
    preprocess = image_transform_v2(published, is_train=False)
    picture = draw("red", "circle", size=32)
    flat = torch.stack([preprocess(on_white(picture))])
    torch.testing.assert_close(prepared(pixels(picture)), flat, atol=2e-2, rtol=0)


def on_white(picture):
    from training.shared.images import on_background

    return on_background(picture, (255, 255, 255))


def test_no_strength_is_no_change() -> None:
    generator = torch.Generator().manual_seed(0)
    picture = pixels(draw("red", "circle"))
    torch.testing.assert_close(
        augmented(picture, strength=0.0, generator=generator), prepared(picture)
    )


def test_pictures_change_but_are_never_turned_over() -> None:
    half = np.zeros((40, 40, 4), np.uint8)
    half[:, :20] = (255, 0, 0, 255)
    half[:, 20:] = (0, 0, 255, 255)
    many = torch.from_numpy(half)[None].repeat(64, 1, 1, 1)
    made = augmented(many, strength=1.0, generator=torch.Generator().manual_seed(0))
    assert len({float(picture.sum()) for picture in made}) > 60
    red_left = made[:, 0, 15:25, 8:14].mean((1, 2)) > made[:, 2, 15:25, 8:14].mean((1, 2))
    assert red_left.all()


def test_the_ground_of_transparent_pictures_differs() -> None:
    many = pixels(draw("red", "square")).repeat(64, 1, 1, 1)
    made = augmented(many, strength=1.0, generator=torch.Generator().manual_seed(0))
    corners = made[:, :, 0, 0] * STD + MEAN
    white = (corners > 0.9).all(1)
    assert 16 < int(white.sum()) < 60
    assert shown(prepared(many))[0, 0].tolist() == [1.0, 1.0, 1.0]


def test_a_smaller_picture_keeps_its_colours_and_its_edge_takes_none_from_what_is_invisible() -> (
    None
):
    picture = np.zeros((1, 64, 64, 4), np.uint8)
    picture[:, :, :, :3] = (255, 0, 0)  # red where nobody sees it
    picture[:, 16:48, 16:48] = (0, 0, 255, 255)
    small = sized(torch.from_numpy(picture), 32)
    assert small.shape == (1, 32, 32, 4)
    seen = small[0, ..., 3] > 30
    assert int(small[0, ..., 0][seen].max()) < 10
    assert int(small[0, ..., 2][seen].min()) > 245
    assert 15**2 <= int(seen.sum()) <= 18**2
