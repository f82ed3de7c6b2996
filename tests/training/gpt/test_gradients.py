import numpy as np
import pytest
import torch
from accelerate import Accelerator

from tests.training.gpt.conftest import some_ids, tiny_model
from training.gpt import gradients
from training.gpt.config import TrainConfig
from training.gpt.gradients import Backward
from training.shared.device import Hardware

HARDWARE = Hardware("cpu", False, 1.0, 1.0, "a machine of the tests")


def gradients_of(rows, *, cores, monkeypatch, piece=gradients.PIECE_TOKENS, **settings):
    monkeypatch.setattr(gradients, "cores", lambda: cores)
    monkeypatch.setattr(gradients, "PIECE_TOKENS", piece)
    model = tiny_model().train()
    backward = Backward(
        model, TrainConfig(**settings), hardware=HARDWARE, accelerator=Accelerator(cpu=True)
    )
    loss = backward(rows)
    threaded = backward.pool is not None
    backward.close()
    return threaded, loss, [weight.grad for weight in model.parameters()]


@pytest.fixture
def rows():
    return some_ids(7, 21).numpy().astype(np.uint16)


def test_threads_and_pieces_give_the_gradients_of_one_pass(rows, monkeypatch):
    threaded, loss, together = gradients_of(rows, cores=3, piece=40, monkeypatch=monkeypatch)
    assert threaded
    model = tiny_model()
    ids = torch.from_numpy(rows.astype(np.int64))
    expected = model.loss(ids[:, :-1], ids[:, 1:])
    expected.backward()
    assert loss == pytest.approx(float(expected.detach()), abs=1e-5)
    for ours, weight in zip(together, model.parameters(), strict=True):
        torch.testing.assert_close(ours, weight.grad, atol=1e-6, rtol=1e-4)


def test_the_same_rows_give_the_same_bits_whatever_the_timing(rows, monkeypatch):
    first = gradients_of(rows, cores=3, monkeypatch=monkeypatch)
    for _ in range(4):
        again = gradients_of(rows, cores=3, monkeypatch=monkeypatch)
        assert again[1] == first[1]
        assert all(torch.equal(a, b) for a, b in zip(again[2], first[2], strict=True))


def test_fewer_rows_than_cores_are_enough(rows, monkeypatch):
    threaded, _, few = gradients_of(rows[:2], cores=4, monkeypatch=monkeypatch)
    _, _, single = gradients_of(rows[:2], cores=1, monkeypatch=monkeypatch)
    assert threaded
    for ours, theirs in zip(few, single, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-4)


def test_with_dropout_no_threads_race_for_random_numbers(rows, monkeypatch):
    threaded, _, _ = gradients_of(rows, cores=3, monkeypatch=monkeypatch, dropout=0.1)
    assert not threaded


def test_the_gradients_of_the_step_before_are_gone(rows, monkeypatch):
    monkeypatch.setattr(gradients, "cores", lambda: 2)
    model = tiny_model().train()
    backward = Backward(model, TrainConfig(), hardware=HARDWARE, accelerator=Accelerator(cpu=True))
    backward(rows)
    first = [weight.grad.clone() for weight in model.parameters()]
    backward(rows)
    for before, weight in zip(first, model.parameters(), strict=True):
        assert torch.equal(before, weight.grad)
    backward.close()
