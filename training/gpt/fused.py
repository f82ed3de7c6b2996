"""The forward and backward pass of `model.py` written out for one core of a CPU. Needs numba.

The same formulas, but every gradient by hand: no graph is recorded, activations lie in memory that
is taken once, and the compiled kernels (kernels_train.py) let other threads run meanwhile.
It knows the commonest network: RoPE, RMSNorm, SwiGLU, without biases or dropout.

Legend: n tokens in a row, t tokens of a text, w width, h query heads, g heads of keys and values,
d width of a head, f width of the feed-forward, v vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from training.gpt import kernels_train as k
from training.gpt.config import ModelConfig
from training.gpt.model import MiniGPT
from training.gpt.tiles import PANEL, padded


def supports(model: MiniGPT) -> bool:
    """Whether these passes compute what the model does."""
    config = model.config
    network = (config.positions, config.norm, config.activation) == ("rope", "rmsnorm", "swiglu")
    plain = config.experts == 1 and not config.bias and not config.dropout
    whole = not any(size % PANEL for size in (config.width, config.hidden, config.head_size))
    weights = all(p.dtype == torch.float32 and p.device.type == "cpu" for p in model.parameters())
    return network and plain and whole and weights


class FusedPasses:
    """Passes on `count` cores; see `gradients.Passes`."""

    def __init__(self, model: MiniGPT, count: int) -> None:
        self._weights = Weights(model)
        self._passes = [FusedPass(self._weights) for _ in range(count)]

    def __call__(
        self, parts: Sequence[Sequence[np.ndarray]], share: float, run: Callable[..., Iterable[Any]]
    ) -> float:
        """Leave the gradients of the loss in the model's weights; the loss."""
        count = len(self._passes)
        list(run(lambda number: self._weights.pack(number, count), range(count)))
        jobs = zip(self._passes, parts, strict=False)  # a small batch leaves cores without one
        losses = list(run(lambda job: job[0](job[1], share), jobs))
        total = self._passes[0].gradients
        for other in self._passes[1 : len(parts)]:
            total.all.add_(other.gradients.all)
        for name, weight in self._weights.tensors.items():
            weight.grad = total.views[name]
        return float(sum(losses))

    def compile(self) -> None:
        """Run once, so that the first batch finds everything compiled."""
        self([[np.zeros((1, 3), np.int64)]], 1.0, map)


class Rows:
    """(n, columns) numbers, a token a row; see kernels_train.py for the step."""

    def __init__(self, n: int, columns: int) -> None:
        self.step = padded(columns) + PANEL
        self.flat = torch.zeros(n * self.step).numpy()  # torch aligns it


class Panels:
    """A weight (outputs, inputs), packed for both directions."""

    def __init__(self, outputs: int, inputs: int) -> None:
        self.outputs, self.inputs = outputs, inputs
        self.forward = torch.zeros(padded(outputs) * inputs).numpy()
        self.backward = torch.zeros(outputs * inputs).numpy()


@dataclass(frozen=True)
class Layer:
    """What a block is made of."""

    attention_norm: np.ndarray  # (w,)
    qkv: Panels
    out: Panels
    feed_norm: np.ndarray  # (w,)
    gate: Panels
    up: Panels
    down: Panels


class Weights:
    """The model's weights as the kernels read them; shared by all passes."""

    def __init__(self, model: MiniGPT) -> None:
        self.config = model.config
        self.tensors = dict(model.named_parameters())
        self._packed = {
            name: Panels(*weight.shape)
            for name, weight in self.tensors.items()
            if weight.ndim == 2 and name != "embedding.weight"
        }
        if model.config.tied:
            self._packed["embedding.weight"] = Panels(*model.embedding.weight.shape)
        self.head = self._packed["embedding.weight" if model.config.tied else "head.weight"]
        self.cosines, self.sines = (x.numpy().ravel() for x in (model.cosines, model.sines))

    def pack(self, part: int, parts: int) -> None:
        """Pack one part of the matrices anew: they changed."""
        for name in list(self._packed)[part::parts]:
            panels = self._packed[name]
            k.pack(self.flat(name), panels.outputs, panels.inputs, panels.forward, panels.backward)

    def flat(self, name: str) -> np.ndarray:
        """A weight as it is now, flat."""
        flat: np.ndarray = self.tensors[name].detach().numpy().reshape(-1)
        return flat

    def layers(self) -> Iterator[Layer]:
        """All blocks, first to last."""
        for number in range(self.config.layers):
            at, packed = f"blocks.{number}.", self._packed
            yield Layer(
                attention_norm=self.flat(f"{at}attention_norm.weight"),
                qkv=packed[f"{at}attention.qkv.weight"],
                out=packed[f"{at}attention.out.weight"],
                feed_norm=self.flat(f"{at}feed_forward_norm.weight"),
                gate=packed[f"{at}feed_forward.gate.weight"],
                up=packed[f"{at}feed_forward.up.weight"],
                down=packed[f"{at}feed_forward.down.weight"],
            )


