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

BETAS = (0.9, 0.95)
# Steps of x ← ax + b(xxᵀ)x + c(xxᵀ)²x, each the best for what the one before left: singular values
# from 0.005 on come near 1, and the norm makes them about 1 / √rank. Source: Amsel et al. 2025,
# The Polar Express, https://arxiv.org/abs/2505.16932
POLYNOMIALS = (
    (8.28721201814563, -23.595886519098837, 17.300387312530933),
    (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
    (3.9486908534822946, -2.908902115962949, 0.5518191394370137),
    (3.3184196573706015, -2.488488024314874, 0.51004894012372),
    (2.300652019954817, -1.6689039845747493, 0.4188073119525673),
)
ITERATIONS = 3
_COEFFICIENTS = np.array(POLYNOMIALS, np.float32)


def orthogonalized(matrices: Tensor, *, iterations: int | None = None) -> Tensor:
    """(n, r, c) -> the same with all singular values near 1, by Newton and Schulz's iteration."""
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.mT if tall else matrices
    x = x / (1.01 * x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for a, b, c in POLYNOMIALS[: iterations or ITERATIONS]:
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x


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
