"""What a token does by itself: a dense feed-forward, or one chosen among experts.

Legend: b texts, t tokens of each, n = b·t tokens in a row, w width, f width of the feed-forward,
e experts, k experts of a token.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.gpt.config import Activation


def gelu(x: Tensor) -> Tensor:
    """GELU in the tanh form that GPT-2 uses. https://arxiv.org/abs/1606.08415."""
    return F.gelu(x, approximate="tanh")


def relu2(x: Tensor) -> Tensor:
    """max(0, x)². So et al. 2021, Primer, https://arxiv.org/abs/2109.08668."""
    return F.relu(x).square()


BENDS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "swiglu": F.silu,
    "gelu": gelu,
    "relu2": relu2,
}


class FeedForward(nn.Module):
    """Each token by itself: into a wider space, through a bend, and back.

    SwiGLU bends only a gate, which then scales the rest: down(silu(gate(x)) · up(x)). Shazeer 2020,
    https://arxiv.org/abs/2002.05202. The others have no gate: down(bend(up(x))).
    """

    def __init__(self, width: int, hidden: int, *, activation: Activation, bias: bool) -> None:
        super().__init__()
        gated = activation == "swiglu"
        self.gate = nn.Linear(width, hidden, bias=bias) if gated else None
        self.up = nn.Linear(width, hidden, bias=bias)
        self.down = nn.Linear(hidden, width, bias=bias)
        self.bend = BENDS[activation]

    def forward(self, x: Tensor) -> Tensor:
        """(..., w) -> (..., w)."""
        up = self.up(x)  # (..., f)
        hidden = self.bend(up) if self.gate is None else self.bend(self.gate(x)) * up
        lowered: Tensor = self.down(hidden)
        return lowered


class MixtureOfExperts(nn.Module):
    """A router sends each token to k of e feed-forwards; what they say is added up, weighted.

    Mixtral's form: softmax over all e scores, the k largest, scaled to sum 1
    (https://arxiv.org/abs/2401.04088, section 2.1). `balance` is the load-balancing term of the
    last forward pass, e · Σᵢ fᵢ·Pᵢ with fᵢ the share of choices that fell on expert i and Pᵢ its
    mean probability: 1 when the load is even (Switch, https://arxiv.org/abs/2101.03961, eq. 4).
    """

    def __init__(self, width: int, experts: Sequence[FeedForward], *, per_token: int) -> None:
        super().__init__()
        self.per_token = per_token
        self.router = nn.Linear(width, len(experts), bias=False)
        self.experts = nn.ModuleList(experts)
        self.balance = torch.zeros(())

    def forward(self, x: Tensor) -> Tensor:
        """(b, t, w) -> (b, t, w)."""
        tokens = x.flatten(0, 1)  # (n, w)
        probabilities = self.router(tokens).float().softmax(dim=-1)  # (n, e)
        weights, chosen = probabilities.topk(self.per_token, dim=-1)  # (n, k)
        weights = weights / weights.sum(dim=-1, keepdim=True)
        self.balance = _balance(probabilities, chosen)
        mixed = torch.zeros_like(tokens)
        for number, expert in enumerate(self.experts):
            rows, places = (chosen == number).nonzero(
                as_tuple=True
            )  # who chose it, as which choice
            said = expert(tokens[rows]) * weights[rows, places, None]
            mixed = mixed.index_add(0, rows, said.to(mixed.dtype))
        return mixed.view_as(x)


def _balance(probabilities: Tensor, chosen: Tensor) -> Tensor:
    experts = probabilities.shape[-1]
    share = torch.bincount(chosen.flatten(), minlength=experts) / chosen.numel()  # (e,)
    return experts * (share * probabilities.mean(dim=0)).sum()
