"""The encoder that is not learnt: its convolutions are the components, forth and back."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from tests.training.diffusion.conftest import TINY
from training.diffusion.augment import moved, on_white
from training.diffusion.model import build_autoencoder, components_in, components_of


def some_pictures(count: int = 6, side: int = 16) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(count, 3, side, side, generator=generator) * 2 - 1


@pytest.mark.parametrize("patch", [2, 4, 8])
def test_stock_encoder_gives_the_components_of_patches(patch: int) -> None:
    pictures = some_pictures()
    found = components_of(pictures, patch=patch, count=6, evened=0.25)
    blocks = (1,) + (0,) * {2: 1, 4: 2, 8: 3}[patch]
    autoencoder = build_autoencoder(replace(TINY, patch=patch, decoder_blocks=blocks), found)
    with torch.no_grad():
        theirs = autoencoder.encode(pictures).latents
        drawn = autoencoder.decode(theirs).sample
    torch.testing.assert_close(theirs, found.latents(pictures), atol=1e-4, rtol=0)
    assert drawn.shape == pictures.shape
    back = components_in(autoencoder)
    torch.testing.assert_close(back.basis, found.basis)
    torch.testing.assert_close(back.offset, found.offset, atol=1e-5, rtol=0)


def test_all_components_are_uncorrelated_and_draw_the_picture_again() -> None:
    pictures = some_pictures(40)
    found = components_of(pictures, patch=2, count=12, evened=0.0)
    latents = found.latents(pictures).transpose(0, 1).flatten(1)
    torch.testing.assert_close(torch.cov(latents, correction=0), torch.eye(12), atol=1e-3, rtol=0)
    patches = functional.unfold(pictures, 2, stride=2)
    columns = found.latents(pictures).flatten(2) - found.offset[:, None]
    again = torch.linalg.inv(found.basis) @ columns
    torch.testing.assert_close(again, patches, atol=1e-3, rtol=0)


def test_pictures_lie_on_white_and_strength_zero_moves_nothing() -> None:
    rgba = torch.zeros(2, 16, 16, 4, dtype=torch.uint8)
    rgba[:, 4:12, 4:12] = torch.tensor([255, 0, 0, 255], dtype=torch.uint8)
    generator = torch.Generator().manual_seed(0)
    still = moved(rgba, strength=0.0, generator=generator)
    assert torch.equal(still, on_white(rgba))
    assert still[0, :, 0, 0].tolist() == [1, 1, 1]
    assert still[0, :, 8, 8].tolist() == [1, -1, -1]
    other = moved(rgba, strength=1.0, generator=generator)
    assert other[:, :, 8, 8].tolist() == [[1, -1, -1]] * 2
    assert not torch.equal(other[0], other[1])
