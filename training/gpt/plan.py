"""What a run will do, decided before its first step: its schedule, and whether memory holds it."""

from __future__ import annotations

import os
from dataclasses import dataclass

from hub_utils.errors import SettingsError
from training.gpt.config import ModelConfig, TrainConfig

MIN_CONTEXT = 64  # tokens; the windows that a growing context starts with
MEMORY_SHARE = 0.8  # of the machine's memory that a run may plan for
FLOAT_BYTES = 4


@dataclass(frozen=True)
class Schedule:
    """What a step uses, as functions of the share of the budget used, 0 to 1."""

    warmup: float
    context: int
    first_context: int
    batch_tokens: int
    first_batch_tokens: int

    def rate(self, progress: float) -> float:
        """Factor of the peak learning rates: up over `warmup`, then a straight line down to 0."""
        if progress < self.warmup:
            return (progress + 1e-3) / (self.warmup + 1e-3)
        return (1 - progress) / (1 - self.warmup)

    def window(self, progress: float) -> int:
        """Tokens in a row: short windows first, which are cheaper and teach the nearest first."""
        if progress >= LONG_FROM:
            return self.context
        first = self.first_context * (1 if progress < DOUBLE_FROM else 2)
        return min(first, self.context)

    def rows(self, progress: float) -> int:
        """Windows in a batch: small batches first, when every step points in a new direction."""
        tokens = self.batch_tokens if progress >= LONG_FROM else self.first_batch_tokens
        return max(1, tokens // self.window(progress))


DOUBLE_FROM, LONG_FROM = 0.15, 0.4  # of the budget


def schedule_of(config: TrainConfig) -> Schedule:
    """The schedule that `config` asks for."""
    return Schedule(
        warmup=config.warmup,
        context=config.context,
        first_context=config.first_context or config.context,
        batch_tokens=config.batch_tokens,
        first_batch_tokens=config.first_batch_tokens or config.batch_tokens,
    )


def require_memory(shape: ModelConfig, *, rows: int, available: int | None = None) -> None:
    """Raises SettingsError if `rows` windows of the context cannot be trained in memory.

    available: bytes; None asks the machine.
    """
    available = available if available is not None else machine_memory()
    needed = needed_memory(shape, rows=rows)
    if needed > MEMORY_SHARE * available:
        raise SettingsError(
            f"A context of {shape.context:,} tokens needs about {needed / 2**30:,.1f} GiB to "
            f"train; this machine has {available / 2**30:,.1f} GiB.",
            hint="Use a smaller --context, --width or --layers.",
        )


def needed_memory(shape: ModelConfig, *, rows: int) -> int:
    """Bytes of a forward and backward pass: weights four times, and what backward needs kept."""
    attention = shape.width * (shape.heads + shape.kv_heads * 2) * shape.head_size
    attention += shape.heads * shape.head_size * shape.width
    feed_forward = 3 * shape.width * shape.hidden * shape.experts
    weights = shape.layers * (attention + feed_forward) + 2 * shape.vocab_size * shape.width
    kept = shape.layers * (10 * shape.width + 5 * shape.hidden * min(shape.experts, 2))
    a_token = kept + 3 * shape.vocab_size
    tables = shape.heads * shape.context**2 if shape.positions == "alibi" else 0
    return FLOAT_BYTES * (4 * weights + rows * shape.context * a_token + tables)


def machine_memory() -> int:
    """Bytes of memory: of the GPU if there is one, else of the machine or its container."""
    import torch

    if torch.cuda.is_available():
        return int(torch.cuda.mem_get_info()[1])
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
