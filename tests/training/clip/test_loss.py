"""The loss against the written-out formulas; recalls on vectors whose ranks are known."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from training.clip.evaluate import retrieval
from training.clip.train import LIKENESS_SCALE, contrastive_loss

SCALE = 7.0


def unit(*shape: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return functional.normalize(torch.randn(*shape, generator=generator), dim=-1)


def given(batch: int = 4, groups: int = 6) -> dict[str, torch.Tensor]:
    return {
        "pictures": unit(batch, 8, seed=1),
        "texts": unit(batch, 8, seed=2),
        "bank": unit(groups, 8, seed=3),
        "own": torch.tensor([5, 0, 2, 3])[:batch],
        "scale": torch.tensor(math.log(SCALE)),
    }


@pytest.mark.parametrize("soften", [0.0, 0.4])
def test_softmax_loss_is_the_written_out_one(soften: float) -> None:
    made = given()
    pictures, texts, bank, own = (made[name] for name in ("pictures", "texts", "bank", "own"))
    total = 0.0
    for row in range(4):
        against = [float(pictures[row] @ text) for text in bank]
        against[own[row]] = float(pictures[row] @ texts[row])
        like = [float(texts[row] @ text) for text in bank]
        like[own[row]] = 1.0
        below = sum(math.exp(LIKENESS_SCALE * value) for value in like)
        wanted = [soften * math.exp(LIKENESS_SCALE * value) / below for value in like]
        wanted[own[row]] += 1 - soften
        whole = math.log(sum(math.exp(SCALE * value) for value in against))
        total -= sum(w * (SCALE * value - whole) for w, value in zip(wanted, against, strict=True))
        others = [math.exp(SCALE * float(texts[row] @ picture)) for picture in pictures]
        total -= SCALE * float(texts[row] @ pictures[row]) - math.log(sum(others))
    assert float(contrastive_loss(**made, soften=soften)) == pytest.approx(total / 8, abs=1e-5)


def test_sigmoid_loss_is_the_written_out_one() -> None:
    made = given()
    pictures, texts, bank, own = (made[name] for name in ("pictures", "texts", "bank", "own"))
    total = 0.0
    for row in range(4):
        for group in range(6):
            mine = group == own[row]
            value = float(pictures[row] @ (texts[row] if mine else bank[group]))
            logit = SCALE * value - 3.0
            total += math.log1p(math.exp(-logit if mine else logit))
    loss = contrastive_loss(**made, bias=torch.tensor(-3.0))
    assert float(loss) == pytest.approx(total / 4, abs=1e-5)


def test_the_loss_falls_where_pictures_are_their_texts() -> None:
    made = given()
    right = contrastive_loss(**{**made, "pictures": made["texts"]})
    assert float(right) < float(contrastive_loss(**made))


def test_recalls_count_ranks_and_ties_against_the_model() -> None:
    texts = torch.eye(12)
    found = retrieval(texts, texts, range(12), collection=texts, learned=texts[:6])
    assert found.text_to_image == found.text_to_image_by_cosine == {1: 1.0, 10: 1.0}
    assert found.chance == {1: pytest.approx(1 / 12), 10: pytest.approx(10 / 12)}
    same = torch.ones(12, 3) / math.sqrt(3)
    assert retrieval(same, same, range(12), collection=same, learned=same).text_to_image == {
        1: 0.0,
        10: 0.0,
    }
    turned = texts.roll(1, 0)
    assert (
        retrieval(texts, turned, [0, 1], collection=turned, learned=texts).image_to_text[1] == 0.0
    )


def test_both_rankings_of_a_collection_are_measured() -> None:
    learned = functional.normalize(torch.tensor([[1.0, 0, 0]]), dim=1)
    pictures = functional.normalize(torch.tensor([[1, 0.1, 0], [0.7, 0, 1]]), dim=1)
    texts = functional.normalize(torch.tensor([[1, 0, 0], [1, 0, 0.3]]), dim=1)
    found = retrieval(texts, pictures, [1], collection=pictures, learned=learned)
    assert found.text_to_image_by_cosine[1] == 0.0
    assert found.text_to_image[1] == 1.0
