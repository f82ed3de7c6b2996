import copy

import pytest
import torch

from tests.training.gpt.conftest import randomized, some_ids, tiny_config, tiny_model
from training.gpt.model import BALANCE_WEIGHT, Cache, MiniGPT, make_norm

SHAPES = {
    "rope": {},
    "learned": {"positions": "learned", "norm": "layernorm", "activation": "gelu", "bias": True},
    "sinusoidal": {"positions": "sinusoidal", "activation": "relu2", "tied": False},
    "alibi": {"positions": "alibi", "kv_heads": 2},
    "grouped": {"kv_heads": 2},
    "multi-query": {"kv_heads": 1, "positions": "learned"},
    "experts": {"experts": 4},
    "wide-heads": {"head_width": 12},
}
every_shape = pytest.mark.parametrize("shape", SHAPES)


def logits(model, ids, **more):
    with torch.inference_mode():
        return model(ids, **more)


@every_shape
def test_written_out_attention_gives_the_logits_of_the_fused_operator(shape):
    ids, fused = some_ids(), tiny_model(**SHAPES[shape])
    written = tiny_model(written_out=True, **SHAPES[shape])
    torch.testing.assert_close(logits(written, ids), logits(fused, ids), atol=1e-5, rtol=1e-5)


def test_written_out_attention_gives_the_gradients_of_the_fused_operator():
    gradients = []
    for written_out in (False, True):
        model = tiny_model(written_out=written_out, kv_heads=2)
        model.loss(some_ids(), some_ids(seed=1)).backward()
        gradients.append({name: weight.grad for name, weight in model.named_parameters()})
    for name, fused in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], fused, atol=1e-5, rtol=1e-4)


@every_shape
def test_a_later_token_leaves_earlier_logits_unchanged(shape):
    model, ids = tiny_model(**SHAPES[shape]), some_ids()
    changed = ids.clone()
    changed[:, 9] = (ids[:, 9] + 1) % 61
    before, after = logits(model, ids), logits(model, changed)
    torch.testing.assert_close(after[:, :9], before[:, :9], atol=1e-6, rtol=0)
    assert (after[:, 9:] - before[:, 9:]).abs().amax(dim=-1).min() > 1e-4


@every_shape
@pytest.mark.parametrize("cuts", [[1] * 17, [5, 1, 6, 1, 4], [17]])
def test_cached_logits_equal_uncached_ones(shape, cuts):
    model, ids = tiny_model(**SHAPES[shape]), some_ids()
    cache = Cache(model.config, batch=2)
    parts = [logits(model, part, cache=cache) for part in ids.split(cuts, dim=1)]
    torch.testing.assert_close(torch.cat(parts, dim=1), logits(model, ids), atol=1e-5, rtol=1e-5)
    assert cache.filled == 17


def test_cache_is_smaller_by_the_group_and_never_grows():
    config = tiny_config(kv_heads=1)
    cache = Cache(config, batch=3, length=10)
    assert cache.keys.shape == cache.values.shape == (2, 3, 1, 10, 8)
    memory = cache.keys.data_ptr()
    logits(tiny_model(kv_heads=1), some_ids(3, 10), cache=cache)
    assert (cache.keys.data_ptr(), cache.filled) == (memory, 10)


def test_cache_can_forget_what_came_last():
    model, ids = tiny_model(), some_ids(1, 12)
    cache = Cache(model.config)
    logits(model, some_ids(1, 12, seed=5), cache=cache)
    cache.forget()
    logits(model, ids[:, :8], cache=cache)
    logits(model, some_ids(1, 3, seed=6), cache=cache)
    cache.forget(8)
    torch.testing.assert_close(
        logits(model, ids[:, 8:], cache=cache), logits(model, ids)[:, 8:], atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize("cached", [False, True])
def test_more_tokens_than_the_context_are_refused_in_words(cached):
    model = tiny_model()
    cache = Cache(model.config) if cached else None
    if cached:
        logits(model, some_ids(1, 20), cache=cache)
    with pytest.raises(ValueError, match=r"25 tokens .* context of 24"):
        model(some_ids(1, 5 if cached else 25), cache=cache)


def test_loss_is_the_cross_entropy_and_the_balance_of_the_experts():
    ids, targets = some_ids(), some_ids(seed=1)
    for experts in (1, 4):
        model = tiny_model(experts=experts)
        entropy = torch.nn.functional.cross_entropy(
            logits(model, ids).flatten(0, 1), targets.flatten()
        )
        extra = BALANCE_WEIGHT * float(model.balance) if experts > 1 else 0.0
        assert model.loss(ids, targets).item() == pytest.approx(float(entropy) + extra, rel=1e-5)
        assert bool(extra) == (experts > 1)


@every_shape
def test_one_batch_can_be_learned_by_heart(shape):
    torch.manual_seed(0)
    model = MiniGPT(tiny_config(**SHAPES[shape]))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.0)
    ids, targets = some_ids(2, 12), some_ids(2, 12, seed=1)
    for _ in range(150):
        optimizer.zero_grad()
        loss = model.loss(ids, targets)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1


