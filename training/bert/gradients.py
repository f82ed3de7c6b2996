"""Gradients of one batch: texts thinned, and on a CPU a thread a core.

*Thinned*: above the frozen layers a random share of each text's tokens is left out, less and less
as training goes on. Every step gets cheaper and no two epochs see the same text. Source: Hou et al.
2022, "Token Dropping for Efficient BERT Pretraining", https://arxiv.org/abs/2203.13240

*Threads*: a batch is cut into one part a core; each runs forward and backward by itself with
one-threaded operators and the gradients are added in a fixed order. Nobody waits at the end of
every small operator, and the result does not depend on timing.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from training.bert.config import TrainConfig
from training.bert.data import Tokens
from training.bert.model import Packed, PackedClassifier, pack
from training.bert.scoring import autocast, token_rows
from training.shared.device import cores

if TYPE_CHECKING:
    from accelerate import Accelerator


# On average: in a short text every word may be the one that matters ("not").
MIN_KEPT_TOKENS = 32


@dataclass(frozen=True)
class Feed:
    """What batches are made of. features: (n, h) output of the frozen layers, if kept."""

    tokens: Tokens
    targets: Tensor  # (texts,) numbers of the labels
    weights: Tensor | None  # (labels,) of the loss
    features: Tensor | None = None
    frozen: int = 0

    def batch(
        self, rows: np.ndarray, *, thin: float, rng: np.random.Generator
    ) -> tuple[Packed, Tensor | None, Tensor]:
        """(texts without up to a share `thin` of their tokens, their features, targets)."""
        places = token_rows(self.tokens, rows)
        lengths = self.tokens.lengths[rows]
        firsts = lengths.cumsum() - lengths
        positions = np.arange(len(places)) - np.repeat(firsts, lengths)
        share = np.minimum(thin, np.maximum(0.0, 1 - MIN_KEPT_TOKENS / lengths))
        kept = rng.random(len(places)) >= np.repeat(share, lengths)
        kept[firsts] = True  # the classifier reads the first token
        places, lengths = places[kept], np.add.reduceat(kept, firsts)
        packed = pack(
            torch.from_numpy(self.tokens.ids[places]),
            lengths.tolist(),
            positions=torch.from_numpy(positions[kept]),
        )
        hidden = None if self.features is None else self.features[torch.from_numpy(places)].float()
        return packed, hidden, self.targets[torch.from_numpy(rows)]


class Backward:
    """Computes the mean loss of a batch and leaves its gradients in the weights."""

    def __init__(
        self,
        network: Any,
        weights: Sequence[Tensor],
        feed: Feed,
        config: TrainConfig,
        accelerator: Accelerator,
        *,
        bfloat16: bool = False,
    ) -> None:
        """bfloat16: of the products."""
        self._bfloat16 = bfloat16
        self._network, self._weights, self._feed = network, list(weights), feed
        self._config, self._accelerator = config, accelerator
        self._pool = _pool(network, config, accelerator)

    @property
    def threaded(self) -> bool:
        """Whether it brings its own threads."""
        return self._pool is not None

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown()

    def __call__(self, rows: np.ndarray, *, step: int, thin: float) -> float:
        """Mean loss over `rows` before the step; in a distributed run, over this process's."""
        rank, world = self._accelerator.process_index, self._accelerator.num_processes
        mine = rows[rank::world]
        seed = (self._config.seed, step, rank)
        if self._pool is None:
            # DDP takes the mean over processes; the factor makes it the mean over the batch.
            loss = self._loss(mine, seed, thin) * (world / len(rows))
            self._accelerator.backward(loss)
            return float(loss.detach())
        parts = [part for part in _parts(mine, self._feed.tokens.lengths) if len(part)]
        seeds = [(*seed, number) for number in range(len(parts))]
        results = list(self._pool.map(self._part, parts, seeds, [thin] * len(parts)))
        for weight, *gradients in zip(self._weights, *(g for _, g in results), strict=True):
            weight.grad = sum(gradients[1:], gradients[0]) / len(rows)
        return sum(loss for loss, _ in results) / len(rows)

    def _part(
        self, rows: np.ndarray, seed: tuple[int, ...], thin: float
    ) -> tuple[float, Sequence[Tensor]]:
        loss = self._loss(rows, seed, thin)
        return float(loss.detach()), torch.autograd.grad(
            loss, self._weights, materialize_grads=True
        )

    def _loss(self, rows: np.ndarray, seed: tuple[int, ...], thin: float) -> Tensor:
        """Summed loss of these texts."""
        device = self._accelerator.device
        packed, hidden, targets = self._feed.batch(rows, thin=thin, rng=np.random.default_rng(seed))
        start = 0 if hidden is None else self._feed.frozen
        hidden = None if hidden is None else hidden.to(device)
        with autocast(device.type, bfloat16=self._bfloat16):
            logits = self._network(packed.to(device), hidden, start)
        weights = self._feed.weights
        return F.cross_entropy(
            logits.float(),
            targets.to(device),
            weight=None if weights is None else weights.to(device),
            label_smoothing=self._config.label_smoothing,
            reduction="sum",
        )


def _pool(network: Any, config: TrainConfig, accelerator: Accelerator) -> ThreadPoolExecutor | None:
    """Threads, where they are sound: with dropout they would race for random numbers."""
    alone = accelerator.num_processes == 1 and accelerator.device.type == "cpu"
    sound = isinstance(network, PackedClassifier) and not config.dropout
    if not (alone and sound and cores() > 1):
        return None
    return ThreadPoolExecutor(cores(), initializer=lambda: torch.set_num_threads(1))


def _parts(rows: np.ndarray, lengths: np.ndarray) -> list[np.ndarray]:
    """Cut a batch into one part a core with about as many tokens each."""
    order = rows[np.argsort(-lengths[rows], kind="stable")]
    count = cores()
    # Dealt out like cards, turning back at the end: 0 1 2 2 1 0 0 1 2 …
    turns = np.concatenate([np.arange(count), np.arange(count)[::-1]])
    hands = np.resize(turns, len(order))
    return [order[hands == hand] for hand in range(count)]
