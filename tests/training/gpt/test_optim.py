import pytest
import torch

from tests.training.gpt.conftest import some_ids, tiny_config, tiny_model
from training.gpt.config import TrainConfig
from training.gpt.model import MiniGPT
from training.gpt.optim import Optimizer, matrices, orthogonalized


@pytest.mark.parametrize("shape", [(3, 16, 48), (3, 48, 16), (3, 16, 16)])
def test_singular_values_come_near_one_and_directions_stay(shape):
    torch.manual_seed(0)
    given = torch.randn(shape)
    u, _, v = torch.linalg.svd(given, full_matrices=False)
    polar = u @ v
    torch.testing.assert_close(orthogonalized(given, iterations=5), polar, atol=0.1, rtol=0)
    values = torch.linalg.svdvals(orthogonalized(given))
    assert values.min() > 0.1
    assert values.max() < 2


def test_matrices_of_the_blocks_go_to_muon_in_their_parts():
    model = tiny_model(heads=4, kv_heads=2)
    shapes = [part.shape for part in matrices(model)]
    one = [(32, 32), (16, 32), (16, 32), (32, 32), (48, 32), (48, 32), (32, 48)]
    assert sorted(shapes) == sorted(one * 2)
    weights = {id(part.weight) for part in matrices(model)}
    assert id(model.embedding.weight) not in weights


def test_experts_have_matrices_of_their_own():
    model = tiny_model(experts=2)
    assert len(list(matrices(model))) == 2 * (4 + 2 * 3)


def loss_after(steps, **settings):
    torch.manual_seed(0)
    model = MiniGPT(tiny_config())
    optimizer = Optimizer(model, TrainConfig(**settings))
    ids = some_ids(4, 20)
    for _ in range(steps):
        model.zero_grad()
        loss = model.loss(ids[:, :-1], ids[:, 1:])
        loss.backward()
        optimizer.step(1.0)
    return float(loss.detach())


@pytest.mark.parametrize(
    "settings", [{"optimizer": "muon"}, {"optimizer": "adamw", "learning_rate": 0.01}]
)
def test_one_batch_can_be_learned_by_heart(settings):
    assert loss_after(60, **settings) < 0.05


def test_a_factor_of_zero_changes_nothing():
    model = tiny_model()
    optimizer = Optimizer(model, TrainConfig(weight_decay=0.1))
    before = {name: weight.clone() for name, weight in model.named_parameters()}
    ids = some_ids()
    model.loss(ids[:, :-1], ids[:, 1:]).backward()
    optimizer.step(0.0)
    for name, weight in model.named_parameters():
        assert torch.equal(weight, before[name]), name


def test_a_restored_optimizer_takes_the_same_steps():
    ids = some_ids()
    models = [tiny_model(), tiny_model()]
    first, second = (Optimizer(model, TrainConfig()) for model in models)

    def step(model, optimizer):
        model.zero_grad()
        model.loss(ids[:, :-1], ids[:, 1:]).backward()
        optimizer.step(0.5)

    step(models[0], first)
    models[1].load_state_dict(models[0].state_dict())
    second.restore({name: value.clone() for name, value in first.tensors().items()})
    for model, optimizer in zip(models, (first, second), strict=True):
        step(model, optimizer)
    for ours, theirs in zip(models[0].parameters(), models[1].parameters(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("shape", [(32, 32), (48, 16), (16, 48), (20, 33)])
def test_the_compiled_step_is_the_plain_one(shape):
    pytest.importorskip("numba", reason="the compiled step needs numba, which is optional")
    from concurrent.futures import ThreadPoolExecutor

    from training.gpt import optim

    def stepped(pool):
        torch.manual_seed(0)
        weight = torch.nn.Parameter(torch.randn(shape))
        part = optim.Part(weight, 0, shape[0])
        optimizer = Optimizer(tiny_model(), TrainConfig(weight_decay=0.1), pool=pool)
        optimizer._groups = [optim.Group((part,), torch.zeros(1, *shape))]
        optimizer._compiled = optim._compiled_step(optimizer._groups) if pool else None
        for _ in range(3):
            weight.grad = torch.randn(shape)
            optimizer._step(optimizer._groups[0], 0.5)
        return weight.detach()

    with ThreadPoolExecutor(1) as pool:
        torch.testing.assert_close(stepped(pool), stepped(None), atol=2e-5, rtol=1e-4)
