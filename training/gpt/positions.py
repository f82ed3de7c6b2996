"""Where a token stands, told in four ways. Attention alone sees a bag of tokens.

- rope: turns queries and keys by an angle that grows with the place; their product then depends on
  the distance only. Nothing to learn.
- alibi: subtracts from each score a penalty that grows with the distance. Nothing to learn.
- sinusoidal: adds fixed waves to the embeddings.
- learned: adds a learned vector for each place (an `nn.Embedding` in model.py).

Legend: t places, w width, h heads, d width of a head.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

Rope = tuple[Tensor, Tensor]  # cosines and sines, (t, d/2) each


def rope_tables(context: int, size: int, theta: float = 10_000.0) -> Rope:
    """cos and sin of the angles place · theta^(-2i/d), each (t, d/2).

    Source: Su et al. 2021, https://arxiv.org/abs/2104.09864, section 3.2.
    """
    speeds = 1.0 / theta ** (torch.arange(0, size, 2).float() / size)  # (d/2,)
    angles = torch.arange(context).float()[:, None] * speeds  # (t, d/2)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Turn each pair of (b, h, t, d) by its angle: (x₁, x₂) -> (x₁·cos - x₂·sin, x₂·cos + x₁·sin).

    Pair i is made of the coordinates i and i + d/2, as in transformers' Llama.
    """
    first, second = x.chunk(2, dim=-1)  # (b, h, t, d/2)
    cosines, sines = cosines.to(x.dtype), sines.to(x.dtype)
    turned = (first * cosines - second * sines, second * cosines + first * sines)
    return torch.cat(turned, dim=-1)  # (b, h, t, d)


def alibi_slopes(heads: int) -> Tensor:
    """(h,): 2^(-8/h), 2^(-16/h), …

    If h is no power of two, the rest are every second slope of twice as many heads.
    Source: Press et al. 2022, https://arxiv.org/abs/2108.12409, section 3 and its code.
    """
    power = 2 ** math.floor(math.log2(heads))
    slopes = [2 ** (-8 * (i + 1) / power) for i in range(power)]
    between = [2 ** (-4 * (i + 1) / power) for i in range(0, 2 * power, 2)]
    return torch.tensor(slopes + between[: heads - power])


def alibi_bias(heads: int, context: int) -> Tensor:
    """(h, t, t): -slope · distance to earlier tokens, -∞ at later ones."""
    places = torch.arange(context)
    distance = places[:, None] - places  # (t, t)
    bias = -alibi_slopes(heads)[:, None, None] * distance
    return bias.masked_fill(distance < 0, -math.inf)


def sinusoidal_table(context: int, width: int) -> Tensor:
    """(t, w): sin and cos of place / 10000^(2i/w), in turn. Vaswani et al. 2017, section 3.5."""
    places = torch.arange(context).float()[:, None]
    speeds = torch.exp(torch.arange(0, width, 2).float() * (-math.log(10_000.0) / width))
    waves = torch.stack((torch.sin(places * speeds), torch.cos(places * speeds)), dim=-1)
    return waves.flatten(1)  # (t, w/2, 2) -> (t, w)
