"""Gradients of one batch; on a CPU a thread a core.

A batch is cut into one part a core. Each thread runs forward and backward by itself, with
one-threaded operators and gradients of its own; they are added in a fixed order. Nobody waits at
the end of every small operator, the activations of a piece stay in the core's cache, and the result
does not depend on timing. For the networks that it knows, fused.py does the same without autograd.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch

from training.gpt.config import TrainConfig
from training.gpt.model import MiniGPT
from training.shared.device import Hardware, cores

if TYPE_CHECKING:
    from accelerate import Accelerator

PIECE_TOKENS = 1024  # of one forward and backward pass on a core
# From this width on products in bfloat16 save more than the casts around them cost. Measured on a
# CPU with AMX: 27.7k tokens/s fused against 20.0k at width 128, 6.1k against 6.9k at 192.
AUTOCAST_WIDTH = 192

Pieces = Sequence[np.ndarray]  # of (b, t + 1) tokens
Run = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]  # `map`, or that of a pool


class Passes(Protocol):
    """Forward and backward passes on several cores."""

    def __call__(self, parts: Sequence[Pieces], share: float, run: Run) -> float:
        """Leave the gradients of the loss in the model's weights; the loss.

        parts: the work of each core. share: of a row in the mean over the batch.
        """


class Backward:
    """Computes the mean loss of a batch and leaves its gradients in the model's weights.

    Making one compiles what it needs, which takes seconds in the first run of an installation.
    """

    def __init__(
        self, model: MiniGPT, config: TrainConfig, *, hardware: Hardware, accelerator: Accelerator
    ) -> None:
        self._model, self._accelerator = model, accelerator
        self.pool = _pool(config, accelerator)
        self._workers = cores() if self.pool else 1
        fused = _fused(model, hardware, self._workers) if self.pool or cores() == 1 else None
        self.fused = fused is not None
        self._passes = fused or Replicas(model, hardware, self._workers)

    def close(self) -> None:
        """End the threads."""
        if self.pool is not None:
            self.pool.shutdown()

    def __call__(self, rows: np.ndarray) -> float:
        """Mean loss of this process's part of `rows` (b, t + 1) before the step."""
        rank, world = self._accelerator.process_index, self._accelerator.num_processes
        mine = rows[rank::world]
        parts = [part for part in np.array_split(mine, self._workers) if len(part)]
        count = self._piece_rows(rows.shape[1] - 1)
        pieces = [[part[n : n + count] for n in range(0, len(part), count)] for part in parts]
        run: Run = map if self.pool is None else self.pool.map
        loss = self._passes(pieces, 1 / len(mine), run)
        if world > 1:
            for weight in self._model.parameters():
                weight.grad = self._accelerator.reduce(weight.grad, "mean")
        return loss

    def _piece_rows(self, context: int) -> int:
        tokens = PIECE_TOKENS if self.pool or self.fused else 32 * PIECE_TOKENS
        return max(1, tokens // context)


class Replicas:
    """Passes by autograd, each on a replica that shares the weights."""

    def __init__(self, model: MiniGPT, hardware: Hardware, count: int) -> None:
        self._model, self._hardware = model, hardware
        self._replicas = [_replica(model) for _ in range(count)] if count > 1 else [model]

    def __call__(self, parts: Sequence[Pieces], share: float, run: Run) -> float:
        """See Passes."""
        jobs = zip(self._replicas, parts, strict=False)  # a small batch leaves cores without one
        losses = list(run(lambda job: self._part(job[0], job[1], share), jobs))
        self._gather(len(parts))
        return float(sum(losses))

    def _part(self, model: MiniGPT, pieces: Pieces, share: float) -> float:
        """Backward over the pieces; the loss's share of the batch's mean."""
        for weight in model.parameters():
            if weight.grad is not None:
                weight.grad.zero_()
        total, device = 0.0, model.embedding.weight.device
        for piece in pieces:
            ids = torch.from_numpy(piece.astype(np.int64)).to(device)
            with torch.autocast(
                self._hardware.device, torch.bfloat16, enabled=self._hardware.bfloat16
            ):
                loss = model(ids[:, :-1], ids[:, 1:]) * (len(piece) * share)
            loss.backward()
            total += float(loss.detach())
        return total

    @torch.no_grad()
    def _gather(self, used: int) -> None:
        """Add the replicas' gradients."""
        for weight, *copies in zip(
            self._model.parameters(), *(r.parameters() for r in self._replicas[:used]), strict=True
        ):
            if weight is not copies[0]:
                gradients = [c.grad for c in copies if c.grad is not None]
                weight.grad = sum(gradients[1:], gradients[0])


def _pool(config: TrainConfig, accelerator: Accelerator) -> ThreadPoolExecutor | None:
    """Threads, where they are sound: with dropout they would race for random numbers."""
    alone = accelerator.num_processes == 1 and accelerator.device.type == "cpu"
    if not alone or config.dropout or cores() == 1:
        return None
    return ThreadPoolExecutor(cores(), initializer=lambda: torch.set_num_threads(1))


def _fused(model: MiniGPT, hardware: Hardware, count: int) -> Passes | None:
    """The compiled passes, ready to run; None where they cannot run or do not compute the same."""
    if hardware.device != "cpu" or (hardware.bfloat16 and model.config.width >= AUTOCAST_WIDTH):
        return None
    try:
        from training.gpt.fused import FusedPasses, supports
    except (ImportError, RuntimeError):  # numba is not installed, or has nowhere to cache
        return None
    if not supports(model):
        return None
    passes = FusedPasses(model, count)
    passes.compile()
    return passes


def _replica(model: MiniGPT) -> MiniGPT:
    """A model on the same weights, with gradients of its own."""
    twin = copy.deepcopy(model)
    for ours, theirs in zip(twin.parameters(), model.parameters(), strict=True):
        ours.data = theirs.data
    return twin
