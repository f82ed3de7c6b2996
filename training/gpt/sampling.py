"""From logits to one token: pure functions, the same filters as transformers' in the same order.

repetition penalty, temperature, top-k, top-p, min-p, then one draw. The draw's randomness is a
function of (seed, how many tokens were drawn before, token) alone. So one seed gives one text,
whether tokens are computed one at a time, several at once, cached, or beside other texts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hub_utils.errors import SettingsError

_SEED_BITS = 63


@dataclass(frozen=True)
class Sampling:
    """How a token is chosen. Temperature 0 is greedy: the filters then change nothing."""

    temperature: float = 0.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    repetition_penalty: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Raise SettingsError for a value that no filter takes."""
        rules = {
            f"temperature must be 0 or above, not {self.temperature}": self.temperature >= 0,
            f"top_k must be at least 1, not {self.top_k}": self.top_k is None or self.top_k >= 1,
            f"top_p must be above 0 and at most 1, not {self.top_p}": self.top_p is None
            or 0 < self.top_p <= 1,
            f"min_p must be between 0 and 1, not {self.min_p}": self.min_p is None
            or 0 <= self.min_p <= 1,
            f"repetition_penalty must be above 0, not {self.repetition_penalty}": (
                self.repetition_penalty > 0
            ),
        }
        for rule, holds in rules.items():
            if not holds:
                raise SettingsError(f"{rule}.", hint="Change it and generate again.")


def choose(logits: Tensor, read: Iterable[int], index: int, sampling: Sampling) -> int:
    """One token from logits (v,).

    read: the tokens before, for the repetition penalty. index: of this token among the new ones.
    """
    if sampling.repetition_penalty != 1.0:
        logits = penalized(logits, read, sampling.repetition_penalty)
    if sampling.temperature == 0:
        return int(logits.argmax())
    return draw(filtered(logits, sampling), seed=sampling.seed, index=index)


def filtered(logits: Tensor, sampling: Sampling) -> Tensor:
    """Logits at the temperature, with -∞ for the tokens that the filters leave out."""
    logits = logits.float() / sampling.temperature
    if sampling.top_k is not None:
        logits = keep_top_k(logits, sampling.top_k)
    if sampling.top_p is not None and sampling.top_p < 1:
        logits = keep_top_p(logits, sampling.top_p)
    if sampling.min_p is not None and sampling.min_p > 0:
        logits = keep_min_p(logits, sampling.min_p)
    return logits


def penalized(logits: Tensor, read: Iterable[int], penalty: float) -> Tensor:
    """Logits of tokens already read divided by the penalty, or multiplied where negative.

    Source: Keskar et al. 2019, CTRL, https://arxiv.org/abs/1909.05858, section 4.1.
    """
    seen = torch.tensor(sorted(set(read)), device=logits.device)
    seen = seen[seen < logits.shape[-1]]
    scores = logits[seen]
    return logits.index_copy(0, seen, torch.where(scores < 0, scores * penalty, scores / penalty))


def keep_top_k(logits: Tensor, k: int) -> Tensor:
    """The k highest logits, and those equal to the lowest of them; the others -∞."""
    lowest = logits.topk(min(k, logits.shape[-1])).values[..., -1:]
    return logits.masked_fill(logits < lowest, -torch.inf)


def keep_top_p(logits: Tensor, p: float) -> Tensor:
    """The fewest tokens whose probabilities reach p, the likeliest first; the others -∞.

    Source: Holtzman et al. 2019, https://arxiv.org/abs/1904.09751.
    """
    rising, order = logits.sort(dim=-1)
    tail = rising.softmax(-1).cumsum(-1) <= 1 - p  # what may go without falling below p
    tail[..., -1] = False
    return logits.masked_fill(tail.scatter(-1, order, tail), -torch.inf)


def keep_min_p(logits: Tensor, p: float) -> Tensor:
    """Tokens with at least p times the likeliest one's probability; the others -∞.

    Source: Nguyen et al. 2024, https://arxiv.org/abs/2407.01082.
    """
    probabilities = logits.softmax(-1)
    limit = p * probabilities.amax(-1, keepdim=True)
    return logits.masked_fill(probabilities < limit, -torch.inf)


def draw(logits: Tensor, *, seed: int, index: int) -> int:
    """One token with the probabilities softmax(logits): the first of exponential arrivals.

    Each token arrives after a time of rate p; the earliest has token i with probability p_i. A
    counter-based generator (Philox) gives the times of draw `index` without drawing those before.
    """
    key = np.array([seed & (2**_SEED_BITS - 1), index], dtype=np.uint64)
    arrivals = np.random.Generator(np.random.Philox(key=key)).standard_exponential(
        logits.shape[-1], dtype=np.float32
    )
    probabilities = logits.float().softmax(-1).cpu().numpy()
    return int(np.argmax(probabilities / np.maximum(arrivals, 1e-30)))
