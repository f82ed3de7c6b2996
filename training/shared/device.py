"""Ask the hardware: which device, and is bfloat16 really faster here?

A CPU without AMX or AVX512-BF16 computes bfloat16 products several times slower than float32, and
its flags do not always tell. So a small product is timed in both; it takes some 20 milliseconds.

The answer must not depend on who else computes at that moment: a wrong one costs a whole run two
thirds of its speed. So one thread computes, since two of which one waits for its core look slow,
and the formats take turns, so that what interrupts does not fall upon one of them alone.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

# Below this gain casting back and forth eats what the faster product wins.
MIN_GAIN = 1.3
ROUNDS = 10  # of a product in each format, in turns


@dataclass(frozen=True)
class Hardware:
    """What a run computes on."""

    device: str  # "cpu" or "cuda"
    bfloat16: bool  # products in bfloat16 are faster than in float32
    float32_gflops: float  # of one core, or of the GPU
    bfloat16_gflops: float
    name: str  # for the card: "AMD EPYC, 2 cores, 24 GiB"

    @property
    def dtype(self) -> torch.dtype:
        """The number format of matrix products."""
        import torch

        return torch.bfloat16 if self.bfloat16 else torch.float32


@lru_cache(maxsize=1)
def probe() -> Hardware:
    """Measure this machine once per process."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    with one_thread_each():
        single, half = _gflops(device, (torch.float32, torch.bfloat16))
    return Hardware(
        device=device,
        bfloat16=half > MIN_GAIN * single,
        float32_gflops=single,
        bfloat16_gflops=half,
        name=_describe(device),
    )


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Inside, torch's operators use one thread: for callers that bring their own threads.

    Two workers with one thread each do more than one with two: nobody waits at the end of every
    small operator.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _gflops(
    device: str, dtypes: Sequence[torch.dtype], *, rows: int = 256, width: int = 512
) -> list[float]:
    """Speed of a (rows, width) @ (width, width) product in each format.

    In 1e9 operations a second; the best of ROUNDS.
    """
    import torch

    left, right = torch.ones(rows, width, device=device), torch.ones(width, width, device=device)
    pairs = [(left.to(dtype), right.to(dtype)) for dtype in dtypes]
    rounds = [[_seconds(*pair) for pair in pairs] for _ in range(ROUNDS)]
    return [2 * rows * width * width / min(seconds) / 1e9 for seconds in zip(*rounds, strict=True)]


def _seconds(left: torch.Tensor, right: torch.Tensor) -> float:
    import torch

    start = time.perf_counter()
    left @ right
    if left.is_cuda:
        torch.cuda.synchronize()
    return max(time.perf_counter() - start, 1e-9)


def _describe(device: str) -> str:
    import torch

    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    machine = f"{_processor()}, {cores()} cores, {gib:.0f} GiB"
    return f"{torch.cuda.get_device_name()}; {machine}" if device == "cuda" else machine


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
