"""Change pictures so that what they show stays: no mirror, since arrows and letters turn over.

Legend: b pictures, s pixels a side, with transparency.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

MEAN, STD = 0.5, 0.25  # of every channel, as published with the model


def sized(rgba: Tensor, size: int) -> Tensor:
    """(b, s, s, 4) uint8 pictures with `size` pixels a side."""
    if rgba.shape[1] == size:
        return rgba
    pictures = rgba.permute(0, 3, 1, 2).float().div_(255)
    alpha = pictures[:, 3:]
    pictures = torch.cat([pictures[:, :3] * alpha, alpha], 1)  # invisible colours stay out
    pictures = functional.interpolate(
        pictures, size=(size, size), mode="bicubic", antialias=True, align_corners=False
    ).clamp_(0, 1)
    alpha = pictures[:, 3:]
    color = pictures[:, :3] / alpha.clamp_min(1e-3)
    made = torch.cat([color.clamp_(0, 1), alpha], 1).mul_(255).round_()
    return made.permute(0, 2, 3, 1).to(torch.uint8).contiguous()


def prepared(rgba: Tensor) -> Tensor:
    """(b, s, s, 4) uint8 on white -> (b, 3, s, s) float32 around 0."""
    return _normalized(_laid_on(rgba, torch.ones(len(rgba), 3)))


def augmented(rgba: Tensor, *, strength: float, generator: torch.Generator) -> Tensor:
    """The same, each picture moved, turned, scaled, tinted and on a ground of its own."""
    if not strength:
        return prepared(rgba)
    count = len(rgba)

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(count, *shape, generator=generator)

    ground = uniform(0, 1, 3)
    ground[torch.rand(count, generator=generator) < 0.5] = 1.0  # white, as they will be shown
    pictures = _moved(
        torch.cat([rgba.permute(0, 3, 1, 2).float().div_(255)], 1),
        angle=uniform(-0.2, 0.2) * strength,
        scale=1 + uniform(-0.15, 0.25) * strength,
        shift=uniform(-0.1, 0.1, 2) * strength,
    )
    alpha = pictures[:, 3:]
    color = pictures[:, :3] * alpha + ground[:, :, None, None] * (1 - alpha)
    contrast = 1 + uniform(-0.2, 0.2, 1, 1, 1) * strength
    tint = uniform(-0.06, 0.06, 3, 1, 1) * strength
    return _normalized(((color - 0.5) * contrast + 0.5 + tint).clamp_(0, 1))


def _moved(pictures: Tensor, *, angle: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """(b, 4, s, s) turned by radians, shrunk by a factor, shifted by shares of half a side."""
    cosine, sine = torch.cos(angle) * scale, torch.sin(angle) * scale
    maps = torch.stack(
        [
            torch.stack([cosine, -sine, shift[:, 0]], 1),
            torch.stack([sine, cosine, shift[:, 1]], 1),
        ],
        1,
    )  # (b, 2, 3)
    grid = functional.affine_grid(maps, list(pictures.shape), align_corners=False)
    return functional.grid_sample(pictures, grid, align_corners=False)


def _laid_on(rgba: Tensor, ground: Tensor) -> Tensor:
    pictures = rgba.permute(0, 3, 1, 2).float().div(255)
    alpha = pictures[:, 3:]
    return pictures[:, :3] * alpha + ground[:, :, None, None] * (1 - alpha)


def _normalized(color: Tensor) -> Tensor:
    return ((color - MEAN) / STD).contiguous(memory_format=torch.channels_last)


def temperature_limit() -> float:
    """The largest logarithm of the scale of logits. Source: Radford et al. 2021 (CLIP): 100."""
    return math.log(100)
