"""Tiny models with weights large enough for differences to show."""

from __future__ import annotations

from typing import Any

import torch

from training.gpt.config import ModelConfig
from training.gpt.model import MiniGPT

TINY = ModelConfig(vocab_size=61, context=24, layers=2, width=32, heads=4, kv_heads=4, hidden=48)


def tiny_config(**changes: Any) -> ModelConfig:
    """Two layers of width 32, with `changes`."""
    from dataclasses import replace

    return replace(TINY, **changes)


def randomized(model: torch.nn.Module, *, seed: int = 0) -> Any:
    """`model` with every parameter drawn anew: no zeros or ones hide a mistake."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            center = 1.0 if "norm" in name and name.endswith("weight") else 0.0
            parameter.normal_(center, 0.2, generator=generator)
    return model.eval()


def tiny_model(*, seed: int = 0, written_out: bool = False, **changes: Any) -> MiniGPT:
    """A MiniGPT of `tiny_config(**changes)` with random weights."""
    model: MiniGPT = randomized(MiniGPT(tiny_config(**changes), written_out=written_out), seed=seed)
    return model


def some_ids(batch: int = 2, length: int = 17, *, seed: int = 0, vocab: int = 61) -> torch.Tensor:
    """(batch, length) random tokens."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, vocab, (batch, length), generator=generator)
