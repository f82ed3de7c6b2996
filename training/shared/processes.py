"""Several processes of one run: what they must decide alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from accelerate import Accelerator


def agreed(value: float, accelerator: Accelerator) -> float:
    """The main process's value, in every process: clocks differ, decisions must not."""
    if accelerator.num_processes == 1:
        return value
    import torch
    from accelerate.utils import broadcast

    box = torch.tensor([value], dtype=torch.float64, device=accelerator.device)
    return float(broadcast(box, from_process=0).item())
