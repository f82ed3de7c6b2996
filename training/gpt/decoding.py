"""Read tokens and predict the next with plain torch: a static cache of keys and values.

The cache has a slot for each text. `read` takes several tokens of one text, `step` one token of
each of several texts; a text starts at position 0 of its slot, so texts of different lengths share
a batch without padding.

Legend: n tokens in this call, s tokens that can be seen, w width, h heads of queries, g heads of
keys and values, r = h / g, d width of a head, v vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from training.gpt.weights import Affine, FeedForward, Layer, Weights

READ_AT_ONCE = 512  # tokens; bounds the memory that the scores of a long prompt take


class Cache:
    """Keys and values of every layer: (layers, slots, g, length, d)."""

    def __init__(self, weights: Weights, *, slots: int, length: int) -> None:
        shape = (len(weights.layers), slots, weights.kv_heads, length, weights.head_width)
        device = weights.embedding.device
        # Zeros, not whatever memory held: a masked NaN would still spoil a sum.
        self.keys = torch.zeros(shape, dtype=weights.embedding.dtype, device=device)
        self.values = torch.zeros_like(self.keys)


class Network(Protocol):
    """What decoding needs of a model. A cache is of the network's own kind."""

    weights: Weights

    def new_cache(self, *, slots: int, length: int) -> Any:
        """Room for `slots` texts of up to `length` tokens."""

    def read(self, cache: Any, ids: Sequence[int], *, slot: int, start: int, all: bool) -> Tensor:
        """Read `ids` at positions `start` … of one text; logits (n, v), or of the last (1, v)."""

    def step(
        self, cache: Any, ids: Sequence[int], *, slots: Sequence[int], starts: Sequence[int]
    ) -> Tensor:
        """Read one token of each of several texts; logits (n, v)."""


