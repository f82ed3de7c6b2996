"""The passes written by hand compute what the model and autograd do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from tests.training.gpt.conftest import randomized
from training.gpt.config import ModelConfig
from training.gpt.model import MiniGPT

pytest.importorskip("numba", reason="the compiled passes need numba, which is optional")

SMALL: dict[str, Any] = {
    "vocab_size": 61, "context": 160, "layers": 2, "width": 32, "heads": 2, "kv_heads": 2,
    "hidden": 48,
}  # fmt: skip


def model_of(**changes: Any) -> MiniGPT:
    return randomized(MiniGPT(ModelConfig(**{**SMALL, **changes})))


def batch(model: MiniGPT, rows: int, tokens: int) -> np.ndarray:
    draw = np.random.default_rng(0)
    return draw.integers(0, model.config.vocab_size, (rows, tokens + 1))


def by_autograd(model: MiniGPT, ids: np.ndarray) -> tuple[float, dict[str, torch.Tensor]]:
    model.zero_grad()
    rows = torch.from_numpy(ids)
    loss = model.loss(rows[:, :-1], rows[:, 1:])
    loss.backward()
    return loss.item(), gradients(model)


def gradients(model: MiniGPT) -> dict[str, torch.Tensor]:
    return {
        name: weight.grad.clone()
        for name, weight in model.named_parameters()
        if weight.grad is not None
    }


@pytest.mark.parametrize(
    ("rows", "tokens", "changes"),
    [
        (4, 64, {}),
        (3, 17, {"kv_heads": 1}),
        (2, 130, {"tied": False, "heads": 4, "kv_heads": 2, "width": 64}),
        (1, 1, {}),
        (5, 33, {"vocab_size": 40, "head_width": 16}),
    ],
)
def test_loss_and_every_gradient_are_those_of_the_model(
    rows: int, tokens: int, changes: dict[str, Any]
) -> None:
    from training.gpt.fused import FusedPasses, supports

    model = model_of(**changes)
    ids = batch(model, rows, tokens)
    expected_loss, expected = by_autograd(model, ids)
    assert supports(model)
    assert FusedPasses(model, 1)([[ids]], 1 / rows, map) == pytest.approx(expected_loss, abs=1e-5)
    for name, found in gradients(model).items():
        error = (found - expected[name]).norm() / expected[name].norm()
        assert error < 2e-5, name


def test_parts_and_pieces_add_up_to_the_whole() -> None:
    from training.gpt.fused import FusedPasses

    model = model_of()
    ids = batch(model, 5, 20)
    whole = FusedPasses(model, 1)([[ids]], 1 / 5, map)
    expected = gradients(model)
    pieces = [[ids[:1], ids[1:3]], [ids[3:]]]
    assert FusedPasses(model, 2)(pieces, 1 / 5, map) == pytest.approx(whole, rel=1e-6)
    for name, found in gradients(model).items():
        torch.testing.assert_close(found, expected[name], rtol=1e-4, atol=1e-6)


def test_changed_weights_are_seen() -> None:
    from training.gpt.fused import FusedPasses

    model = model_of()
    ids = batch(model, 2, 8)
    passes = FusedPasses(model, 1)
    passes([[ids]], 1 / 2, map)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(1.1)
    expected, _ = by_autograd(model, ids)
    assert passes([[ids]], 1 / 2, map) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    "changes",
    [
        {"positions": "learned"},
        {"norm": "layernorm"},
        {"activation": "gelu"},
        {"experts": 2},
        {"bias": True},
        {"dropout": 0.1},
        {"hidden": 50},
    ],
)
def test_what_it_does_not_know_is_left_to_autograd(changes: dict[str, Any]) -> None:
    from training.gpt.fused import supports

    assert not supports(model_of(**changes))
