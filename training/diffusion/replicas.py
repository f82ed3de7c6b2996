"""One step on all cores: each works through its share of the batch with one thread.

Small operators on several threads each wait for the slowest at their end; two replicas with a
thread each wait once a step. They share the weights, and their gradients are added up in order, so
a run is the same each time.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from training.shared.device import cores
from training.shared.workers import map_on_cores


class Replicas:
    """A network and copies of it with the same weights in memory and gradients of their own."""

    def __init__(self, network: Any, count: int | None = None) -> None:
        self._all = [network, *(copy.deepcopy(network) for _ in range((count or cores()) - 1))]
        for other in self._all[1:]:
            for mine, theirs in zip(network.parameters(), other.parameters(), strict=True):
                theirs.data = mine.data

    def __len__(self) -> int:
        return len(self._all)

    def backward(self, pieces: Sequence[Any], loss: Callable[[Any, Any], Tensor]) -> float:
        """Add up in the network the gradients of `loss(replica, piece)` of all pieces.

        There are at most as many pieces as replicas. Returns the sum of the losses.
        """
        work = list(zip(self._all, pieces, strict=False))

        def learn(pair: tuple[Any, Any]) -> float:
            found = loss(*pair)
            found.backward()  # type: ignore[no-untyped-call]
            return float(found.detach())

        losses = list(map_on_cores(learn, work, device="cpu"))
        mine = list(self._all[0].parameters())
        for other in self._all[1 : len(pieces)]:
            for weight, theirs in zip(mine, other.parameters(), strict=True):
                if theirs.grad is not None:
                    weight.grad = theirs.grad if weight.grad is None else weight.grad + theirs.grad
                    theirs.grad = None
        return sum(losses)
