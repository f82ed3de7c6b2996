"""Muon: momentum whose every matrix is made orthogonal before the step.

So rare directions learn as fast as frequent ones. For convolutions a filter's inputs are one row.
Source: Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

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


def orthogonalized(matrices: Tensor, *, iterations: int | None = None) -> Tensor:
    """(n, r, c) -> the same with all singular values near 1, by Newton and Schulz's iteration."""
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.mT if tall else matrices
    x = x / (1.01 * x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for a, b, c in POLYNOMIALS[: iterations or ITERATIONS]:
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x


class Muon:
    """Steps of weights with two or more dimensions, as (rows, everything else) matrices."""

    def __init__(
        self,
        weights: Sequence[Tensor],
        *,
        learning_rate: float,
        momentum: float = 0.9,
        decay: float = 0.0,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        """learning_rate: at its peak, the spectral norm of a step. decay: of weights, per rate.

        dtype: of the products that make a step orthogonal; bfloat16 is exact enough for them.
        """
        self._weights, self._dtype = list(weights), dtype
        self._rate, self._momentum, self._decay = learning_rate, momentum, decay
        self.momenta = [torch.zeros_like(weight) for weight in self._weights]

    @torch.no_grad()
    def step(self, factor: float) -> None:
        """Change the weights by the gradients that are in place. factor: of the learning rate."""
        rate = self._rate * factor
        alike: dict[tuple[int, int], list[tuple[Tensor, Tensor]]] = {}
        for weight, momentum in zip(self._weights, self.momenta, strict=True):
            if weight.grad is None:
                continue
            momentum.mul_(self._momentum).add_(weight.grad)
            update = weight.grad.add(momentum, alpha=self._momentum).reshape(len(weight), -1)
            alike.setdefault((update.shape[0], update.shape[1]), []).append((weight, update))
        for (rows, columns), pairs in alike.items():
            updates = torch.stack([update for _, update in pairs])
            steps = orthogonalized(updates.to(self._dtype)).to(updates.dtype)
            steps = steps * max(1.0, rows / columns) ** 0.5
            for (weight, _), step in zip(pairs, steps, strict=True):
                weight.mul_(1 - rate * self._decay)
                weight.add_(step.reshape(weight.shape), alpha=-rate)
