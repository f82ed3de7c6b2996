"""Randomness that is an argument, and that a checkpoint can carry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import torch


def seed_everything(seed: int) -> np.random.Generator:
    """Seed torch (weights, dropout) and return a generator for the order of the data."""
    import numpy as np
    import torch

    torch.manual_seed(seed)
    return np.random.default_rng(seed)


def generator_state(generator: np.random.Generator) -> dict[str, Any]:
    """The state of a data-order generator as JSON-ready numbers."""
    return dict(generator.bit_generator.state)


def restore_generator(state: dict[str, Any]) -> np.random.Generator:
    """A generator that goes on from a state taken by `generator_state`."""
    import numpy as np

    generator = np.random.default_rng()
    generator.bit_generator.state = state
    return generator


def torch_states() -> dict[str, torch.Tensor]:
    """The states of torch's own generators, by a name that a checkpoint can use."""
    import torch

    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    return states


def restore_torch(states: dict[str, torch.Tensor]) -> None:
    """Put torch's generators back to `states`."""
    import torch

    torch.set_rng_state(states["cpu"].cpu())
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"].cpu())
