"""How well texts and pictures find each other, beside chance and an image tower never trained.

Legend: n pictures of the collection, q queries, d dimension.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from training.clip import model as towers
from training.clip.augment import prepared, sized
from training.clip.hubness import familiarity, ranked
from training.shared.captioned import PictureCorpus, Pictures

TEMPLATE = "an emoji of the group {}"
KS = (1, 10)


@dataclass(frozen=True)
class Retrieval:
    """Shares of queries whose own counterpart is among the first k."""

    text_to_image: dict[int, float]  # ranked as the collection is searched
    text_to_image_by_cosine: dict[int, float]
    image_to_text: dict[int, float]
    queries: int
    collection: int

    @property
    def chance(self) -> dict[int, float]:
        """The same for a guess."""
        return {k: min(1.0, k / self.collection) for k in KS}


@dataclass(frozen=True)
class Evaluation:
    """All figures of a model. The collection: one picture of each group, both parts."""

    held_out: Retrieval  # queries never seen in training
    train: Retrieval  # queries of the training part, same collection
    control: Retrieval  # held_out, by an image tower with random weights
    zero_shot: float  # accuracy over the categories, of the held-out groups
    zero_shot_chance: float
    zero_shot_control: float
    categories: tuple[str, ...]


def evaluate(
    model: Any, tokenizer: Any, corpus: PictureCorpus, *, learned: Tensor, untrained: Any
) -> Evaluation:
    """Measure `model`. untrained: the same with the image tower's first weights.

    learned: (m, d) vectors of the captions that it learned, see hubness.
    """
    one, two = _bases(corpus.train), _bases(corpus.held_out)
    whole = PictureCorpus(one, two, "", None, "").all
    texts = towers.text_vectors(model, tokenizer, [captions[0] for captions in whole.captions])
    rgba = sized(torch.from_numpy(whole.rgba), int(model.visual.image_size[0]))
    pictures, both = prepared(rgba), (model, untrained)
    vectors, random = (towers.image_vectors(network, pictures) for network in both)
    ours, theirs = (towers.collection_vectors(network, rgba) for network in both)
    seen, unseen = list(range(len(one))), list(range(len(one), len(whole)))
    names = tuple(sorted({name for name in whole.categories if name}))
    held_out_names = [whole.categories[row] for row in unseen]
    accuracy = zero_shot(model, tokenizer, vectors[unseen], names, held_out_names)
    control = zero_shot(model, tokenizer, random[unseen], names, held_out_names)
    return Evaluation(
        held_out=retrieval(texts, vectors, unseen, collection=ours, learned=learned),
        train=retrieval(texts, vectors, seen, collection=ours, learned=learned),
        control=retrieval(texts, random, unseen, collection=theirs, learned=learned),
        zero_shot=accuracy,
        zero_shot_chance=1 / len(names) if names else 0.0,
        zero_shot_control=control,
        categories=names,
    )


def retrieval(
    texts: Tensor, pictures: Tensor, queries: Sequence[int], *, collection: Tensor, learned: Tensor
) -> Retrieval:
    """Of (n, d) texts and pictures, row by row a pair; the rows that are asked for.

    collection: (n, d) vectors by which the pictures are found; learned: (m, d) captions.
    """
    rows = torch.tensor(list(queries))
    similarity = texts @ pictures.T  # (n, n)
    familiar = familiarity(collection.numpy(), learned.numpy())
    found = torch.from_numpy(ranked((texts @ collection.T).numpy(), familiar))
    return Retrieval(
        _recalls(found[rows], rows),
        _recalls(similarity[rows], rows),
        _recalls(similarity.T[rows], rows),
        len(rows),
        len(pictures),
    )


def zero_shot(
    model: Any,
    tokenizer: Any,
    pictures: Tensor,
    names: Sequence[str],
    true: Sequence[str],
    *,
    template: str = TEMPLATE,
) -> float:
    """Share of (q, d) pictures whose nearest name is the true one; 0 where there are no names."""
    if not names:
        return 0.0
    texts = towers.text_vectors(model, tokenizer, [template.format(name) for name in names])
    found = (pictures @ texts.T).argmax(1).tolist()
    right = sum(names[f] == t for f, t in zip(found, true, strict=True))
    return float(right) / max(1, len(true))


def _bases(pictures: Pictures) -> Pictures:
    return pictures.take(pictures.firsts())


def _recalls(similarity: Tensor, own: Tensor) -> dict[int, float]:
    """Of (q, n): how often column `own` is among the k highest; ties count against it."""
    value = similarity.gather(1, own[:, None])
    rank = (similarity >= value).sum(1) - 1  # (q,)
    return {k: float((rank < k).float().mean()) for k in KS}
