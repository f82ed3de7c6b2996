"""One worker a core: many independent pieces of work, each with one-threaded operators.

Two workers with one thread each do more than one with two: nobody waits at the end of every small
operator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from training.shared.device import cores, one_thread_each

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_on_cores(
    run: Callable[[Item], Result], items: Sequence[Item], *, device: str
) -> Iterator[Result]:
    """`run` of every item, in their order; on a CPU several at a time, on "cuda" one by one."""
    workers = 1 if device == "cuda" else min(cores(), len(items))
    if workers <= 1:
        yield from map(run, items)
        return
    with one_thread_each(), ThreadPoolExecutor(workers, initializer=_one_thread) as pool:
        yield from pool.map(run, items)


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)