@every_shape
def test_every_weight_gets_a_gradient(shape):
    model = tiny_model(**SHAPES[shape])
    model.loss(some_ids(4, 24), some_ids(4, 24, seed=1)).backward()
    assert not [name for name, weight in model.named_parameters() if not weight.grad.any()]


@every_shape
def test_a_new_model_knows_nothing_and_its_branches_add_nothing(shape):
    model = MiniGPT(tiny_config(**SHAPES[shape])).eval()
    x = torch.randn(1, 5, 32)
    rope = (model.cosines[:5], model.sines[:5]) if model.config.positions == "rope" else None
    with torch.inference_mode():
        torch.testing.assert_close(model.blocks[1](x, rope=rope), x)
        loss = model.loss(some_ids(4, 24), some_ids(4, 24, seed=1)) - BALANCE_WEIGHT * model.balance
    uniform = torch.log(torch.tensor(61.0))
    assert abs(loss - uniform) < 0.1


@pytest.mark.parametrize("norm", ["rmsnorm", "layernorm"])
def test_norms_are_their_formulas(norm):
    layer = randomized(make_norm(norm, 32, eps=1e-5, bias=True))
    x = torch.randn(3, 32, generator=torch.Generator().manual_seed(0)) + 1
    centered = x - x.mean(-1, keepdim=True) if norm == "layernorm" else x
    wanted = centered / (centered.square().mean(-1, keepdim=True) + 1e-5).sqrt() * layer.weight
    wanted = wanted + layer.bias if norm == "layernorm" else wanted
    torch.testing.assert_close(layer(x), wanted)


def test_tied_head_is_the_embedding():
    tied, untied = tiny_model(), tiny_model(tied=False)
    assert tied.head.weight is tied.embedding.weight
    count = lambda model: sum(p.numel() for p in model.parameters())  # noqa: E731
    assert count(untied) - count(tied) == 61 * 32


def test_dropout_acts_in_training_only():
    model, ids = tiny_model(dropout=0.5), some_ids()
    torch.testing.assert_close(logits(model, ids), logits(model, ids))
    model.train()
    assert not torch.equal(logits(model, ids), logits(model, ids))


def test_logits_are_float32_whatever_the_weights_are():
    model = tiny_model().bfloat16()
    assert logits(model, some_ids()).dtype == torch.float32
    with torch.autocast("cpu", torch.bfloat16):
        assert logits(tiny_model(), some_ids()).dtype == torch.float32


def test_autocast_stays_near_float32():
    model, ids = tiny_model(experts=4), some_ids()
    with torch.autocast("cpu", torch.bfloat16):
        model.loss(ids, ids).backward()  # every product has a gradient in it
        half = logits(tiny_model(), ids)
    full = logits(tiny_model(), ids)
    assert (half - full).abs().mean() < 0.1 * full.std()


def test_tables_are_not_saved():
    for positions in ("rope", "alibi", "sinusoidal"):
        model = tiny_model(positions=positions)
        assert set(model.state_dict()) == {*dict(model.named_parameters()), "head.weight"}


def test_model_can_be_copied_after_a_step():
    model = tiny_model(experts=4)
    model.loss(some_ids(), some_ids()).backward()
    twin = copy.deepcopy(model)
    torch.testing.assert_close(logits(twin, some_ids()), logits(model, some_ids()))
