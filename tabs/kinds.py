"""The kinds of model that tabs serve: what one is on the Hub, and how it is opened.

A tab that serves a new kind of model adds a row; whatever watches, warms, pins and lists models
goes by this table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from training.bert.inference import Classifier
    from training.gpt.inference import TextGenerator

M = TypeVar("M")


@dataclass(frozen=True)
class Kind(Generic[M]):
    """One kind of model."""

    tab: str  # the tab that serves it; its row in the registry names the default repository
    task: str  # pipeline tag of the models that can be chosen
    open: Callable[[Path], M]  # a folder in; a model out that has answered once


def _open_classifier(folder: Path) -> Classifier:
    from training.bert.inference import load

    model = load(folder)
    model.classify(["The first text pays for the warming up."])
    return model


def _open_generator(folder: Path) -> TextGenerator:
    from training.gpt.inference import load

    model = load(folder)
    for _ in model.stream("The first text pays", 8):
        pass
    return model


CLASSIFIER: Kind[Classifier] = Kind("classify", "text-classification", _open_classifier)
GENERATOR: Kind[TextGenerator] = Kind("generate", "text-generation", _open_generator)

KINDS: tuple[Kind[Any], ...] = (CLASSIFIER, GENERATOR)  # in the order in which they are warmed
