"""Serve models on ZeroGPU, where a GPU is there only inside a decorated function.

Such a function runs in a process forked for the call: what goes in and comes out is pickled, and
what the page loads later is not there. So the page holds a stand-in that knows the model's folder,
and the function opens the model on the GPU, once a process; at this size that takes a moment.

Classifying, writing and painting run on the GPU. Searching and matching answer on the CPU in less
time than the queue for a GPU takes, and cost nobody's quota; in the page's own process CUDA only
seems to be there, so everything opened there is opened on the CPU by name.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

from hub_utils.errors import LabError
from hub_utils.pull import Pulled

GPU_SECONDS = 20  # asked for a call; the less, the sooner it gets its turn
STREAM_SECONDS = 60  # for a text of a thousand tokens
KEPT = 2  # models a process keeps open


class ClassifierOnGpu:
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
        return _answer(self._run(self._folder, method, *arguments))


class GeneratorOnGpu:
    """Looks like a text generator; every text is made in the decorated function."""

    def __init__(self, run: Callable[..., Iterator[Any]], folder: Path) -> None:
        self._run, self._folder = run, folder

    @property
    def context(self) -> int:
        """How many tokens the model sees at once."""
        config = json.loads((self._folder / "config.json").read_text("utf-8"))
        return int(config.get("max_position_embeddings") or config["n_positions"])

    def stream(self, prompt: str, max_new_tokens: int, **options: Any) -> StreamFromGpu:
        """Steps, as they are made."""
        return StreamFromGpu(self._run(str(self._folder), prompt, max_new_tokens, options))


class PainterOnGpu:
    """A painter whose steps are made in the decorated function; what it only says, it says here."""

    def __init__(self, call: Callable[..., Any], paint: Callable[..., Any], pulled: Pulled) -> None:
        self._call, self._paint, self._folder = call, paint, str(pulled.folder)
        self._here = _inference("diffusion").load_pulled(pulled, device="cpu")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._here, name)

    def paint(self, *arguments: Any, **options: Any) -> Iterator[Any]:
        """A stage after each step."""
        for came in self._paint(self._folder, arguments, options):
            yield _answer(came)

    def interpolate(self, *arguments: Any, **options: Any) -> Any:
        """Pictures from one prompt to another."""
        return _answer(self._call(self._folder, arguments, options))


class StreamFromGpu(Iterator[Any]):
    """What the decorated function sends: how much of the prompt was cut, then the steps."""

    def __init__(self, answers: Iterator[Any]) -> None:
        self._answers: Any = answers
        self.cut: int = _answer(next(answers))

    def __next__(self) -> Any:
        return _answer(next(self._answers))

    def close(self) -> None:
        """End it."""
        self._answers.close()


def openers(gpu: Callable[..., Any]) -> dict[str, Callable[[Pulled], Any]]:
    """By tab: opens models on what `gpu`, the decorator of the package `spaces`, provides."""
    run, run_stream = gpu(duration=GPU_SECONDS)(call), gpu(duration=STREAM_SECONDS)(stream)
    blend, run_paint = gpu(duration=GPU_SECONDS)(interpolate), gpu(duration=GPU_SECONDS)(paint)
    return {
        "classify": lambda pulled: ClassifierOnGpu(run, pulled.folder),
        "generate": lambda pulled: GeneratorOnGpu(run_stream, pulled.folder),
        "search": lambda pulled: _inference("index").load_pulled(pulled, device="cpu"),
        "match": lambda pulled: _inference("clip").load_pulled(pulled, device="cpu"),
        "paint": lambda pulled: PainterOnGpu(blend, run_paint, pulled),
    }


def call(folder: str, method: str, *arguments: Any) -> tuple[Any, str, str]:
    """(answer, "", "") or (None, sentence, hint): our errors do not survive the way back."""
    return next(_sent(lambda: [getattr(_opened("bert", folder), method)(*arguments)]))


def stream(
    folder: str, prompt: str, max_new_tokens: int, options: dict[str, Any]
) -> Iterator[tuple[Any, str, str]]:
    """How many tokens of the prompt were cut, then every step, each as `call` answers."""

    def made() -> Iterator[Any]:
        steps = _opened("gpt", folder).stream(prompt, max_new_tokens, **options)
        yield steps.cut
        yield from steps

    yield from _sent(made)


def paint(
    folder: str, arguments: tuple[Any, ...], options: dict[str, Any]
) -> Iterator[tuple[Any, str, str]]:
    """Every stage, each as `call` answers."""
    yield from _sent(lambda: _opened("diffusion", folder).paint(*arguments, **options))


def interpolate(
    folder: str, arguments: tuple[Any, ...], options: dict[str, Any]
) -> tuple[Any, str, str]:
    """The pictures between two prompts, as `call` answers."""
    return next(_sent(lambda: [_opened("diffusion", folder).interpolate(*arguments, **options)]))


def _sent(work: Callable[[], Iterable[Any]]) -> Iterator[tuple[Any, str, str]]:
    try:
        for item in work():
            yield item, "", ""
    except LabError as error:
        yield None, str(error), error.hint


def _answer(came: tuple[Any, str, str]) -> Any:
    answer, said, hint = came
    if said:
        raise LabError(said, hint=hint)
    return answer


@lru_cache(maxsize=KEPT)
def _opened(recipe: str, folder: str) -> Any:
    return _inference(recipe).load(folder)


def _inference(recipe: str) -> Any:
    return import_module(f"training.{recipe}.inference")
