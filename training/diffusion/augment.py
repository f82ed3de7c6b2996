"""Pictures on white, and each moved a little: one drawing becomes many that show the same.

Legend: n pictures, s pixels a side.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

TURN, SHRINK, GROW, SHIFT = 0.12, 0.08, 0.10, 0.06  # radians, shares of the side


def on_white(rgba: Tensor) -> Tensor:
    """(n, s, s, 4) uint8 -> (n, 3, s, s) float32 from -1 to 1, as diffusers has pictures."""
    return _laid_on_white(_premultiplied(rgba))


def moved(rgba: Tensor, *, strength: float, generator: torch.Generator) -> Tensor:
    """The same, each turned, scaled and shifted by chance. strength 0: not at all."""
    if not strength:
        return on_white(rgba)
    count = len(rgba)

    def uniform(low: float, high: float) -> Tensor:
        return (low + (high - low) * torch.rand(count, generator=generator)) * strength

    angle, scale = uniform(-TURN, TURN), 1 + uniform(-GROW, SHRINK)
    cosine, sine = torch.cos(angle) * scale, torch.sin(angle) * scale
    rows = [
        torch.stack([cosine, -sine, uniform(-SHIFT, SHIFT)], 1),
        torch.stack([sine, cosine, uniform(-SHIFT, SHIFT)], 1),
    ]
    pictures = _premultiplied(rgba)
    grid = functional.affine_grid(torch.stack(rows, 1), list(pictures.shape), align_corners=False)
    return _laid_on_white(functional.grid_sample(pictures, grid, align_corners=False))


def _premultiplied(rgba: Tensor) -> Tensor:
    pictures = rgba.permute(0, 3, 1, 2).float().div(255)
    return torch.cat([pictures[:, :3] * pictures[:, 3:], pictures[:, 3:]], 1)


def _laid_on_white(premultiplied: Tensor) -> Tensor:
    color = premultiplied[:, :3] + 1 - premultiplied[:, 3:]
    return color.clamp_(0, 1) * 2 - 1
