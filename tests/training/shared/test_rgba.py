"""Transparent pictures as tensors: what nobody sees never shows, what is turned stays whole."""

from __future__ import annotations

import math

import torch

from training.shared.rgba import laid_on, premultiplied, turned


def square() -> torch.Tensor:
    """(1, 32, 32, 4) a blue square, and red where nobody sees it."""
    picture = torch.zeros(1, 32, 32, 4, dtype=torch.uint8)
    picture[..., 0] = 255
    picture[:, 8:24, 8:24] = torch.tensor([0, 0, 255, 255], dtype=torch.uint8)
    return picture


def test_the_ground_shows_where_nothing_is_and_nowhere_else() -> None:
    laid = laid_on(premultiplied(square()), torch.full((1, 3, 1, 1), 0.5))
    assert laid[0, :, 0, 0].tolist() == [0.5, 0.5, 0.5]
    assert laid[0, :, 16, 16].tolist() == [0.0, 0.0, 1.0]


def test_a_turned_edge_takes_no_colour_from_what_is_invisible() -> None:
    made = turned(
        premultiplied(square()),
        angle=torch.tensor([0.3]),
        scale=torch.tensor([1.0]),
        shift=torch.zeros(1, 2),
    )
    assert float(made[:, 0].max()) == 0.0
    assert math.isclose(float(made[:, 3].sum()), 256, rel_tol=0.02)


def test_half_a_side_is_a_shift_of_one() -> None:
    made = turned(
        premultiplied(square()),
        angle=torch.zeros(1),
        scale=torch.ones(1),
        shift=torch.tensor([[0.5, 0.0]]),
    )
    assert made[0, 3, 16].nonzero().flatten().tolist() == list(range(16))
