"""Muon for the matrices inside the blocks, AdamW for embeddings, norms and everything else.

*Muon*: momentum whose every matrix is replaced by the nearest orthogonal one before the step, so
that rare directions learn as fast as frequent ones. Matrices of one shape go through together.
Source: Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from training.gpt.attention import Attention
from training.gpt.config import TrainConfig
from training.gpt.feed_forward import FeedForward
from training.gpt.model import MiniGPT
from training.shared.muon import ITERATIONS, POLYNOMIALS, orthogonalized

BETAS = (0.9, 0.95)
_COEFFICIENTS = np.array(POLYNOMIALS, np.float32)


@dataclass(frozen=True)
class Part:
    """Rows of a weight that are one matrix: fused products hold several below each other."""

    weight: Tensor
    start: int
    stop: int

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return self.stop - self.start, self.weight.shape[1]

    @property
    def value(self) -> Tensor:
        """The rows, as a view that can be changed."""
        return self.weight.data[self.start : self.stop]

    @property
    def gradient(self) -> Tensor:
        """The rows of the gradient."""
        gradient = self.weight.grad
        return torch.zeros(self.shape) if gradient is None else gradient[self.start : self.stop]


@dataclass
class Group:
    """Matrices of one shape with their momentum (n, r, c)."""

    parts: tuple[Part, ...]
    momentum: Tensor
    scratch: tuple[np.ndarray, ...] = ()  # of the compiled step


class Optimizer:
    """Both methods behind one `step`. `factor` scales every learning rate, as a schedule says."""

    def __init__(
        self, model: MiniGPT, config: TrainConfig, *, pool: Executor | None = None
    ) -> None:
        self._config, self._pool = config, pool
        parts = list(matrices(model)) if config.optimizer == "muon" else []
        taken = {id(part.weight) for part in parts}
        rest = [p for p in model.parameters() if id(p) not in taken]
        self._groups = _grouped(parts, halves=1 if pool is None else 2)
        self._compiled = _compiled_step(self._groups) if pool is not None and parts else None
        rate = config.embedding_learning_rate if parts else config.learning_rate
        self._rate = rate
        self._adam = torch.optim.AdamW(
            rest, lr=rate, betas=BETAS, eps=1e-10, weight_decay=config.weight_decay, fused=True
        )

    def step(self, factor: float) -> None:
        """Change the weights by the gradients that are in place."""
        for group in self._adam.param_groups:
            group["lr"] = self._rate * factor
        self._adam.step()
        run: Callable[..., Iterable[Any]] = map if self._pool is None else self._pool.map
        list(run(lambda group: self._step(group, factor), self._groups))

    @torch.no_grad()
    def _step(self, group: Group, factor: float) -> None:
        config = self._config
        rate = config.learning_rate * factor
        rows, columns = group.parts[0].shape
        tall = max(1.0, rows / columns) ** 0.5
        if self._compiled is not None:
            for part, momentum in zip(group.parts, group.momentum, strict=True):
                self._compiled(
                    *(_flat(x) for x in (part.value, part.gradient, momentum)), rows, columns,
                    np.float32(config.momentum), _COEFFICIENTS[:ITERATIONS],
                    np.float32(1 - rate * config.weight_decay), np.float32(rate * tall),
                    *group.scratch,
                )  # fmt: skip
            return
        gradients = torch.stack([part.gradient for part in group.parts])  # (n, r, c)
        group.momentum.lerp_(gradients, 1 - config.momentum)
        updates = orthogonalized(gradients.lerp_(group.momentum, config.momentum))
        for part, update in zip(group.parts, updates, strict=True):
            part.value.mul_(1 - rate * config.weight_decay)
            part.value.add_(update, alpha=-rate * tall)

    def tensors(self) -> dict[str, Tensor]:
        """Everything it remembers, by names for a checkpoint."""
        kept = {f"momentum.{n}": group.momentum for n, group in enumerate(self._groups)}
        for number, state in self._adam.state_dict()["state"].items():
            kept |= {f"adam.{number}.{key}": value for key, value in state.items()}
        return kept

    def restore(self, kept: dict[str, Tensor]) -> None:
        """Remember what `tensors` gave."""
        for number, group in enumerate(self._groups):
            group.momentum.copy_(kept[f"momentum.{number}"])
        whole = self._adam.state_dict()
        states: dict[int, dict[str, Tensor]] = {}
        for name, value in kept.items():
            if name.startswith("adam."):
                _, number_text, key = name.split(".")
                states.setdefault(int(number_text), {})[key] = value
        self._adam.load_state_dict({**whole, "state": states})


def matrices(model: MiniGPT) -> Iterable[Part]:
    """The matrices inside the blocks, fused ones in their parts."""
    for block in model.blocks:
        for module in block.modules():
            if isinstance(module, Attention):
                rows = [module.heads, module.kv_heads, module.kv_heads]
                yield from _parts(module.qkv.weight, [n * module.size for n in rows])
                yield from _parts(module.out.weight, [module.out.out_features])
            if isinstance(module, FeedForward):
                for linear in (module.gate, module.up, module.down):
                    if linear is not None:
                        yield from _parts(linear.weight, [linear.out_features])


def _parts(weight: Tensor, rows: Sequence[int]) -> Iterable[Part]:
    start = 0
    for count in rows:
        yield Part(weight, start, start + count)
        start += count


def _grouped(parts: Sequence[Part], *, halves: int) -> list[Group]:
    """One group a shape, cut into `halves` for as many threads; largest first."""
    shapes: dict[tuple[int, int], list[Part]] = {}
    for part in parts:
        shapes.setdefault(part.shape, []).append(part)
    groups = []
    for alike in shapes.values():
        for half in range(halves):
            chosen = tuple(alike[half::halves])
            if chosen:
                value = chosen[0].value
                momentum = torch.zeros(len(chosen), *value.shape, device=value.device)
                groups.append(Group(chosen, momentum))
    return groups


def _compiled_step(groups: Sequence[Group]) -> Callable[..., None] | None:
    """The compiled step, ready to run, and scratch for it; None where it cannot run."""
    if any(part.weight.device.type != "cpu" for group in groups for part in group.parts):
        return None
    try:
        from training.gpt.kernels_muon import muon_step
        from training.gpt.tiles import PANEL, padded
    except (ImportError, RuntimeError):  # numba is not installed, or has nowhere to cache
        return None
    for group in groups:
        small, large = sorted(group.parts[0].shape)
        step = padded(small) + PANEL
        sizes = (large * step, large * step, small * step, small * step)
        group.scratch = tuple(torch.zeros(size).numpy() for size in sizes)
    nothing = [np.zeros(size, np.float32) for size in (1, 1, 1, 32, 32, 32, 32)]
    one = np.float32(1)
    muon_step(*nothing[:3], 1, 1, one, _COEFFICIENTS[:ITERATIONS], one, one, *nothing[3:])
    compiled: Callable[..., None] = muon_step
    return compiled


def _flat(tensor: Tensor) -> np.ndarray:
    """The numbers of a contiguous tensor, which change with it."""
    flat: np.ndarray = tensor.detach().view(-1).numpy()
    return flat
