"""The kinds of model, and of index, that tabs serve: what one is on the Hub, how it is opened.

A tab that serves a new kind of model adds a row; whatever watches, warms, pins and lists models
goes by this table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from hub_utils.cards import Metric, headline_of_card

if TYPE_CHECKING:
    from hub_utils.pull import Pulled
    from training.bert.inference import Classifier
    from training.clip.inference import Matcher
    from training.diffusion.inference import Painter
    from training.gpt.inference import TextGenerator
    from training.index.inference import SearchIndex

M = TypeVar("M")


@dataclass(frozen=True)
class Kind(Generic[M]):
    """One kind of model."""

    tab: str  # the tab that serves it; its row in the registry names the default repository
    task: str  # pipeline tag, or tag of a data set, of those that can be chosen
    open: Callable[[Pulled], M]  # a snapshot in; a model out that has answered once
    choice: str = "model.choice"  # what the list of them is called
    headline: Callable[[Path], Metric | None] = headline_of_card  # of a snapshot's folder


def _open_classifier(pulled: Pulled) -> Classifier:
    from training.bert.inference import load_pulled

    model = load_pulled(pulled)
    model.classify(["The first text pays for the warming up."])
    return model


def _open_generator(pulled: Pulled) -> TextGenerator:
    from training.gpt.inference import load_pulled

    model = load_pulled(pulled)
    for _ in model.stream("The first text pays", 8):
        pass
    return model


def _open_index(pulled: Pulled) -> SearchIndex:
    from training.index.inference import load_pulled

    index = load_pulled(pulled)
    index.search("The first query pays for the warming up.", 1)
    return index


def _open_matcher(pulled: Pulled) -> Matcher:
    from PIL import Image

    from training.clip.inference import load_pulled

    model = load_pulled(pulled)
    model.match(Image.new("RGB", (64, 64), "white"), ["The first picture pays for the warming up."])
    return model


def _open_painter(pulled: Pulled) -> Painter:
    from training.diffusion.inference import load_pulled

    model = load_pulled(pulled)
    for _ in model.paint("The first prompt pays for the warming up.", steps=1):
        pass
    return model


def _headline_of_index(folder: Path) -> Metric | None:
    """How often an index found the document that a sentence was taken from, by both kinds."""
    from hub_utils.atomic import read_json

    try:
        value = float(read_json(folder / "evaluation.json")["modes"]["hybrid"]["ndcg_at_10"])
    except (KeyError, TypeError, ValueError):
        return None  # somebody else's index: it simply has no headline
    return Metric(name="Known-item nDCG@10", type="ndcg_at_10", value=value)


CLASSIFIER: Kind[Classifier] = Kind("classify", "text-classification", _open_classifier)
GENERATOR: Kind[TextGenerator] = Kind("generate", "text-generation", _open_generator)

INDEX: Kind[SearchIndex] = Kind(
    "search", "semantic-search", _open_index, "model.choice_dataset", _headline_of_index
)

MATCHER: Kind[Matcher] = Kind("match", "zero-shot-image-classification", _open_matcher)

PAINTER: Kind[Painter] = Kind("paint", "text-to-image", _open_painter)

# In the order in which they are warmed.
KINDS: tuple[Kind[Any], ...] = (CLASSIFIER, GENERATOR, INDEX, MATCHER, PAINTER)
