"""Transparent pictures as tensors: colours times their opacity, turned and moved as one.

So the colour of what nobody sees never bleeds into an edge. Legend: n pictures, s pixels a side.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def premultiplied(rgba: Tensor) -> Tensor:
    """(n, s, s, 4) uint8 -> (n, 4, s, s) float32 from 0 to 1: colours times opacity, opacity."""
    pictures = rgba.permute(0, 3, 1, 2).float().div(255)
    return torch.cat([pictures[:, :3] * pictures[:, 3:], pictures[:, 3:]], 1)


def laid_on(pictures: Tensor, ground: Tensor | float) -> Tensor:
    """`premultiplied` pictures on a ground -> (n, 3, s, s). ground: (n, 3, 1, 1), or 1: white."""
    return pictures[:, :3] + ground * (1 - pictures[:, 3:])


def turned(pictures: Tensor, *, angle: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """(n, c, s, s), each turned by radians, shrunk by a factor, shifted by shares of half a side.

    angle, scale: (n,); shift: (n, 2), across and down.
    """
    cosine, sine = torch.cos(angle) * scale, torch.sin(angle) * scale
    rows = [
        torch.stack([cosine, -sine, shift[:, 0]], 1),
        torch.stack([sine, cosine, shift[:, 1]], 1),
    ]
    grid = functional.affine_grid(torch.stack(rows, 1), list(pictures.shape), align_corners=False)
    return functional.grid_sample(pictures, grid, align_corners=False)
