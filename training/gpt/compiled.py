"""A network decoded by compiled kernels: the fastest path on a CPU. Needs numba.

The weights are packed once into the kernels' panels, as float32, bfloat16 or int8. Results do not
depend on how tokens are grouped into calls, to the last bit.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from training.gpt import kernels as k
from training.gpt.tiles import PANEL, padded
from training.gpt.weights import Affine, Layer, Weights

Storage = Literal["float32", "bfloat16", "int8"]
READ_AT_ONCE = 64  # tokens; bounds the scratch memory of a long prompt

_ACTIVATIONS = {"silu": k.SILU, "gelu": k.GELU, "gelu_tanh": k.GELU_TANH, "relu": k.RELU}
# numba's pool of threads serves one caller at a time.
_one_at_a_time = threading.Lock()


class PanelCache:
    """Keys and values in panels; both flat, (layers, slots, g, length · d) with d padded."""

    def __init__(self, weights: Weights, *, slots: int, length: int) -> None:
        self.slots, self.length = slots, padded(length)
        wide = padded(weights.head_width)
        size = len(weights.layers) * slots * weights.kv_heads * self.length * wide
        self.keys = np.zeros(size, np.float32)
        self.values = np.zeros(size, np.float32)


class CompiledNetwork:
    """The kernels over one packing of the weights. Safe to use from several threads."""

    def __init__(self, weights: Weights, storage: Storage = "float32") -> None:
        self.weights, self.storage = weights, storage
        packer = _Packer(storage)
        rows = [_layer(packer, layer, gated=weights.gated) for layer in weights.layers]
        rows.append(_ending(packer, weights))
        self._table = np.array(rows, np.int64)
        self._w, self._small = packer.packed(), packer.small()
        self._embedding = _numpy(weights.embedding).ravel()
        self._shape = _shape(weights)
        self._eps = np.float32(weights.eps)

    def new_cache(self, *, slots: int, length: int) -> PanelCache:
        """Room for `slots` texts of up to `length` tokens."""
        return PanelCache(self.weights, slots=slots, length=length)

    def read(
        self, cache: PanelCache, ids: Sequence[int], *, slot: int, start: int, all: bool
    ) -> Tensor:
        """Read `ids` at positions `start` … of one text; logits (n, v), or of the last (1, v)."""
        parts = []
        for first in range(0, len(ids), READ_AT_ONCE):
            part = ids[first : first + READ_AT_ONCE]
            begin = start + first
            positions = range(begin, begin + len(part))
            heads_from = 0 if all else len(part) - 1
            parts.append(self._run(cache, part, [slot] * len(part), positions, heads_from))
        return torch.cat(parts) if all and len(parts) > 1 else parts[-1]

    def step(
        self, cache: PanelCache, ids: Sequence[int], *, slots: Sequence[int], starts: Sequence[int]
    ) -> Tensor:
        """Read one token of each of several texts; logits (n, v)."""
        parts = [
            self._run(cache, ids[n : n + READ_AT_ONCE], slots[n:][:READ_AT_ONCE], starts[n:], 0)
            for n in range(0, len(ids), READ_AT_ONCE)
        ]
        return torch.cat(parts) if len(parts) > 1 else parts[0]

    def _run(
        self,
        cache: PanelCache,
        ids: Sequence[int],
        slots: Sequence[int],
        starts: Sequence[int],
        heads_from: int,
    ) -> Tensor:
        weights, rows = self.weights, len(ids)
        shape = self._shape.copy()
        shape[k.LENGTH], shape[k.SLOTS] = cache.length, cache.slots
        vocabulary = padded(weights.head.shape[0])
        logits = np.empty((rows - heads_from, vocabulary), np.float32)
        scores = np.empty(rows * weights.heads * cache.length, np.float32)
        with _threads() as threads:
            k.forward(
                shape,
                self._table,
                self._eps,
                self._embedding,
                self._w,
                self._small,
                cache.keys,
                cache.values,
                np.array(ids, np.int64),
                np.array(slots, np.int64),
                np.array(starts, np.int64)[:rows],
                threads,
                self._scratch(rows),
                scores,
                logits.ravel(),
                heads_from,
            )
        return torch.from_numpy(logits[:, : weights.head.shape[0]])

    def _scratch(self, rows: int) -> tuple[np.ndarray, ...]:
        w = self.weights
        width, d = padded(w.embedding.shape[1]), w.head_width
        hidden = padded(w.layers[0].experts[0].down.weight.shape[1])
        sizes = (
            width,
            width,
            padded((w.heads + 2 * w.kv_heads) * d),
            w.heads * d,
            hidden * (2 if w.gated else 1),
            hidden,
            w.heads * padded(d),
        )
        return tuple(np.empty(rows * size, np.float32) for size in sizes)


@contextmanager
def _threads() -> Iterator[int]:
    """As many threads as torch uses, for one caller at a time."""
    import numba

    with _one_at_a_time:
        threads = min(torch.get_num_threads(), numba.config.NUMBA_NUM_THREADS)
        numba.set_num_threads(threads)
        yield threads


class _Packer:
    """Collects matrices into one array of panels and vectors into another."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._panels: list[np.ndarray] = []
        self._vectors: list[np.ndarray] = []
        self._used = self._small = 0

    def matrix(self, weight: Tensor, order: np.ndarray | None = None) -> tuple[int, int]:
        """(offset of the panels, offset of the scales) of (outputs, inputs)."""
        full = _numpy(weight)
        outputs = padded(len(full))
        full = np.pad(full, ((0, outputs - len(full)), (0, 0)))
        if order is not None:
            full = full[order]
        scale = -1
        if self._storage == "int8":
            scales = np.maximum(np.abs(full).max(1), 1e-12) / 127
            scale = self.vector(torch.from_numpy(scales))
            full = full / scales[:, None]
        panels = full.reshape(outputs // PANEL, PANEL, -1).transpose(0, 2, 1)
        self._panels.append(_stored(np.ascontiguousarray(panels), self._storage).ravel())
        offset, self._used = self._used, self._used + panels.size
        return offset, scale

    def vector(self, values: Tensor | None, order: np.ndarray | None = None) -> int:
        """Offset of a vector, padded; -1 for none."""
        if values is None:
            return -1
        flat = _numpy(values).ravel()
        flat = np.pad(flat, (0, padded(len(flat)) - len(flat)))
        self._vectors.append(flat if order is None else flat[order])
        offset, self._small = self._small, self._small + len(flat)
        return offset

    def packed(self) -> np.ndarray:
        """All panels."""
        panels: np.ndarray = np.concatenate(self._panels)
        return panels

    def small(self) -> np.ndarray:
        """All vectors."""
        vectors: np.ndarray = np.concatenate(self._vectors).astype(np.float32)
        return vectors


def _stored(panels: np.ndarray, storage: Storage) -> np.ndarray:
    if storage == "int8":
        whole: np.ndarray = np.rint(panels).astype(np.int8)
        return whole
    if storage == "bfloat16":
        rounded = torch.from_numpy(panels).to(torch.bfloat16)
        bits: np.ndarray = rounded.view(torch.int16).numpy().view(np.uint16)
        return bits
    return panels


def _numpy(tensor: Tensor) -> np.ndarray:
    array: np.ndarray = tensor.detach().float().cpu().contiguous().numpy()
    return array


def _affine(packer: _Packer, affine: Affine, order: np.ndarray | None = None) -> list[int]:
    offset, scale = packer.matrix(affine.weight, order)
    return [offset, packer.vector(affine.bias, order), scale]


def _layer(packer: _Packer, layer: Layer, *, gated: bool) -> list[int]:
    (expert,) = layer.experts
    order = None
    up = expert.up
    if gated:
        up, order = _gates_beside(up)
    return [
        packer.vector(layer.attention_norm.weight),
        packer.vector(layer.attention_norm.bias),
        *_affine(packer, layer.qkv),
        *_affine(packer, layer.out),
        packer.vector(layer.feed_norm.weight),
        packer.vector(layer.feed_norm.bias),
        *_affine(packer, up, order),
        *_affine(packer, expert.down),
    ]


def _gates_beside(up: Affine) -> tuple[Affine, np.ndarray]:
    """Both halves in whole panels, and the order that puts a gate's panel before its rest."""
    hidden = up.weight.shape[0] // 2
    wide = padded(hidden)

    def apart(values: Tensor) -> Tensor:
        shape = (2, wide, *values.shape[1:])
        grown = values.new_zeros(shape)
        grown[:, :hidden] = values.view(2, hidden, *values.shape[1:])
        return grown.flatten(0, 1)

    order = np.arange(2 * wide).reshape(2, wide // PANEL, PANEL).transpose(1, 0, 2).ravel()
    return Affine(apart(up.weight), None if up.bias is None else apart(up.bias)), order


def _ending(packer: _Packer, weights: Weights) -> list[int]:
    head, scale = packer.matrix(weights.head)
    row = [
        packer.vector(weights.final_norm.weight),
        packer.vector(weights.final_norm.bias),
        head,
        scale,
        packer.vector(weights.cos),
        packer.vector(weights.sin),
        packer.vector(weights.positions),
    ]
    return row + [-1] * (k.COLUMNS - len(row))


def _shape(weights: Weights) -> np.ndarray:
    shape = np.zeros(12, np.int64)
    shape[k.LAYERS], shape[k.WIDTH] = len(weights.layers), weights.embedding.shape[1]
    shape[k.HEADS], shape[k.GROUPS] = weights.heads, weights.kv_heads
    shape[k.HEAD_WIDTH] = weights.head_width
    shape[k.HIDDEN] = weights.layers[0].experts[0].down.weight.shape[1]
    shape[k.VOCABULARY] = weights.head.shape[0]
    shape[k.LAYER_NORM] = weights.norm == "layernorm"
    shape[k.ACTIVATION], shape[k.GATED] = _ACTIVATIONS[weights.activation], weights.gated
    return shape
