import pytest
import torch

from tests.training.gpt.conftest import randomized, some_ids, tiny_model
from training.gpt.attention import Attention, attend, attend_fused, causal_mask


def random_heads(heads: int, tokens: int, *, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, heads, tokens, 8, generator=generator)


@pytest.mark.parametrize("kv_heads", [1, 2, 4])
@pytest.mark.parametrize(("new", "seen"), [(7, 7), (1, 7), (3, 7)])
def test_fused_operator_equals_the_written_out_formula(kv_heads, new, seen):
    queries = random_heads(4, new, seed=0)
    keys, values = random_heads(kv_heads, seen, seed=1), random_heads(kv_heads, seen, seed=2)
    mask = causal_mask(new, seen) if 1 < new < seen else None
    torch.testing.assert_close(
        attend_fused(queries, keys, values, mask),
        attend(queries, keys, values, mask),
        atol=1e-6,
        rtol=1e-5,
    )


def test_gradients_of_the_fused_operator_equal_those_of_the_formula():
    gradients = []
    for form in (attend, attend_fused):
        inputs = [random_heads(n, 6, seed=n).requires_grad_() for n in (4, 2, 1)]
        queries, keys, values = inputs[0], inputs[1], inputs[2].repeat_interleave(2, dim=1)
        form(queries, keys, values).square().sum().backward()
        gradients.append([x.grad for x in inputs])
    torch.testing.assert_close(gradients[0], gradients[1], atol=1e-5, rtol=1e-4)


def test_new_tokens_see_those_before_them():
    assert causal_mask(2, 4).isinf().tolist() == [
        [False, False, False, True],
        [False, False, False, False],
    ]


@pytest.mark.parametrize("form", [attend, attend_fused])
def test_attention_is_a_mean_of_the_values_it_may_see(form):
    generator = torch.Generator().manual_seed(0)
    queries, keys = torch.randn(2, 1, 2, 5, 4, generator=generator)
    values = torch.arange(5.0).expand(1, 2, 4, 5).mT  # value of a token: its place
    seen = form(queries, keys, values, causal_mask(5, 5))
    assert (seen[:, :, 0] == 0).all()
    for place in range(5):
        assert (seen[:, :, place] >= 0).all()
        assert (seen[:, :, place] <= place).all()


def test_multi_head_attention_equals_torchs_own():
    model = tiny_model(positions="learned", bias=True)
    ours = model.blocks[0].attention
    theirs = torch.nn.MultiheadAttention(32, 4, batch_first=True)
    theirs.load_state_dict(
        {
            "in_proj_weight": ours.qkv.weight,
            "in_proj_bias": ours.qkv.bias,
            "out_proj.weight": ours.out.weight,
            "out_proj.bias": ours.out.bias,
        }
    )
    x = torch.randn(2, 7, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        wanted, _ = theirs.eval()(x, x, x, attn_mask=causal_mask(7, 7), need_weights=False)
        torch.testing.assert_close(ours(x), wanted, atol=1e-5, rtol=1e-5)


def test_groups_as_many_as_heads_equal_multi_head_attention():
    """Grouped-query attention whose groups repeat is multi-head attention with those heads."""
    grouped, full = tiny_model(kv_heads=2), tiny_model(kv_heads=4)
    full.load_state_dict(_spread(grouped.state_dict(), heads=4, kv_heads=2, size=8))
    with torch.inference_mode():
        torch.testing.assert_close(full(some_ids()), grouped(some_ids()), atol=1e-5, rtol=1e-5)


def _spread(state, *, heads, kv_heads, size):
    """The same weights with keys and values repeated for every query head."""
    spread = dict(state)
    for name, weight in state.items():
        if ".qkv." in name:
            queries, keys, values = weight.split([heads * size, kv_heads * size, kv_heads * size])
            each = [
                x.unflatten(0, (kv_heads, size))
                .repeat_interleave(heads // kv_heads, 0)
                .flatten(0, 1)
                for x in (keys, values)
            ]
            spread[name] = torch.cat([queries, *each])
    return spread


def test_remembered_keys_and_values_come_before_the_new_ones():
    layer = randomized(Attention(32, heads=4, kv_heads=2, size=8))
    x = torch.randn(1, 6, 32, generator=torch.Generator().manual_seed(0))
    kept: list[tuple[torch.Tensor, torch.Tensor]] = []

    def remember(keys, values):
        kept.append((keys, values))
        return tuple(torch.cat(parts, dim=2) for parts in zip(*kept, strict=True))

    with torch.inference_mode():
        whole = layer(x)
        parts = [layer(x[:, :4], remember=remember)]
        parts += [layer(x[:, i : i + 1], remember=remember) for i in (4, 5)]
        torch.testing.assert_close(torch.cat(parts, dim=1), whole, atol=1e-6, rtol=1e-5)
    assert kept[0][0].shape == (1, 2, 4, 8)  # of two heads, not four
