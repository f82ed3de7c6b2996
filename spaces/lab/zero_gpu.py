"""Serve a classifier on ZeroGPU, where a GPU is there only inside a decorated function.

Such a function runs in a process forked for the call: what goes in and comes out is pickled, and
what the page loads later is not there. So the page holds a stand-in that knows the model's folder,
and the function opens the model on the GPU, once a process; at this size that takes a moment.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from hub_utils.errors import LabError

GPU_SECONDS = 20  # asked for a call; the less, the sooner it gets its turn
KEPT = 2  # models a process keeps open


class OnGpu:
    """Looks like a classifier; every call runs in the decorated function."""

    def __init__(self, run: Callable[..., Any], folder: Path) -> None:
        self._run, self._folder = run, str(folder)

    def classify(self, texts: Sequence[str]) -> list[dict[str, float]]:
        """Probability of every label for each text, highest first."""
        return self._call("classify", list(texts))

    def attribute(self, text: str, label: str | None = None) -> list[tuple[str, float]]:
        """Words of `text` with what each did for `label`."""
        return self._call("attribute", text, label)

    def _call(self, method: str, *arguments: Any) -> Any:
        answer, said, hint = self._run(self._folder, method, *arguments)
        if said:
            raise LabError(said, hint=hint)
        return answer


def opener(gpu: Callable[..., Any]) -> Callable[[Path], OnGpu]:
    """Opens classifiers on what `gpu`, the decorator of the package `spaces`, provides."""
    run = gpu(duration=GPU_SECONDS)(call)
    return lambda folder: OnGpu(run, folder)


def call(folder: str, method: str, *arguments: Any) -> tuple[Any, str, str]:
    """(answer, "", "") or (None, sentence, hint): our errors do not survive the way back."""
    try:
        return getattr(_opened(folder), method)(*arguments), "", ""
    except LabError as error:
        return None, str(error), error.hint


@lru_cache(maxsize=KEPT)
def _opened(folder: str) -> Any:
    from training.bert.inference import load

    return load(folder)