class Gradients:
    """One flat vector for all weights, and where each begins."""

    def __init__(self, tensors: Mapping[str, torch.Tensor]) -> None:
        sizes = [tensor.numel() for tensor in tensors.values()]
        starts = np.cumsum([0, *sizes])
        self.all = torch.zeros(int(starts[-1]))
        self.flat = self.all.numpy()
        self.starts = dict(zip(tensors, starts.tolist(), strict=False))
        self.views = {
            name: self.all[start : start + tensor.numel()].view_as(tensor)
            for (name, tensor), start in zip(tensors.items(), starts.tolist(), strict=False)
        }


class _Kept:
    """What the forward pass of one block leaves to the backward pass."""

    def __init__(self, c: ModelConfig, n: int) -> None:
        self.x, self.normed, self.factors = Rows(n, c.width), Rows(n, c.width), _vector(n)
        self.qkv = Rows(n, (c.heads + 2 * c.kv_heads) * c.head_size)
        self.seen, self.sums = Rows(n, c.heads * c.head_size), _vector(n * c.heads)
        self.middle, self.feed, self.feed_factors = (
            Rows(n, c.width),
            Rows(n, c.width),
            _vector(n),
        )
        self.gate, self.up, self.hidden = (Rows(n, c.hidden) for _ in range(3))


