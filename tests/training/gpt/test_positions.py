import math

import pytest
import torch

from tests.training.gpt.conftest import some_ids, tiny_model
from training.gpt.attention import causal_mask
from training.gpt.positions import alibi_bias, alibi_slopes, rope_tables, rotate, sinusoidal_table


def test_rope_scores_depend_on_the_relative_distance_only():
    size, context = 8, 50
    cosines, sines = rope_tables(context, size)
    query, key = torch.randn(2, size, generator=torch.Generator().manual_seed(0))

    def score(at: int, to: int) -> float:
        turned = rotate(query, cosines[at], sines[at])
        return float(turned @ rotate(key, cosines[to], sines[to]))

    for distance in (0, 1, 7):
        scores = [score(at, at - distance) for at in range(distance, context)]
        assert max(scores) - min(scores) < 1e-5
    assert abs(score(9, 9) - score(9, 2)) > 1e-2


def test_rope_keeps_lengths_and_leaves_the_first_place_alone():
    cosines, sines = rope_tables(20, 6)
    x = torch.randn(20, 6, generator=torch.Generator().manual_seed(0))
    turned = rotate(x, cosines, sines)
    torch.testing.assert_close(turned.norm(dim=-1), x.norm(dim=-1))
    torch.testing.assert_close(turned[0], x[0])


def test_rope_turns_each_pair_by_its_angle():
    theta, place, size = 100.0, 3, 4
    cosines, sines = rope_tables(place + 1, size, theta)
    x = torch.tensor([1.0, 0.0, 0.0, 1.0])  # pairs (x0, x2) and (x1, x3)
    fast, slow = place * theta**0, place * theta ** (-2 / size)
    wanted = [math.cos(fast), -math.sin(slow), math.sin(fast), math.cos(slow)]
    torch.testing.assert_close(rotate(x, cosines[place], sines[place]), torch.tensor(wanted))


def test_rope_tables_are_those_of_the_stock_llama():
    from transformers import LlamaConfig
    from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

    config = LlamaConfig(hidden_size=32, num_attention_heads=4, max_position_embeddings=30)
    cosines, sines = LlamaRotaryEmbedding(config)(torch.zeros(1), torch.arange(30)[None])
    ours = rope_tables(30, 8)
    stock = tuple(table[0, :, :4] for table in (cosines, sines))  # there each stands twice
    torch.testing.assert_close(ours, stock, atol=0, rtol=0)


def test_rope_keeps_the_number_format():
    tables = rope_tables(5, 4)
    assert rotate(torch.ones(5, 4, dtype=torch.bfloat16), *tables).dtype == torch.bfloat16


def test_rope_gradient_equals_the_numerical_one():
    tables = tuple(table.double() for table in rope_tables(3, 4))
    x = torch.randn(1, 2, 3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: rotate(x, *tables), x)


@pytest.mark.parametrize(
    ("heads", "slopes"),
    [
        (1, [2**-8]),
        (4, [2**-2, 2**-4, 2**-6, 2**-8]),
        (8, [2**-i for i in range(1, 9)]),
        # 6 heads: those of 4, then the first and third of 8
        (6, [2**-2, 2**-4, 2**-6, 2**-8, 2**-1, 2**-3]),
    ],
)
def test_alibi_slopes_are_the_papers(heads, slopes):
    assert alibi_slopes(heads).tolist() == slopes


def test_alibi_penalty_grows_in_a_line_with_the_distance_and_hides_the_future():
    bias, slopes = alibi_bias(4, 10), alibi_slopes(4)
    for head in range(4):
        for at in range(10):
            for to in range(10):
                wanted = -math.inf if to > at else -slopes[head] * (at - to)
                assert bias[head, at, to] == wanted


def test_sinusoidal_table_is_the_papers_formula():
    context, width = 7, 10
    table = sinusoidal_table(context, width)
    for place in range(context):
        for i in range(width // 2):
            angle = place / 10_000 ** (2 * i / width)
            assert table[place, 2 * i].item() == pytest.approx(math.sin(angle), abs=1e-6)
            assert table[place, 2 * i + 1].item() == pytest.approx(math.cos(angle), abs=1e-6)


@pytest.mark.parametrize("positions", ["rope", "learned", "sinusoidal", "alibi"])
def test_order_of_earlier_tokens_matters(positions):
    model, ids = tiny_model(positions=positions), some_ids(1, 9)
    swapped = ids.clone()
    swapped[0, [1, 4]] = ids[0, [4, 1]]
    with torch.inference_mode():
        assert (model(ids)[0, -1] - model(swapped)[0, -1]).abs().max() > 1e-3


@pytest.mark.parametrize("positions", ["rope", "alibi"])
def test_relative_schemes_do_not_tell_where_a_text_starts(positions):
    """Attention sums over what came before: without a start, a shifted window sees the same."""
    model = tiny_model(positions=positions)
    layer = model.blocks[0].attention
    x = torch.randn(1, 6, 32, generator=torch.Generator().manual_seed(1))

    def attended(start: int) -> torch.Tensor:
        if positions == "alibi":
            mask, rope = model.bias[:, start : start + 6, start : start + 6], None
        else:
            mask = causal_mask(6, 6)
            rope = (model.cosines[start : start + 6], model.sines[start : start + 6])
        return layer(x, rope=rope, mask=mask)

    with torch.inference_mode():
        torch.testing.assert_close(attended(0), attended(11), atol=1e-5, rtol=0)
