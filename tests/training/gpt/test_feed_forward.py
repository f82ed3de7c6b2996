import pytest
import torch
from torch.nn.functional import linear

from tests.training.gpt.conftest import randomized
from training.gpt.feed_forward import FeedForward, MixtureOfExperts, gelu, relu2


def mixture_of(experts: int, *, per_token: int) -> MixtureOfExperts:
    parts = [FeedForward(32, 48, activation="swiglu", bias=False) for _ in range(experts)]
    mixture: MixtureOfExperts = randomized(MixtureOfExperts(32, parts, per_token=per_token))
    return mixture


def test_swiglu_is_its_formula():
    layer = randomized(FeedForward(6, 10, activation="swiglu", bias=True))
    x = torch.randn(3, 6, generator=torch.Generator().manual_seed(0))
    gate = linear(x, layer.gate.weight, layer.gate.bias)
    rest = linear(x, layer.up.weight, layer.up.bias)
    wanted = linear(gate * gate.sigmoid() * rest, layer.down.weight, layer.down.bias)
    torch.testing.assert_close(layer(x), wanted)


def test_other_bends_have_no_gate():
    layer = randomized(FeedForward(6, 10, activation="relu2", bias=False))
    x = torch.randn(3, 6, generator=torch.Generator().manual_seed(0))
    wanted = linear(linear(x, layer.up.weight).clamp(min=0) ** 2, layer.down.weight)
    torch.testing.assert_close(layer(x), wanted)
    assert {name for name, _ in layer.named_parameters()} == {"up.weight", "down.weight"}


def test_one_expert_equals_the_dense_feed_forward():
    mixture = mixture_of(1, per_token=1)
    dense = FeedForward(32, 48, activation="swiglu", bias=False)
    dense.load_state_dict(mixture.experts[0].state_dict())
    x = torch.randn(2, 7, 32, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(mixture(x), dense(x), atol=1e-6, rtol=1e-6)
    assert mixture.balance.item() == pytest.approx(1.0)


def test_all_experts_at_once_are_their_weighted_sum():
    mixture = mixture_of(3, per_token=3)
    x = torch.randn(2, 7, 32, generator=torch.Generator().manual_seed(0))
    weights = mixture.router(x).softmax(-1)
    wanted = sum(weights[..., i, None] * expert(x) for i, expert in enumerate(mixture.experts))
    torch.testing.assert_close(mixture(x), wanted, atol=1e-5, rtol=1e-5)


def test_an_expert_that_nobody_chose_gets_no_gradient_from_the_text():
    mixture = mixture_of(3, per_token=1)
    with torch.no_grad():
        mixture.router.weight.zero_()
        mixture.router.weight[1] = 1.0
    mixture(torch.rand(2, 5, 32)).sum().backward()
    assert mixture.experts[1].down.weight.grad.abs().sum() > 0
    for other in (0, 2):
        gradient = mixture.experts[other].down.weight.grad
        assert gradient is None or not gradient.any()


def test_balance_is_one_when_even_and_as_many_as_the_experts_when_one_takes_all():
    mixture = mixture_of(4, per_token=1)
    with torch.no_grad():
        mixture.router.weight.copy_(20 * torch.eye(4, 32))
    even = torch.eye(32)[torch.arange(8) % 4][None]  # token i asks for expert i mod 4
    mixture(even)
    assert mixture.balance.item() == pytest.approx(1.0, abs=1e-4)
    mixture(even[:, :1].expand(1, 8, 32))
    assert mixture.balance.item() == pytest.approx(4.0, abs=1e-4)


def test_balance_is_the_term_of_stock_mixtral():
    from transformers.models.mixtral.modeling_mixtral import load_balancing_loss_func

    mixture = mixture_of(4, per_token=2)
    x = torch.randn(2, 7, 32, generator=torch.Generator().manual_seed(0))
    mixture(x)
    theirs = load_balancing_loss_func((mixture.router(x.flatten(0, 1)),), 4, top_k=2)
    assert mixture.balance.item() == pytest.approx(theirs.item() / 2)  # theirs adds up the two


def test_activations_are_their_formulas():
    x = torch.linspace(-4, 4, 33)
    torch.testing.assert_close(
        gelu(x), x * torch.distributions.Normal(0, 1).cdf(x), atol=1e-3, rtol=0
    )
    torch.testing.assert_close(relu2(x), x.clamp(min=0) ** 2)
