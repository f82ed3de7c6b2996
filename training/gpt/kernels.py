"""The compiled decoder: one pass over all layers, each weight read once. Needs numba.

Matrices lie in panels of 16 outputs: (outputs / 16, inputs, 16). A tile multiplies up to six rows
with a panel and keeps the sums in vector registers, so a weight is loaded once for all of them.
Weights may be float32, bfloat16 (as uint16: the upper half of a float32) or int8 with a scale for
each output; sums are always float32. Keys and values are cached in panels too, so that attention
is the same product. Arrays are flat and come with offsets.

Every sum runs over its inputs one after the other, whatever else is computed beside it. So the
result for a token is the same to the last bit alone, among others, cached or read again.
"""

# ruff: noqa: PLR0913, C901 - kernels take flat arrays, each with its offset and step

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit, prange

from training.gpt.kernels_exp import exp
from training.gpt.tiles import PANEL, tile

# Columns of the table of offsets, a row for each layer; -1: there is none.
NORM, NORM_BIAS, QKV, QKV_BIAS, QKV_SCALE, OUT, OUT_BIAS, OUT_SCALE = range(8)
FEED, FEED_BIAS, UP, UP_BIAS, UP_SCALE, DOWN, DOWN_BIAS, DOWN_SCALE = range(8, 16)
COLUMNS = 16
# The last row of the table.
FINAL, FINAL_BIAS, HEAD, HEAD_SCALE, COS, SIN, POSITIONS = range(7)
# The vector `shape`.
LAYERS, WIDTH, HEADS, GROUPS, HEAD_WIDTH, HIDDEN, VOCABULARY, LENGTH = range(8)
SLOTS, LAYER_NORM, ACTIVATION, GATED = range(8, 12)
SILU, GELU, GELU_TANH, RELU = range(4)

_ONE, _HALF, _ZERO = np.float32(1), np.float32(0.5), np.float32(0)

_tile_1x4, _tile_1x1, _tile_2x2, _tile_2x1 = tile(1, 4), tile(1, 1), tile(2, 2), tile(2, 1)
_tile_3x1, _tile_4x1, _tile_6x1 = tile(3, 1), tile(4, 1), tile(6, 1)


@njit(nogil=True, error_model="numpy")
def _multiply(
    x: Any, x_at: int, x_step: int, rows: int, count: int,
    w: Any, w_at: int, first: int, last: int, small: Any, scale: int,
    y: Any, y_at: int, y_step: int,
) -> None:  # fmt: skip
    """y = x W' for the panels first … last of a matrix at `w_at`."""
    step = count * PANEL
    p = first
    while p < last:
        at, sc, ya = w_at + p * step, scale + p * PANEL, y_at + p * PANEL
        if rows == 1 and p + 4 <= last:
            _tile_1x4(x, x_at, x_step, w, at, step, small, sc, count, y, ya, y_step)
            p += 4
            continue
        if rows == 2 and p + 2 <= last:
            _tile_2x2(x, x_at, x_step, w, at, step, small, sc, count, y, ya, y_step)
            p += 2
            continue
        r = 0
        while r < rows:
            left, xa, yr = rows - r, x_at + r * x_step, ya + r * y_step
            if left >= 6:
                _tile_6x1(x, xa, x_step, w, at, step, small, sc, count, y, yr, y_step)
                r += 6
            elif left >= 4:
                _tile_4x1(x, xa, x_step, w, at, step, small, sc, count, y, yr, y_step)
                r += 4
            elif left == 3:
                _tile_3x1(x, xa, x_step, w, at, step, small, sc, count, y, yr, y_step)
                r += 3
            elif left == 2:
                _tile_2x1(x, xa, x_step, w, at, step, small, sc, count, y, yr, y_step)
                r += 2
            else:
                _tile_1x1(x, xa, x_step, w, at, step, small, sc, count, y, yr, y_step)
                r += 1
        p += 1


