"""Muon for matrices and convolutions, AdamW for the rest, and their state for a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from training.shared.device import cores, probe
from training.shared.muon import Muon
from training.shared.workers import map_on_cores

BETAS = (0.9, 0.98)


class MuonAdamW:
    """Steps both; gradients are dropped afterwards. Each core works through its share of Muon's."""

    def __init__(
        self,
        matrices: Sequence[Tensor],
        others: Sequence[Tensor],
        *,
        matrix_rate: float,
        other_rate: float,
    ) -> None:
        self._weights, self._others = [*matrices, *others], list(others)
        places = _even_shares(matrices, cores())
        self._shares = [
            Muon(
                [matrices[place] for place in share],
                learning_rate=matrix_rate,
                dtype=probe().dtype,
            )
            for share in places
        ]
        momenta = {
            place: momentum
            for share, muon in zip(places, self._shares, strict=True)
            for place, momentum in zip(share, muon.momenta, strict=True)
        }
        self._momenta = [momenta[place] for place in range(len(matrices))]
        self._rate = other_rate
        self._adam = torch.optim.AdamW(others, lr=0.0, betas=BETAS, weight_decay=0.0, fused=True)

    def step(self, factor: float) -> None:
        """factor: of the learning rates."""
        list(map_on_cores(lambda muon: muon.step(factor), self._shares, device="cpu"))
        for group in self._adam.param_groups:
            group["lr"] = self._rate * factor
        self._adam.step()
        for weight in self._weights:
            weight.grad = None

    def tensors(self) -> dict[str, Tensor]:
        """Its state by name."""
        found = {f"muon.{n}": momentum for n, momentum in enumerate(self._momenta)}
        for number, state in self._adam.state_dict()["state"].items():
            found |= {f"adam.{number}.{key}": value for key, value in state.items()}
        return found

    @torch.no_grad()
    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on from a state taken by `tensors`."""
        for number, momentum in enumerate(self._momenta):
            momentum.copy_(tensors[f"muon.{number}"])
        numbered: dict[int, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            if name.startswith("adam."):
                _, place, key = name.split(".")
                like = self._others[int(place)]
                # The fused step walks through memory: a state must lie there as its weight does.
                laid_out = tensor if key == "step" else torch.empty_like(like).copy_(tensor)
                numbered.setdefault(int(place), {})[key] = laid_out
        self._adam.load_state_dict({**self._adam.state_dict(), "state": numbered})


def _even_shares(matrices: Sequence[Tensor], count: int) -> list[list[int]]:
    """Places of the matrices in at most `count` lists that cost about as much to orthogonalize."""
    shares: list[list[int]] = [[] for _ in range(count)]
    costs = [0] * count

    def cost(place: int) -> int:
        rows, columns = len(matrices[place]), matrices[place].numel() // len(matrices[place])
        return min(rows, columns) * rows * columns

    for place in sorted(range(len(matrices)), key=lambda place: (-cost(place), place)):
        cheapest = costs.index(min(costs))
        shares[cheapest].append(place)
        costs[cheapest] += cost(place)
    return [share for share in shares if share]