class PlainNetwork:
    """The reference: torch operators, on any device."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights
        self._scale = weights.head_width**-0.5

    def new_cache(self, *, slots: int, length: int) -> Cache:
        """Room for `slots` texts of up to `length` tokens."""
        return Cache(self.weights, slots=slots, length=length)

    @torch.inference_mode()
    def read(self, cache: Cache, ids: Sequence[int], *, slot: int, start: int, all: bool) -> Tensor:
        """Read `ids` at positions `start` … of one text; logits (n, v), or of the last (1, v)."""
        logits = []
        for first in range(0, len(ids), READ_AT_ONCE):
            part = ids[first : first + READ_AT_ONCE]
            begin = start + first
            positions = torch.arange(begin, begin + len(part), device=self._device)
            x = self._blocks(cache, part, positions, _Sequence(slot, begin, len(part)))
            if all:
                logits.append(self._logits(x))
        return torch.cat(logits) if all else self._logits(x[-1:])

    @torch.inference_mode()
    def step(
        self, cache: Cache, ids: Sequence[int], *, slots: Sequence[int], starts: Sequence[int]
    ) -> Tensor:
        """Read one token of each of several texts; logits (n, v)."""
        positions = torch.tensor(starts, device=self._device)
        texts = _Batch(torch.tensor(slots, device=self._device), positions, max(starts) + 1)
        return self._logits(self._blocks(cache, ids, positions, texts))

    @property
    def _device(self) -> torch.device:
        return self.weights.embedding.device

    def _blocks(
        self, cache: Cache, ids: Sequence[int], positions: Tensor, texts: _Sequence | _Batch
    ) -> Tensor:
        weights = self.weights
        x = weights.embedding[torch.tensor(ids, device=self._device)]  # (n, w)
        if weights.positions is not None:
            x = x + weights.positions[positions]
        for number, layer in enumerate(weights.layers):
            x = x + self._attention(x, layer, cache, number, positions, texts)
            x = x + self._feed_forward(self._normed(x, layer.feed_norm), layer)
        return x

    def _logits(self, x: Tensor) -> Tensor:
        return F.linear(self._normed(x, self.weights.final_norm), self.weights.head).float()

    def _normed(self, x: Tensor, norm: Affine) -> Tensor:
        width = (x.shape[-1],)
        if self.weights.norm == "rmsnorm":
            return F.rms_norm(x, width, norm.weight, self.weights.eps)
        return F.layer_norm(x, width, norm.weight, norm.bias, self.weights.eps)

    def _attention(
        self,
        x: Tensor,
        layer: Layer,
        cache: Cache,
        number: int,
        positions: Tensor,
        texts: _Sequence | _Batch,
    ) -> Tensor:
        weights = self.weights
        h, g, d = weights.heads, weights.kv_heads, weights.head_width
        fused = _applied(layer.qkv, self._normed(x, layer.attention_norm)).view(-1, h + 2 * g, d)
        turned, values = fused[:, : h + g], fused[:, h + g :]
        if weights.cos is not None and weights.sin is not None:
            turned = _rotated(turned, weights.cos[positions], weights.sin[positions])
        keys, values = texts.remember(
            cache.keys[number], cache.values[number], turned[:, h:], values
        )
        q = (turned[:, :h] * self._scale).view(-1, g, h // g, d)  # (n, g, r, d)
        return _applied(layer.out, texts.attend(q, keys, values).reshape(-1, h * d))

    def _feed_forward(self, x: Tensor, layer: Layer) -> Tensor:
        if layer.router is None:
            return self._expert(x, layer.experts[0])
        scores = F.linear(x, layer.router).float().softmax(-1)  # (n, experts)
        shares, chosen = scores.topk(self.weights.experts_per_token)
        shares = (shares / shares.sum(-1, keepdim=True)).to(x.dtype)
        y = torch.zeros_like(x)
        for number in sorted(set(chosen.flatten().tolist())):
            rows, places = torch.where(chosen == number)
            part = self._expert(x[rows], layer.experts[number])
            y.index_add_(0, rows, part * shares[rows, places, None])
        return y

    def _expert(self, x: Tensor, expert: FeedForward) -> Tensor:
        y = _applied(expert.up, x)
        if self.weights.gated:
            gate, rest = y.chunk(2, dim=-1)
            return _applied(expert.down, _activated(gate, self.weights.activation) * rest)
        return _applied(expert.down, _activated(y, self.weights.activation))


class _Sequence:
    """Several tokens of one text: each sees the text up to itself."""

    def __init__(self, slot: int, start: int, count: int) -> None:
        self._slot, self._start, self._end = slot, start, start + count

    def remember(
        self, keys: Tensor, values: Tensor, new_keys: Tensor, new_values: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Write (n, g, d) into the slot; all that can be seen, (g, s, d) each."""
        keys[self._slot, :, self._start : self._end] = new_keys.transpose(0, 1)
        values[self._slot, :, self._start : self._end] = new_values.transpose(0, 1)
        return keys[self._slot, :, : self._end], values[self._slot, :, : self._end]

    def attend(self, q: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """(n, g, r, d) for queries of the same shape."""
        n, g, r, d = q.shape
        rows = q.transpose(0, 1).reshape(g, n * r, d)
        scores = (rows @ keys.mT).view(g, n, r, -1)  # (g, n, r, s)
        if n > 1:
            later = torch.ones(n, self._end, dtype=torch.bool, device=q.device)
            scores.masked_fill_(later.triu(self._start + 1)[None, :, None], -torch.inf)
        y = scores.view(g, n * r, -1).float().softmax(-1).to(values.dtype) @ values
        return y.view(g, n, r, d).transpose(0, 1)


class _Batch:
    """One token of each of several texts, at positions of their own."""

    def __init__(self, slots: Tensor, positions: Tensor, seen: int) -> None:
        self._slots, self._positions, self._seen = slots, positions, seen

    def remember(
        self, keys: Tensor, values: Tensor, new_keys: Tensor, new_values: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Write (n, g, d) into the slots; all that can be seen, (n, g, s, d) each."""
        keys[self._slots, :, self._positions] = new_keys
        values[self._slots, :, self._positions] = new_values
        return keys[self._slots, :, : self._seen], values[self._slots, :, : self._seen]

    def attend(self, q: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """(n, g, r, d) for queries of the same shape."""
        scores = q @ keys.mT  # (n, g, r, s)
        later = torch.arange(self._seen, device=q.device) > self._positions[:, None]
        scores.masked_fill_(later[:, None, None], -torch.inf)
        return scores.float().softmax(-1).to(values.dtype) @ values


def _applied(affine: Affine, x: Tensor) -> Tensor:
    return F.linear(x, affine.weight, affine.bias)


def _rotated(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """(n, heads, d) turned by the angles (n, d) of its positions."""
    first, second = x.chunk(2, dim=-1)
    return x * cos[:, None].to(x.dtype) + torch.cat([-second, first], -1) * sin[:, None].to(x.dtype)


def _activated(x: Tensor, name: str) -> Tensor:
    if name == "silu":
        return F.silu(x)
    if name == "relu":
        return F.relu(x)
    return F.gelu(x, approximate="tanh" if name == "gelu_tanh" else "none")
