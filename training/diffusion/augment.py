"""Pictures on white, and each moved a little: one drawing becomes many that show the same.

Legend: n pictures, s pixels a side.
"""

from __future__ import annotations

import torch
from torch import Tensor

from training.shared.rgba import laid_on, premultiplied, turned

TURN, SHRINK, GROW, SHIFT = 0.12, 0.08, 0.10, 0.06  # radians, shares, of half a side


def on_white(rgba: Tensor) -> Tensor:
    """(n, s, s, 4) uint8 -> (n, 3, s, s) float32 from -1 to 1, as diffusers has pictures."""
    return _centred(premultiplied(rgba))


def moved(rgba: Tensor, *, strength: float, generator: torch.Generator) -> Tensor:
    """The same, each turned, scaled and shifted by chance. strength 0: not at all."""
    if not strength:
        return on_white(rgba)

    def uniform(low: float, high: float) -> Tensor:
        return (low + (high - low) * torch.rand(len(rgba), generator=generator)) * strength

    angle, scale = uniform(-TURN, TURN), 1 + uniform(-GROW, SHRINK)
    shift = torch.stack([uniform(-SHIFT, SHIFT), uniform(-SHIFT, SHIFT)], 1)
    return _centred(turned(premultiplied(rgba), angle=angle, scale=scale, shift=shift))


def _centred(pictures: Tensor) -> Tensor:
    return laid_on(pictures, 1.0).clamp_(0, 1) * 2 - 1