@njit(nogil=True, error_model="numpy")
def _add_bias(y: Any, y_step: int, rows: int, small: Any, bias: int, first: int, last: int) -> None:
    for r in range(rows):
        for j in range(first * PANEL, last * PANEL):
            y[r * y_step + j] += small[bias + j]


@njit(nogil=True, error_model="numpy")
def _activate_all(
    y: Any, y_step: int, rows: int, first: int, last: int,
    gates: int, activation: int, act: Any, act_step: int,
) -> None:  # fmt: skip
    for r in range(rows):
        for p in range(first, last):
            source, target = r * y_step + p * PANEL * gates, r * act_step + p * PANEL
            for j in range(PANEL):
                act[target + j] = _activate(y[source + j], activation)
            if gates == 2:
                for j in range(PANEL):
                    act[target + j] *= y[source + PANEL + j]


@njit(nogil=True, error_model="numpy")
def _norm(
    x: Any,
    x_at: int,
    width: int,
    small: Any,
    scale: int,
    bias: int,
    eps: Any,
    layer_norm: bool,
    y: Any,
    y_at: int,
) -> None:
    mean = _ZERO
    if layer_norm:
        mean = _sum(x, x_at, width) / np.float32(width)
    for j in range(width):
        y[y_at + j] = (x[x_at + j] - mean) * (x[x_at + j] - mean)
    factor = _ONE / np.float32(math.sqrt(_sum(y, y_at, width) / np.float32(width) + eps))
    for j in range(width):
        y[y_at + j] = (x[x_at + j] - mean) * factor * small[scale + j]
    if bias >= 0:
        for j in range(width):
            y[y_at + j] += small[bias + j]


@njit(nogil=True, error_model="numpy")
def _sum(x: Any, at: int, count: int) -> Any:
    """Eight running sums, added in the end."""
    a = b = c = d = e = f = g = h = _ZERO
    for j in range(at, at + count - 7, 8):
        a += x[j]
        b += x[j + 1]
        c += x[j + 2]
        d += x[j + 3]
        e += x[j + 4]
        f += x[j + 5]
        g += x[j + 6]
        h += x[j + 7]
    for j in range(at + count - count % 8, at + count):
        a += x[j]
    return ((a + b) + (c + d)) + ((e + f) + (g + h))


@njit(nogil=True, error_model="numpy")
def _activate(x: Any, kind: int) -> Any:
    if kind == SILU:
        return x / (_ONE + exp(-x))
    if kind == GELU_TANH:
        inner = np.float32(0.7978845608) * (x + np.float32(0.044715) * x * x * x)
        return x / (_ONE + exp(np.float32(-2) * inner))
    if kind == RELU:
        return max(x, _ZERO)
    return _HALF * x * (_ONE + np.float32(math.erf(x * np.float32(0.7071067812))))


