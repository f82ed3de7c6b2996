"""Compiled parts of a training pass in float32, each forward and backward. Needs numba.

Arrays are flat. A matrix of activations has a token a row, and a `step` from a row to the next that
is larger than the row, and no power of two: columns then do not fight for one place in the cache.
Whatever the timing, sums run in one order: the same input gives the same bits.

Legend: n tokens, t tokens of a text, h query heads, g heads of keys and values, d width of a head.
"""

# ruff: noqa: PLR0913 - kernels take flat arrays, each with its offset and steps

from __future__ import annotations

import math
from typing import Any

import numpy as np
from llvmlite.binding import get_host_cpu_features
from numba import njit

from training.gpt.kernels_exp import exp
from training.gpt.tiles import PANEL, apart, strided_tile

INPUTS, ROWS = 128, 64  # of a product that is done at once: its parts stay in the first caches
BLOCK = 64  # tokens whose scores are together in memory, in the backward pass of attention
_ZERO, _ONE = np.float32(0), np.float32(1)
_NOWHERE = np.float32(-1e30)  # a score that gets no weight
_SUMS = {"reassoc", "contract"}  # sums in vectors: another order than written, but always the same

# As many rows as keep the units busy: each needs 8 registers of sums.
TALL = 8 if get_host_cpu_features().get("avx512f") else 4
_tall_tile, _tile = strided_tile(TALL), strided_tile(1)


@njit(nogil=True, error_model="numpy", cache=True)
def product(
    x: Any, x_at: int, x_step: int, x_inner: int, rows: int,
    w: Any, w_at: int, w_inner: int, w_panel: int, inputs: int,
    y: Any, y_at: int, y_step: int, panels: int, add: bool,
) -> None:  # fmt: skip
    """y[r, 16p + c] = Σ_i x[r, i] · w[p, i, c]; or y += it. w's panels are `w_panel` apart."""
    apart()
    for first in range(0, inputs, INPUTS):
        count = min(INPUTS, inputs - first)
        adds = 1 if add or first > 0 else 0
        for top in range(0, rows, ROWS):
            bottom = min(rows, top + ROWS)
            for p in range(panels):
                weights = w_at + p * w_panel + first * w_inner
                r = top
                while r + TALL <= bottom:
                    _tall_tile(
                        x, x_at + r * x_step + first * x_inner, x_step, x_inner, w, weights,
                        w_inner, count, y, y_at + r * y_step + p * PANEL, y_step, adds,
                    )  # fmt: skip
                    r += TALL
                while r < bottom:
                    _tile(
                        x, x_at + r * x_step + first * x_inner, x_step, x_inner, w, weights,
                        w_inner, count, y, y_at + r * y_step + p * PANEL, y_step, adds,
                    )  # fmt: skip
                    r += 1


