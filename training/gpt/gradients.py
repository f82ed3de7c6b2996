"""Gradients of one batch; on a CPU a thread a core.

A batch is cut into one part a core. Each thread runs forward and backward by itself, with
one-threaded operators, on a replica that shares the weights and has gradients of its own; they are
added in a fixed order. Nobody waits at the end of every small operator, the activations of a piece
stay in the core's cache, and the result does not depend on timing.
"""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from training.gpt.config import TrainConfig
from training.gpt.model import MiniGPT
from training.shared.device import Hardware, cores
from training.shared.memory import keep_freed_memory

if TYPE_CHECKING:
    from accelerate import Accelerator

PIECE_TOKENS = 1024  # of one forward and backward pass on a core


class Backward:
    """Computes the mean loss of a batch and leaves its gradients in the model's weights."""

    def __init__(
        self, model: MiniGPT, config: TrainConfig, *, hardware: Hardware, accelerator: Accelerator
    ) -> None:
        self._model, self._config, self._accelerator = model, config, accelerator
        self._hardware = hardware
        self.pool = _pool(config, accelerator)
        self._replicas = [_replica(model) for _ in range(cores())] if self.pool else [model]

    def close(self) -> None:
        """End the threads."""
        if self.pool is not None:
            self.pool.shutdown()

    def __call__(self, rows: np.ndarray) -> float:
        """Mean loss of this process's part of `rows` (b, t + 1) before the step."""
        rank, world = self._accelerator.process_index, self._accelerator.num_processes
        mine = torch.from_numpy(rows[rank::world].astype(np.int64))
        parts = [part for part in mine.tensor_split(len(self._replicas)) if len(part)]
        share = 1 / len(mine)
        run = map if self.pool is None else self.pool.map
        jobs = zip(self._replicas, parts, strict=False)  # a small batch leaves cores without one
        losses = list(run(lambda job: self._part(job[0], job[1], share), jobs))
        self._gather(len(parts))
        return sum(losses)

    def _part(self, model: MiniGPT, rows: Tensor, share: float) -> float:
        """Backward over `rows` in pieces; the loss's share of the batch's mean."""
        for weight in model.parameters():
            if weight.grad is not None:
                weight.grad.zero_()
        total = 0.0
        rows = rows.to(self._accelerator.device)
        for piece in torch.split(rows, self._piece_rows(rows.shape[1] - 1)):
            with torch.autocast(
                self._hardware.device, torch.bfloat16, enabled=self._hardware.bfloat16
            ):
                loss = model(piece[:, :-1], piece[:, 1:]) * (len(piece) * share)
            loss.backward()
            total += float(loss.detach())
        return total

    def _piece_rows(self, context: int) -> int:
        tokens = PIECE_TOKENS if self.pool else 32 * PIECE_TOKENS
        return max(1, tokens // context)

    @torch.no_grad()
    def _gather(self, used: int) -> None:
        """Add the replicas' gradients, and take the mean over processes."""
        for weight, *copies in zip(
            self._model.parameters(), *(r.parameters() for r in self._replicas[:used]), strict=True
        ):
            if weight is not copies[0]:
                gradients = [c.grad for c in copies if c.grad is not None]
                weight.grad = sum(gradients[1:], gradients[0])
            if self._accelerator.num_processes > 1:
                weight.grad = self._accelerator.reduce(weight.grad, "mean")


def _pool(config: TrainConfig, accelerator: Accelerator) -> ThreadPoolExecutor | None:
    """Threads, where they are sound: with dropout they would race for random numbers."""
    alone = accelerator.num_processes == 1 and accelerator.device.type == "cpu"
    if not alone or config.dropout or cores() == 1:
        return None
    keep_freed_memory()
    return ThreadPoolExecutor(cores(), initializer=lambda: torch.set_num_threads(1))


def _replica(model: MiniGPT) -> MiniGPT:
    """A model on the same weights, with gradients of its own."""
    twin = copy.deepcopy(model)
    for ours, theirs in zip(twin.parameters(), model.parameters(), strict=True):
        ours.data = theirs.data
    return twin