@njit(nogil=True, error_model="numpy")
def _remember(
    shape: Any,
    small: Any,
    cos: int,
    sin: int,
    fused: Any,
    at: int,
    position: int,
    keys: Any,
    values: Any,
    cached: int,
) -> None:
    """Rotate queries and keys of one row; put keys and values into the cache at `cached`."""
    h, g, d, length = shape[HEADS], shape[GROUPS], shape[HEAD_WIDTH], shape[LENGTH]
    half = d // 2
    if cos >= 0:
        for head in range(h + g):
            start = at + head * d
            for j in range(half):
                first, second = fused[start + j], fused[start + half + j]
                angle = position * d + j
                fused[start + j] = first * small[cos + angle] - second * small[sin + angle]
                fused[start + half + j] = (
                    second * small[cos + angle + half] + first * small[sin + angle + half]
                )
    wide = (d + PANEL - 1) // PANEL * PANEL
    for group in range(g):
        key, value = at + (h + group) * d, at + (h + g + group) * d
        panel = cached + group * length * wide + position // PANEL * PANEL * d + position % PANEL
        # Panels of keys are (length / 16, d, 16), those of values (d / 16, length, 16).
        for j in range(d):
            keys[panel + j * PANEL] = fused[key + j]
        for j in range(d):
            values[
                cached
                + group * length * wide
                + (j // PANEL * length + position) * PANEL
                + j % PANEL
            ] = fused[value + j]


@njit(nogil=True, error_model="numpy")
def _attend(
    shape: Any,
    group: int,
    fused: Any,
    at: int,
    position: int,
    keys: Any,
    values: Any,
    cached: int,
    small: Any,
    scores: Any,
    s_at: int,
    y: Any,
    y_at: int,
    mixed: Any,
    m_at: int,
) -> None:
    """Attention of one row's query heads of one group, into y."""
    h, g, d, length = shape[HEADS], shape[GROUPS], shape[HEAD_WIDTH], shape[LENGTH]
    wide = (d + PANEL - 1) // PANEL * PANEL
    share, seen = h // g, position + 1
    panels = (seen + PANEL - 1) // PANEL
    start = cached + group * length * wide
    query = at + group * share * d
    _multiply(fused, query, d, share, d, keys, start, 0, panels, small, 0, scores, s_at, length)
    scale = np.float32(1 / math.sqrt(d))
    for head in range(share):
        row = s_at + head * length
        highest = scores[row]
        for j in range(row, row + seen):
            highest = max(highest, scores[j])
        for j in range(row, row + seen):
            scores[j] = exp((scores[j] - highest) * scale)
    # Values of a panel follow each other over the whole length, so each is a matrix of its own
    for p in range(wide // PANEL):
        _multiply(
            scores,
            s_at,
            length,
            share,
            seen,
            values,
            start + p * length * PANEL,
            0,
            1,
            small,
            0,
            mixed,
            m_at + p * PANEL,
            wide,
        )
    for head in range(share):
        total = _ONE / _sum(scores, s_at + head * length, seen)
        for j in range(d):
            y[y_at + (group * share + head) * d + j] = mixed[m_at + head * wide + j] * total


@njit(parallel=True, nogil=True, error_model="numpy")
def _product(
    threads: int, x: Any, x_at: int, x_step: int, rows: int, count: int,
    w: Any, panels: int, w_at: int, small: Any, bias: int, scale: int, y: Any, y_step: int,
    gates: int, activation: int, act: Any, act_step: int,
) -> None:  # fmt: skip
    """y = x W' + b, a share of the panels in each thread.

    With `activation` ≥ 0 also act = activation(y), or that of every other panel times the next one
    where gates is 2.
    """
    groups = panels // gates
    for t in prange(threads):
        a, b = groups * t // threads, groups * (t + 1) // threads
        _multiply(
            x, x_at, x_step, rows, count, w, w_at, a * gates, b * gates, small, scale, y, 0, y_step
        )
        if bias >= 0:
            _add_bias(y, y_step, rows, small, bias, a * gates, b * gates)
        if activation >= 0:
            _activate_all(y, y_step, rows, a, b, gates, activation, act, act_step)


@njit(parallel=True, nogil=True, error_model="numpy")
def _attend_all(
    shape: Any, fused: Any, f_step: int, slots: Any, starts: Any, keys: Any, values: Any, base: int,
    small: Any, scores: Any, mixed: Any, part: Any,
) -> None:  # fmt: skip
    """Attention of all rows, a group of heads a task."""
    h, g, d, length = shape[HEADS], shape[GROUPS], shape[HEAD_WIDTH], shape[LENGTH]
    wide = (d + PANEL - 1) // PANEL * PANEL
    for task in prange(len(slots) * g):
        n, group = task // g, task % g
        cached = base + slots[n] * g * length * wide
        lane = task * (h // g)
        _attend(
            shape, group, fused, n * f_step, starts[n], keys, values, cached, small,
            scores, lane * length, mixed, n * h * d, part, lane * wide,
        )  # fmt: skip


@njit(nogil=True, error_model="numpy", cache=True)
def forward(
    shape: Any, table: Any, eps: Any, embedding: Any, w: Any, small: Any,
    keys: Any, values: Any, ids: Any, slots: Any, starts: Any,
    threads: int, scratch: Any, scores: Any, logits: Any, heads_from: int,
) -> None:  # fmt: skip
    """Read row n: token ids[n] at position starts[n] of text slots[n]; logits of rows ≥ heads_from.

    Keys and values of the rows are put into the cache; earlier rows of a text must come first.
    """
    rows = len(ids)
    width, d, h, g = shape[WIDTH], shape[HEAD_WIDTH], shape[HEADS], shape[GROUPS]
    hidden, length, layers = shape[HIDDEN], shape[LENGTH], shape[LAYERS]
    wide = (d + PANEL - 1) // PANEL * PANEL
    w_step = (width + PANEL - 1) // PANEL * PANEL
    f_step = ((h + 2 * g) * d + PANEL - 1) // PANEL * PANEL
    u_step = (hidden + PANEL - 1) // PANEL * PANEL
    v_step = (shape[VOCABULARY] + PANEL - 1) // PANEL * PANEL
    gates = 2 if shape[GATED] else 1
    last = table[layers]
    x, normed, fused, mixed, up, act, part = scratch
    layer_norm, activation = shape[LAYER_NORM] != 0, shape[ACTIVATION]
    text = g * length * wide
    for n in range(rows):
        for j in range(width):
            x[n * w_step + j] = embedding[ids[n] * width + j]
        if last[POSITIONS] >= 0:
            for j in range(width):
                x[n * w_step + j] += small[last[POSITIONS] + starts[n] * width + j]
    for layer in range(layers):
        at = table[layer]
        base = layer * shape[SLOTS] * text
        for n in range(rows):
            _norm(
                x,
                n * w_step,
                width,
                small,
                at[NORM],
                at[NORM_BIAS],
                eps,
                layer_norm,
                normed,
                n * w_step,
            )
        _product(
            threads, normed, 0, w_step, rows, width, w, f_step // PANEL, at[QKV], small,
            at[QKV_BIAS], at[QKV_SCALE], fused, f_step, 1, -1, act, u_step,
        )  # fmt: skip
        for n in range(rows):
            _remember(
                shape,
                small,
                last[COS],
                last[SIN],
                fused,
                n * f_step,
                starts[n],
                keys,
                values,
                base + slots[n] * text,
            )
        _attend_all(
            shape, fused, f_step, slots, starts, keys, values, base, small, scores, mixed, part
        )
        _product(
            threads, mixed, 0, h * d, rows, h * d, w, w_step // PANEL, at[OUT], small, at[OUT_BIAS],
            at[OUT_SCALE], normed, w_step, 1, -1, act, u_step,
        )  # fmt: skip
        for n in range(rows):
            for j in range(n * w_step, n * w_step + width):
                x[j] += normed[j]
            _norm(
                x,
                n * w_step,
                width,
                small,
                at[FEED],
                at[FEED_BIAS],
                eps,
                layer_norm,
                normed,
                n * w_step,
            )
        _product(
            threads, normed, 0, w_step, rows, width, w, u_step * gates // PANEL, at[UP], small,
            at[UP_BIAS], at[UP_SCALE], up, u_step * gates, gates, activation, act, u_step,
        )  # fmt: skip
        _product(
            threads, act, 0, u_step, rows, hidden, w, w_step // PANEL, at[DOWN], small,
            at[DOWN_BIAS], at[DOWN_SCALE], normed, w_step, 1, -1, act, u_step,
        )  # fmt: skip
        for n in range(rows):
            for j in range(n * w_step, n * w_step + width):
                x[j] += normed[j]
    for n in range(heads_from, rows):
        _norm(
            x,
            n * w_step,
            width,
            small,
            last[FINAL],
            last[FINAL_BIAS],
            eps,
            layer_norm,
            normed,
            n * w_step,
        )
    _product(
        threads, normed, heads_from * w_step, w_step, rows - heads_from, width, w, v_step // PANEL,
        last[HEAD], small, -1, last[HEAD_SCALE], logits, v_step, 1, -1, act, u_step,
    )  # fmt: skip
