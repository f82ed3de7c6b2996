from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from tests.training.gpt.stock_models import CONTEXT, stock_model
from training.gpt.compiled import CompiledNetwork
from training.gpt.decoding import PlainNetwork
from training.gpt.weights import read_weights

IDS = np.random.default_rng(0).integers(0, 300, CONTEXT).tolist()


def odd_llama():
    """Biases everywhere, sizes that fill no panel, one group of heads, a scaled RoPE."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=301,
        hidden_size=30,
        intermediate_size=37,
        num_hidden_layers=2,
        num_attention_heads=5,
        num_key_value_heads=1,
        head_dim=6,
        max_position_embeddings=CONTEXT,
        initializer_range=0.3,
        attention_bias=True,
        mlp_bias=True,
        rope_parameters={"rope_type": "linear", "factor": 2.0, "rope_theta": 5000.0},
    )
    model = LlamaForCausalLM(config)
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):  # they start at zero, where mistakes hide
            torch.nn.init.normal_(parameter, std=0.1)
    return model.eval()


MAKERS = {
    "llama": lambda: stock_model("llama"),
    "gpt2": lambda: stock_model("gpt2"),
    "odd llama": odd_llama,
}


@pytest.fixture(scope="module", params=MAKERS)
def stock(request):
    return MAKERS[request.param]()


@pytest.fixture(scope="module")
def network(stock):
    return CompiledNetwork(read_weights(stock))


def read(network, pieces):
    """Logits of all tokens, read in these pieces."""
    cache = network.new_cache(slots=1, length=CONTEXT)
    start, rows = 0, []
    for piece in pieces:
        rows.append(network.read(cache, piece, slot=0, start=start, all=True))
        start += len(piece)
    return torch.cat(rows)


def test_logits_are_transformers(stock, network):
    with torch.inference_mode():
        theirs = stock(torch.tensor([IDS])).logits[0]
    torch.testing.assert_close(read(network, [IDS]), theirs, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 11])
def test_grouping_changes_no_bit(network, size):
    pieces = [IDS[n : n + size] for n in range(0, len(IDS), size)]
    assert torch.equal(read(network, pieces), read(network, [IDS]))


def test_threads_change_no_bit(network):
    alone = read(network, [IDS])
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert torch.equal(read(network, [IDS]), alone)
    finally:
        torch.set_num_threads(before)


def test_texts_in_a_batch_change_no_bit_of_each_other(network):
    texts = [IDS[:9], IDS[20:25], IDS[30:47]]
    cache = network.new_cache(slots=3, length=CONTEXT)
    for slot, text in enumerate(texts):
        network.read(cache, text[:-1], slot=slot, start=0, all=False)
    together = network.step(
        cache,
        [text[-1] for text in texts],
        slots=[0, 1, 2],
        starts=[len(text) - 1 for text in texts],
    )
    for row, text in zip(together, texts, strict=True):
        assert torch.equal(row, read(network, [text])[-1])


def test_callers_in_threads_get_their_own_logits(network):
    alone = [read(network, [IDS[n:]]) for n in range(6)]
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda n: read(network, [IDS[n:]]), range(6)))
    assert all(torch.equal(a, b) for a, b in zip(alone, found, strict=True))


def test_a_long_prompt_is_read_in_parts():
    weights = read_weights(stock_model("llama"))
    weights = type(weights)(**{**weights.__dict__, "context": 200, **_angles(200, 8)})
    ids = (IDS * 4)[:150]
    ours, plain = (
        net.read(net.new_cache(slots=1, length=200), ids, slot=0, start=0, all=True)
        for net in (CompiledNetwork(weights), PlainNetwork(weights))
    )
    torch.testing.assert_close(ours, plain, atol=1e-4, rtol=1e-5)


def _angles(context, head_width):
    frequencies = 10_000.0 ** (-torch.arange(0, head_width, 2) / head_width)
    angles = torch.outer(torch.arange(context), frequencies).repeat(1, 2)
    return {"cos": angles.cos(), "sin": angles.sin()}


@pytest.mark.parametrize(("storage", "tolerance"), [("bfloat16", 0.02), ("int8", 0.1)])
def test_narrow_weights_give_nearby_logits(stock, network, storage, tolerance):
    exact = read(network, [IDS])
    narrow = read(CompiledNetwork(read_weights(stock), storage), [IDS])
    assert not torch.equal(narrow, exact)
    assert (narrow - exact).norm() < tolerance * exact.norm()