class FusedPass:
    """Forward and backward of one core, with gradients of its own. Not safe for two threads."""

    def __init__(self, weights: Weights) -> None:
        self._weights, self._config = weights, weights.config
        self.gradients = Gradients(weights.tensors)
        self._head = "embedding.weight" if weights.config.tied else "head.weight"
        self._tokens = self._context = 0

    def __call__(self, pieces: Sequence[np.ndarray], share: float) -> float:
        """Gradients of `share` times the sum of the mean losses of rows (b, t + 1); that loss."""
        self.gradients.all.zero_()
        return sum(self._piece(rows, share / (rows.shape[1] - 1)) for rows in pieces)

    def _piece(self, rows: np.ndarray, share: float) -> float:
        """Add the gradients of `share` times the summed loss of rows (b, t + 1); that loss."""
        ids = np.ascontiguousarray(rows[:, :-1], np.int64).ravel()
        targets = np.ascontiguousarray(rows[:, 1:], np.int64).ravel()
        t = rows.shape[1] - 1
        self._make_room(len(ids), t)
        self._forward(ids, t)
        loss: float = k.cross_entropy(
            self._logits.flat, self._logits.step, targets, self._config.vocab_size,
            np.float32(share),
        )  # fmt: skip
        self._backward(ids, t)
        return loss * share

    def _make_room(self, n: int, t: int) -> None:
        c = self._config
        if n > self._tokens:
            self._tokens = n
            self._kept = [_Kept(c, n) for _ in range(c.layers)]
            self._end, self._normed, self._factors = Rows(n, c.width), Rows(n, c.width), _vector(n)
            self._logits = Rows(n, c.vocab_size)
            self._dx, self._dwidth = Rows(n, c.width), Rows(n, c.width)
            self._dhidden, self._dseen = Rows(n, c.hidden), Rows(n, c.heads * c.head_size)
            self._dqkv = Rows(n, (c.heads + 2 * c.kv_heads) * c.head_size)
        if t > self._context:
            self._context = t
            self._across = _vector(2 * padded(t) * c.head_size)
            self._scores, self._changes = Rows(k.BLOCK, t), Rows(k.BLOCK, t)

    def _forward(self, ids: np.ndarray, t: int) -> None:
        """Every block: x + attention(norm(x)), then x + feed-forward(norm(x))."""
        c, n = self._config, len(ids)
        first = self._kept[0].x if self._kept else self._end
        k.embed(ids, self._weights.flat("embedding.weight"), c.width, first.flat, first.step)
        nexts = [kept.x for kept in self._kept[1:]] + [self._end]
        for layer, kept, onward in zip(self._weights.layers(), self._kept, nexts, strict=True):
            self._norm(kept.x, layer.attention_norm, n, kept.normed, kept.factors, kept.middle)
            _times(kept.normed, layer.qkv, n, kept.qkv)
            self._attend(kept, n, t)
            _times(kept.seen, layer.out, n, kept.middle, add=True)
            self._norm(kept.middle, layer.feed_norm, n, kept.feed, kept.feed_factors, onward)
            _times(kept.feed, layer.gate, n, kept.gate)
            _times(kept.feed, layer.up, n, kept.up)
            k.gate(kept.gate.flat, kept.up.flat, kept.up.step, n, c.hidden, kept.hidden.flat)
            _times(kept.hidden, layer.down, n, onward, add=True)
        end = self._weights.flat("norm.weight")
        self._norm(self._end, end, n, self._normed, self._factors, self._dx)
        _times(self._normed, self._weights.head, n, self._logits)

    def _backward(self, ids: np.ndarray, t: int) -> None:
        """The same way back; `_dx` is the gradient of the stream of residuals."""
        c, n, dx = self._config, len(ids), self._dx
        _back(self._logits, self._weights.head, n, self._dwidth)
        self._gather(self._head, self._logits, self._normed, n)
        dx.flat[:] = 0
        self._norm_back("norm.weight", self._end, self._factors, n)
        layers = list(self._weights.layers())
        for number in reversed(range(c.layers)):
            layer, kept, at = layers[number], self._kept[number], f"blocks.{number}."
            _back(dx, layer.down, n, self._dhidden)
            self._gather(f"{at}feed_forward.down.weight", dx, kept.hidden, n)
            k.gate_backward(
                self._dhidden.flat, kept.gate.flat, kept.up.flat, kept.up.step, n, c.hidden
            )
            _back(kept.gate, layer.gate, n, self._dwidth)
            _back(kept.up, layer.up, n, self._dwidth, add=True)
            self._gather(f"{at}feed_forward.gate.weight", kept.gate, kept.feed, n)
            self._gather(f"{at}feed_forward.up.weight", kept.up, kept.feed, n)
            self._norm_back(f"{at}feed_forward_norm.weight", kept.middle, kept.feed_factors, n)
            _back(dx, layer.out, n, self._dseen)
            self._gather(f"{at}attention.out.weight", dx, kept.seen, n)
            self._attend_back(kept, n, t)
            _back(self._dqkv, layer.qkv, n, self._dwidth)
            self._gather(f"{at}attention.qkv.weight", self._dqkv, kept.normed, n)
            self._norm_back(f"{at}attention_norm.weight", kept.x, kept.factors, n)
        start = self.gradients.starts["embedding.weight"]
        k.embed_backward(ids, dx.flat, dx.step, c.width, self.gradients.flat, start)

    def _norm(
        self, x: Rows, weight: np.ndarray, n: int, y: Rows, factors: np.ndarray, onward: Rows
    ) -> None:
        width, eps = self._config.width, np.float32(self._config.norm_eps)
        k.norm(x.flat, x.step, n, width, weight, eps, y.flat, factors, onward.flat)

    def _norm_back(self, name: str, x: Rows, factors: np.ndarray, n: int) -> None:
        """Through a norm, from `_dwidth` into the stream."""
        k.norm_backward(
            self._dwidth.flat, x.flat, x.step, n, self._config.width, self._weights.flat(name),
            factors, self._dx.flat, self.gradients.flat, self.gradients.starts[name],
        )  # fmt: skip

    def _attend(self, kept: _Kept, n: int, t: int) -> None:
        self._rotate(kept.qkv, n, t, 1.0)
        k.attend(
            kept.qkv.flat, kept.qkv.step, n, t, *self._heads, kept.seen.flat, kept.seen.step,
            kept.sums, self._across, self._scores.flat, self._scores.step,
        )  # fmt: skip

    def _attend_back(self, kept: _Kept, n: int, t: int) -> None:
        k.attend_backward(
            kept.qkv.flat, kept.qkv.step, n, t, *self._heads,
            kept.seen.flat, self._dseen.flat, kept.seen.step, kept.sums, self._across,
            self._scores.flat, self._changes.flat, self._scores.step, self._dqkv.flat,
        )  # fmt: skip
        self._rotate(self._dqkv, n, t, -1.0)

    def _rotate(self, qkv: Rows, n: int, t: int, sign: float) -> None:
        h, g, d = self._heads
        cosines, sines = self._weights.cosines, self._weights.sines
        k.rotate(qkv.flat, qkv.step, n, t, h + g, d, cosines, sines, np.float32(sign))

    @property
    def _heads(self) -> tuple[int, int, int]:
        return self._config.heads, self._config.kv_heads, self._config.head_size

    def _gather(self, name: str, dy: Rows, x: Rows, n: int) -> None:
        """The weight's gradient: += dyᵀ x."""
        outputs, inputs = self._weights.tensors[name].shape
        k.product(
            dy.flat, 0, 1, dy.step, outputs, x.flat, 0, x.step, PANEL, n,
            self.gradients.flat, self.gradients.starts[name], inputs, inputs // PANEL, True,
        )  # fmt: skip


def _times(x: Rows, w: Panels, n: int, y: Rows, *, add: bool = False) -> None:
    """y = x Wᵀ, or y += it."""
    k.product(
        x.flat, 0, x.step, 1, n, w.forward, 0, PANEL, w.inputs * PANEL, w.inputs,
        y.flat, 0, y.step, padded(w.outputs) // PANEL, add,
    )  # fmt: skip


def _back(dy: Rows, w: Panels, n: int, dx: Rows, *, add: bool = False) -> None:
    """dx = dy W, or dx += it."""
    k.product(
        dy.flat, 0, dy.step, 1, n, w.backward, 0, PANEL, w.outputs * PANEL, w.outputs,
        dx.flat, 0, dx.step, w.inputs // PANEL, add,
    )  # fmt: skip


def _vector(size: int) -> np.ndarray:
    vector: np.ndarray = torch.zeros(size).numpy()
    return vector
