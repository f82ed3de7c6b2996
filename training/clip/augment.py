"""Change pictures so that what they show stays: no mirror, since arrows and letters turn over.

Legend: b pictures, s pixels a side, with transparency.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from training.shared.rgba import laid_on, premultiplied, turned

MEAN, STD = 0.5, 0.25  # of every channel, as published with the model


def sized(rgba: Tensor, size: int) -> Tensor:
    """(b, s, s, 4) uint8 pictures with `size` pixels a side."""
    if rgba.shape[1] == size:
        return rgba
    pictures = functional.interpolate(
        premultiplied(rgba), size=(size, size), mode="bicubic", antialias=True, align_corners=False
    ).clamp_(0, 1)
    color, alpha = pictures[:, :3], pictures[:, 3:]
    straight = torch.cat([(color / alpha.clamp_min(1e-3)).clamp_(0, 1), alpha], 1)
    return straight.mul_(255).round_().permute(0, 2, 3, 1).to(torch.uint8).contiguous()


def prepared(rgba: Tensor) -> Tensor:
    """(b, s, s, 4) uint8 on white -> (b, 3, s, s) float32 around 0."""
    return _normalized(laid_on(premultiplied(rgba), 1.0))


def augmented(rgba: Tensor, *, strength: float, generator: torch.Generator) -> Tensor:
    """The same, each picture moved, turned, scaled, tinted and on a ground of its own."""
    if not strength:
        return prepared(rgba)
    count = len(rgba)

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(count, *shape, generator=generator)

    ground = uniform(0, 1, 3, 1, 1)
    ground[torch.rand(count, generator=generator) < 0.5] = 1.0  # white, as they will be shown
    pictures = turned(
        premultiplied(rgba),
        angle=uniform(-0.2, 0.2) * strength,
        scale=1 + uniform(-0.15, 0.25) * strength,
        shift=uniform(-0.1, 0.1, 2) * strength,
    )
    color = laid_on(pictures, ground)
    contrast = 1 + uniform(-0.2, 0.2, 1, 1, 1) * strength
    tint = uniform(-0.06, 0.06, 3, 1, 1) * strength
    return _normalized(((color - 0.5) * contrast + 0.5 + tint).clamp_(0, 1))


def _normalized(color: Tensor) -> Tensor:
    return ((color - MEAN) / STD).contiguous(memory_format=torch.channels_last)
