"""Call a pipeline: each picture has noise of its own seed, whatever is painted beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image

Paint = Callable[[Sequence[str], Sequence[int]], "list[Image]"]  # prompts, seeds


def painted(
    pipeline: Any, prompts: Sequence[str], seeds: Sequence[int], *, steps: int, guidance: float
) -> list[Image]:
    """One picture of each prompt, as the stock pipeline paints it."""
    import torch

    found = pipeline(
        list(prompts),
        num_inference_steps=steps,
        guidance_scale=guidance,
        generator=[torch.Generator().manual_seed(seed) for seed in seeds],
    )
    images: list[Image] = found.images
    return images
