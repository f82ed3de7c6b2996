"""Muon's step of one matrix, compiled: as `optim.orthogonalized`, with half of the gram products.

The matrix lies as it is or turned, with at least as many rows as columns, so that every product
reads rows as they lie. A gram matrix and its polynomials are symmetric: only the lower half is
computed, then mirrored.
"""

# ruff: noqa: PLR0913 - kernels take flat arrays, each with its offset and steps

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from training.gpt.kernels_train import product
from training.gpt.tiles import PANEL

_ONE = np.float32(1)


@njit(nogil=True, error_model="numpy", cache=True)
def muon_step(
    weight: Any, gradient: Any, momentum: Any, rows: int, columns: int, beta: Any,
    polynomials: Any, shrink: Any, rate: Any, x: Any, spare: Any, gram: Any, factor: Any,
) -> None:  # fmt: skip
    """weight = shrink · weight - rate · the nearest orthogonal matrix to the momentum, all flat.

    Scratch, zeros at first, for n ≥ r the larger and smaller side and s the step (see `scratch`):
    x and spare (n · s), gram and factor (r · s).
    """
    tall = rows >= columns
    n, r = (rows, columns) if tall else (columns, rows)
    step = (r + PANEL - 1) // PANEL * PANEL + PANEL
    across, down = (1, step) if tall else (step, 1)
    total = _remember(gradient, momentum, rows, columns, beta, x, down, across)
    _scale(x, _ONE / (np.float32(1.01) * np.float32(math.sqrt(total)) + np.float32(1e-7)))
    for number in range(len(polynomials)):
        a, b, c = polynomials[number]
        _lower(x, 1, step, x, step, n, r, gram)
        _mirror(gram, step, r)
        _lower(gram, step, 1, gram, step, r, r, factor)
        for i in range(r):
            out, linear = factor[i * step : i * step + r], gram[i * step : i * step + r]
            for j in range(r):
                out[j] = out[j] * c + linear[j] * b
            out[i] += a
        _mirror(factor, step, r)
        product(
            x, 0, step, 1, n, factor, 0, step, PANEL, r, spare, 0, step, step // PANEL - 1, False
        )
        x, spare = spare, x
    for i in range(rows):
        row, at = weight[i * columns : (i + 1) * columns], i * down
        for j in range(columns):
            row[j] = row[j] * shrink - rate * x[at + j * across]


@njit(nogil=True, error_model="numpy", fastmath={"reassoc", "contract"})
def _remember(
    gradient: Any, momentum: Any, rows: int, columns: int, beta: Any, x: Any, down: int, across: int
) -> Any:
    """Momentum with the new gradient, and x a step ahead of it; the sum of x's squares."""
    total = np.float32(0)
    for i in range(rows):
        new, kept = (
            gradient[i * columns : (i + 1) * columns],
            momentum[i * columns : (i + 1) * columns],
        )
        for j in range(columns):
            kept[j] += (new[j] - kept[j]) * (_ONE - beta)
        for j in range(columns):
            value = new[j] + (kept[j] - new[j]) * beta
            x[i * down + j * across] = value
            total += value * value
    return total


@njit(nogil=True, error_model="numpy")
def _scale(x: Any, factor: Any) -> None:
    for j in range(len(x)):
        x[j] *= factor


@njit(nogil=True, error_model="numpy")
def _lower(
    left: Any, l_step: int, l_inner: int, right: Any, step: int, inputs: int, r: int, y: Any
) -> None:
    """The blocks of left · right (r, r) that touch the lower half."""
    for i in range(0, r, PANEL):
        product(
            left, i * l_step, l_step, l_inner, min(PANEL, r - i), right, 0, step, PANEL, inputs,
            y, i * step, step, i // PANEL + 1, False,
        )  # fmt: skip


@njit(nogil=True, error_model="numpy")
def _mirror(x: Any, step: int, r: int) -> None:
    """The upper half of (r, r) from the lower."""
    for i in range(r):
        row = x[i * step : i * step + i]
        for j in range(i):
            x[j * step + i] = row[j]
