"""A learning-rate schedule over progress, where progress may be counted in steps or in seconds.

A run that is given seconds must end with its learning rate at zero when the seconds are over, on
a fast machine and on a slow one: so the schedule is a function of the share of the budget used.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Budget:
    """What a run may use. It ends at whichever limit comes first."""

    max_steps: int  # optimizer steps
    max_seconds: float | None = None

    def progress(self, *, step: int, seconds: float) -> float:
        """Share of the budget that is used, 0 to 1."""
        used = step / self.max_steps
        if self.max_seconds is not None:
            used = max(used, seconds / self.max_seconds)
        return min(used, 1.0)

    def seconds_left(self, *, step: int, seconds: float) -> float | None:
        """How long it will go on at the pace so far; None before the first step."""
        if step == 0:
            return self.max_seconds
        by_steps = seconds / step * (self.max_steps - step)
        if self.max_seconds is None:
            return by_steps
        return max(0.0, min(by_steps, self.max_seconds - seconds))


def one_cycle(progress: float, *, warmup: float = 0.06) -> float:
    """Factor of the peak learning rate: linear up over `warmup`, then a cosine down to 0.

    progress: 0 to 1. Source: Smith & Topin 2018, https://arxiv.org/abs/1708.07120, with the
    cosine of Loshchilov & Hutter 2017, https://arxiv.org/abs/1608.03983.
    """
    if progress < warmup:
        return (progress + 1e-3) / (warmup + 1e-3)
    return 0.5 * (1 + math.cos(math.pi * (progress - warmup) / (1 - warmup)))