@njit(nogil=True, error_model="numpy", cache=True)
def pack(w: Any, outputs: int, inputs: int, forward: Any, backward: Any) -> None:
    """Weights (outputs, inputs) into panels for both directions.

    forward (outputs / 16, inputs, 16), filled up with zeros; backward (inputs / 16, outputs, 16).
    """
    for o in range((outputs + PANEL - 1) // PANEL * PANEL):
        at = o // PANEL * PANEL * inputs + o % PANEL
        for i in range(inputs):
            forward[at + i * PANEL] = w[o * inputs + i] if o < outputs else _ZERO
    for p in range(inputs // PANEL):
        for o in range(outputs):
            for c in range(PANEL):
                backward[(p * outputs + o) * PANEL + c] = w[o * inputs + p * PANEL + c]


@njit(nogil=True, error_model="numpy", fastmath=_SUMS, cache=True)
def norm(
    x: Any, step: int, n: int, width: int, weight: Any, eps: Any, y: Any, factors: Any, onward: Any
) -> None:  # fmt: skip
    """y = RMSNorm(x), its factors (n,) for the way back, and a copy of x to add a branch to."""
    for row in range(n):
        at = row * step
        values, out, copy = x[at : at + width], y[at : at + width], onward[at : at + width]
        total = _ZERO
        for j in range(width):
            total += values[j] * values[j]
        factor = _ONE / np.float32(math.sqrt(total / np.float32(width) + eps))
        factors[row] = factor
        for j in range(width):
            out[j] = values[j] * factor * weight[j]
            copy[j] = values[j]


@njit(nogil=True, error_model="numpy", fastmath=_SUMS, cache=True)
def norm_backward(
    dy: Any, x: Any, step: int, n: int, width: int, weight: Any, factors: Any,
    dx: Any, gradients: Any, at_weight: int,
) -> None:  # fmt: skip
    """dx += what comes through the norm; the weight's gradient is added at `at_weight`."""
    dweight = gradients[at_weight : at_weight + width]
    for row in range(n):
        at, factor = row * step, factors[row]
        values, come, go = x[at : at + width], dy[at : at + width], dx[at : at + width]
        total = _ZERO
        for j in range(width):
            total += come[j] * weight[j] * values[j]
        pull = total * factor * factor * factor / np.float32(width)
        for j in range(width):
            dweight[j] += come[j] * values[j] * factor
        for j in range(width):
            go[j] += come[j] * weight[j] * factor - values[j] * pull


@njit(nogil=True, error_model="numpy", cache=True)
def gate(gates: Any, ups: Any, step: int, n: int, hidden: int, y: Any) -> None:
    """y = silu(gate) · up."""
    for row in range(n):
        at = row * step
        a, b, out = gates[at : at + hidden], ups[at : at + hidden], y[at : at + hidden]
        for j in range(hidden):
            out[j] = a[j] / (_ONE + exp(-a[j])) * b[j]


@njit(nogil=True, error_model="numpy", cache=True)
def gate_backward(dy: Any, gates: Any, ups: Any, step: int, n: int, hidden: int) -> None:
    """The gradients of `gates` and `ups`, in their place."""
    for row in range(n):
        at = row * step
        a, b, come = gates[at : at + hidden], ups[at : at + hidden], dy[at : at + hidden]
        for j in range(hidden):
            bent = _ONE / (_ONE + exp(-a[j]))
            silu = a[j] * bent
            a[j] = come[j] * b[j] * (bent + silu * (_ONE - bent))
            b[j] = come[j] * silu


@njit(nogil=True, error_model="numpy", cache=True)
def rotate(
    x: Any, step: int, n: int, t: int, heads: int, d: int, cosines: Any, sines: Any, sign: Any
) -> None:
    """RoPE in place, of the first `heads` heads; sign -1 turns back."""
    half = d // 2
    for row in range(n):
        place = row % t * half
        cosine, sine = cosines[place : place + half], sines[place : place + half]
        for head in range(heads):
            at = row * step + head * d
            first, second = x[at : at + half], x[at + half : at + d]
            for i in range(half):
                a, b = first[i], second[i]
                first[i] = a * cosine[i] - b * sine[i] * sign
                second[i] = b * cosine[i] + a * sine[i] * sign


@njit(nogil=True, error_model="numpy")
def _across(x: Any, at: int, step: int, t: int, d: int, y: Any) -> None:
    """(t, d) of a head into panels of 16 tokens: (t / 16, d, 16), filled up with zeros."""
    for row in range((t + PANEL - 1) // PANEL * PANEL):
        to = row // PANEL * PANEL * d + row % PANEL
        out = y[to : to + (d - 1) * PANEL + 1]
        if row < t:
            values = x[at + row * step : at + row * step + d]
            for i in range(d):
                out[i * PANEL] = values[i]
        else:
            out[::PANEL] = _ZERO


@njit(nogil=True, error_model="numpy")
def _whole(count: int) -> int:
    """`count` rounded up to what a loop does at once, so that no slow rest is left."""
    return (count + 2 * PANEL - 1) // (2 * PANEL) * (2 * PANEL)


@njit(nogil=True, error_model="numpy", fastmath={"nnan", "nsz"})
def _highest(x: Any) -> Any:
    highest = x[0]
    for j in range(len(x)):
        highest = max(highest, x[j])
    return highest


@njit(nogil=True, error_model="numpy", fastmath=_SUMS)
def _powers(x: Any, count: int, scale: Any, less: Any) -> Any:
    """x = e^(x · scale - less) in place, 0 from `count` on; their sum."""
    x[count:] = _NOWHERE
    total = _ZERO
    for j in range(len(x)):
        power = exp(x[j] * scale - less)
        x[j] = power
        total += power
    x[count:] = _ZERO
    return total


@njit(nogil=True, error_model="numpy", cache=True)
def attend(
    qkv: Any, step: int, n: int, t: int, h: int, g: int, d: int,
    y: Any, y_step: int, sums: Any, across: Any, scores: Any, s_step: int,
) -> None:  # fmt: skip
    """Causal attention of n / t texts. sums (n, h): log Σ e^score, for the way back."""
    scale, totals = np.float32(1 / math.sqrt(d)), np.empty(PANEL, np.float32)
    for text in range(0, n, t):
        for head in range(h):
            q, k = text * step + head * d, text * step + (h + head // (h // g)) * d
            if head % (h // g) == 0:
                _across(qkv, k, step, t, d, across)
            for i in range(0, t, PANEL):
                rows, wide = min(PANEL, t - i), _whole(i + 1)
                to = (text + i) * y_step + head * d
                product(
                    qkv, q + i * step, step, 1, rows, across, 0, PANEL, d * PANEL, d,
                    scores, 0, s_step, i // PANEL + 1, False,
                )  # fmt: skip
                for r in range(rows):
                    row, seen = scores[r * s_step : r * s_step + wide], i + r + 1
                    most = _highest(row[:seen]) * scale
                    totals[r] = total = _powers(row, seen, scale, most)
                    sums[(text + i + r) * h + head] = most + np.float32(math.log(total))
                product(
                    scores, 0, s_step, 1, rows, qkv, k + g * d, step, PANEL, i + rows,
                    y, to, y_step, d // PANEL, False,
                )  # fmt: skip
                for r in range(rows):
                    out = y[to + r * y_step : to + r * y_step + d]
                    share = _ONE / totals[r]
                    for j in range(d):
                        out[j] *= share


@njit(nogil=True, error_model="numpy", fastmath=_SUMS)
def _score_gradients(
    scores: Any, changes: Any, count: int, scale: Any, less: Any, dy: Any, y: Any
) -> None:
    """Of one token: scores become weights, `changes` of the weights those of the scores."""
    mean = _ZERO
    for j in range(len(y)):
        mean += dy[j] * y[j]
    for j in range(len(scores)):
        weight = exp(scores[j] * scale - less)
        scores[j] = weight
        changes[j] = weight * (changes[j] - mean) * scale
    scores[count:] = _ZERO
    changes[count:] = _ZERO


@njit(nogil=True, error_model="numpy", cache=True)
def attend_backward(
    qkv: Any, step: int, n: int, t: int, h: int, g: int, d: int,
    y: Any, dy: Any, y_step: int, sums: Any,
    across: Any, scores: Any, changes: Any, s_step: int, dqkv: Any,
) -> None:  # fmt: skip
    """dqkv from dy. The scores are computed again, for BLOCK tokens at a time."""
    half = len(across) // 2
    keys, values = across[:half], across[half:]
    for row in range(n):
        dqkv[row * step + h * d : row * step + (h + 2 * g) * d] = _ZERO
    for text in range(0, n, t):
        for head in range(h):
            q, k = text * step + head * d, text * step + (h + head // (h // g)) * d
            to = text * y_step + head * d
            if head % (h // g) == 0:
                _across(qkv, k, step, t, d, keys)
                _across(qkv, k + g * d, step, t, d, values)
            for top in range(0, t, BLOCK):
                bottom = min(t, top + BLOCK)
                _queries_backward(
                    qkv, q, k, step, top, bottom, d, y, dy, to, y_step, sums[text * h + head :], h,
                    keys, values, scores, changes, s_step, dqkv,
                )  # fmt: skip
                _keys_backward(
                    qkv, q, k, k + g * d, step, top, bottom, d, dy, to, y_step,
                    scores, changes, s_step, dqkv,
                )  # fmt: skip


@njit(nogil=True, error_model="numpy")
def _queries_backward(
    qkv: Any, q: int, k: int, step: int, top: int, bottom: int, d: int,
    y: Any, dy: Any, to: int, y_step: int, sums: Any, h: int,
    keys: Any, values: Any, scores: Any, changes: Any, s_step: int, dqkv: Any,
) -> None:  # fmt: skip
    """Weights and changes of the scores for the tokens top … bottom, and what queries get."""
    scale = np.float32(1 / math.sqrt(d))
    for i in range(top, bottom, PANEL):
        rows, s, panels = min(PANEL, bottom - i), (i - top) * s_step, i // PANEL + 1
        product(
            qkv, q + i * step, step, 1, rows, keys, 0, PANEL, d * PANEL, d,
            scores, s, s_step, panels, False,
        )  # fmt: skip
        product(
            dy, to + i * y_step, y_step, 1, rows, values, 0, PANEL, d * PANEL, d,
            changes, s, s_step, panels, False,
        )  # fmt: skip
        for r in range(rows):
            a, b, wide = s + r * s_step, to + (i + r) * y_step, _whole(i + 1)
            _score_gradients(
                scores[a : a + wide], changes[a : a + wide], i + r + 1, scale,
                sums[(i + r) * h], dy[b : b + d], y[b : b + d],
            )  # fmt: skip
        product(
            changes, s, s_step, 1, rows, qkv, k, step, PANEL, i + rows,
            dqkv, q + i * step, step, d // PANEL, False,
        )  # fmt: skip


@njit(nogil=True, error_model="numpy")
def _keys_backward(
    qkv: Any, q: int, k: int, v: int, step: int, top: int, bottom: int, d: int,
    dy: Any, to: int, y_step: int, scores: Any, changes: Any, s_step: int, dqkv: Any,
) -> None:  # fmt: skip
    """What keys and values get from the tokens top … bottom."""
    for j in range(0, bottom, PANEL):
        start, rows = max(top, j), min(PANEL, bottom - j)
        s = (start - top) * s_step + j
        product(
            scores, s, 1, s_step, rows, dy, to + start * y_step, y_step, PANEL, bottom - start,
            dqkv, v + j * step, step, d // PANEL, True,
        )  # fmt: skip
        product(
            changes, s, 1, s_step, rows, qkv, q + start * step, step, PANEL, bottom - start,
            dqkv, k + j * step, step, d // PANEL, True,
        )  # fmt: skip


@njit(nogil=True, error_model="numpy", cache=True)
def embed(ids: Any, table: Any, width: int, x: Any, step: int) -> None:
    """x[row] = table[id]."""
    for row in range(len(ids)):
        x[row * step : row * step + width] = table[ids[row] * width : (ids[row] + 1) * width]


@njit(nogil=True, error_model="numpy", cache=True)
def embed_backward(ids: Any, dx: Any, step: int, width: int, gradients: Any, at_table: int) -> None:
    """The table's gradient, added at `at_table`."""
    for row in range(len(ids)):
        at = at_table + ids[row] * width
        total, more = gradients[at : at + width], dx[row * step : row * step + width]
        for j in range(width):
            total[j] += more[j]


@njit(nogil=True, error_model="numpy", cache=True)
def cross_entropy(logits: Any, step: int, targets: Any, vocabulary: int, share: Any) -> float:
    """Sum of the tokens' losses; the logits become their gradients, times `share`."""
    losses, wide = 0.0, _whole(vocabulary)
    for row in range(len(targets)):
        scores, target = logits[row * step : row * step + wide], targets[row]
        most = _highest(scores[:vocabulary])
        losses += np.float64(most) - np.float64(scores[target])
        total = _powers(scores, vocabulary, _ONE, most)
        losses += math.log(total)
        part = share / total
        for j in range(vocabulary):
            scores[j] *= part
        scores[target] -= share
    return losses
