import sys

import numpy as np
import pytest

from tests.training.gpt.stock_models import CONTEXT, stock_model
from training.gpt.compiled import CompiledNetwork
from training.gpt.engine import Engine, compiled_engine
from training.gpt.generation import Window, continued
from training.gpt.sampling import Sampling
from training.gpt.speculation import MOST_DRAFTED, Drafts, Pace, repeated
from training.gpt.weights import read_weights

CHEAP = Pace(token=1.0, row=0.01, draft=0.01)  # guessing always pays
PROMPT = [5, 9, 200, 31]
WAYS = {
    "greedy": Sampling(),
    "sampled": Sampling(temperature=1.0, seed=3),
    "filtered": Sampling(temperature=1.3, top_k=40, top_p=0.9, repetition_penalty=1.2, seed=4),
}


class Counted(CompiledNetwork):
    """Counts passes."""

    passes = 0

    def read(self, *args, **options):
        self.passes += 1
        return super().read(*args, **options)


@pytest.fixture(scope="module")
def weights():
    return read_weights(stock_model("llama"))


def tokens(engine, sampling, *, count=2 * CONTEXT, use_cache=True):
    window = Window(list(PROMPT), CONTEXT)
    return [
        (token, logits.tolist())
        for token, logits in continued(engine, window, sampling, count=count, use_cache=use_cache)
    ]


@pytest.mark.parametrize("way", WAYS)
def test_guessing_changes_no_token_and_no_logit(weights, way):
    network = Counted(weights)
    guessing = Engine(network, CompiledNetwork(weights, "int8"), CHEAP)
    alone = tokens(Engine(network), WAYS[way])
    passes, network.passes = network.passes, 0
    assert tokens(guessing, WAYS[way]) == alone
    assert network.passes < 0.7 * passes
    assert alone == tokens(guessing, WAYS[way], use_cache=False)


def test_guesses_that_are_always_wrong_change_nothing(weights):
    network = CompiledNetwork(weights)
    other = CompiledNetwork(read_weights(_shuffled()), "int8")
    assert tokens(Engine(network, other, CHEAP), Sampling()) == tokens(Engine(network), Sampling())


def _shuffled():
    model = stock_model("llama")
    model.lm_head.weight.data = model.lm_head.weight.data.flip(0)
    return model


def test_never_more_tokens_than_asked_for(weights):
    engine = Engine(CompiledNetwork(weights), CompiledNetwork(weights, "int8"), CHEAP)
    assert [len(tokens(engine, Sampling(), count=count)) for count in range(12)] == list(range(12))


def test_no_guess_where_guessing_costs_more_than_it_saves(weights):
    network = CompiledNetwork(weights)
    dear = Pace(token=1.0, row=1.0, draft=1.0)
    window = Window(list(PROMPT), CONTEXT, cached=len(PROMPT) - 1)
    drafts = Drafts(Engine(network, network, dear))
    assert drafts.propose(None, window, Sampling(), most=MOST_DRAFTED) == []


def test_what_followed_before_is_expected_again():
    assert repeated([1, 2, 3, 4, 5, 6, 1, 2, 3], 0, 2) == [4, 5]
    assert repeated([1, 2, 3, 4, 5, 6, 1, 2, 3], 1, 2) == []
    assert repeated([7, 8, 7, 8, 7], 0, 5) == [8, 7, 8, 7, 8]
    assert repeated([1, 2], 0, 3) == []
    assert repeated([], 0, 3) == []


def test_a_mixture_of_experts_is_left_to_plain_torch():
    assert compiled_engine(read_weights(stock_model("mixtral")), "float32") is None


def test_without_numba_there_is_no_compiled_engine(weights, monkeypatch):
    for name in ("compiled", "kernels", "tiles"):
        monkeypatch.delitem(sys.modules, f"training.gpt.{name}")
    monkeypatch.setitem(sys.modules, "numba", None)
    assert compiled_engine(weights, "float32") is None


def test_the_compiled_engine_knows_its_pace(weights):
    engine = compiled_engine(weights, "bfloat16")
    assert engine.pace.token > 0
    assert engine.pace.draft > 0
    assert np.isfinite(engine.pace.row)
