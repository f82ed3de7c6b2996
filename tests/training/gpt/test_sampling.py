import numpy as np
import pytest
import torch
from transformers import (
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from hub_utils.errors import SettingsError
from training.gpt.sampling import (
    Sampling,
    choose,
    draw,
    filtered,
    keep_min_p,
    keep_top_k,
    keep_top_p,
    penalized,
)

VOCABULARY = 200
READ = [5, 7, 7, 190]


@pytest.fixture
def logits():
    return torch.randn(6, VOCABULARY, generator=torch.Generator().manual_seed(0)) * 3


@pytest.mark.parametrize("k", [1, 5, VOCABULARY, VOCABULARY + 9])
def test_top_k_is_transformers(logits, k):
    torch.testing.assert_close(keep_top_k(logits, k), TopKLogitsWarper(k)(None, logits))


@pytest.mark.parametrize("p", [0.01, 0.5, 0.9, 0.999])
def test_top_p_is_transformers(logits, p):
    torch.testing.assert_close(keep_top_p(logits, p), TopPLogitsWarper(p)(None, logits))


@pytest.mark.parametrize("p", [0.0, 0.05, 0.5, 1.0])
def test_min_p_is_transformers(logits, p):
    torch.testing.assert_close(keep_min_p(logits, p), MinPLogitsWarper(p)(None, logits))


@pytest.mark.parametrize("penalty", [0.8, 1.3])
def test_repetition_penalty_is_transformers(logits, penalty):
    theirs = RepetitionPenaltyLogitsProcessor(penalty)(torch.tensor([READ] * 6), logits)
    for ours, row in zip(logits, theirs, strict=True):
        torch.testing.assert_close(penalized(ours, READ, penalty), row)


def test_all_filters_come_in_transformers_order(logits):
    sampling = Sampling(temperature=0.7, top_k=40, top_p=0.9, min_p=0.02)
    theirs = TemperatureLogitsWarper(0.7)(None, logits)
    for warper in (TopKLogitsWarper(40), TopPLogitsWarper(0.9), MinPLogitsWarper(0.02)):
        theirs = warper(None, theirs)
    torch.testing.assert_close(filtered(logits, sampling), theirs)


def test_draws_follow_the_probabilities():
    probabilities = torch.tensor([0.5, 0.3, 0.15, 0.05, 0.0])
    drawn = [draw(probabilities.log(), seed=4, index=index) for index in range(8000)]
    shares = np.bincount(drawn, minlength=5) / len(drawn)
    # Four standard deviations of the widest share.
    np.testing.assert_allclose(shares, probabilities, atol=4 * np.sqrt(0.25 / len(drawn)))
    assert shares[4] == 0


def test_a_draw_depends_on_seed_and_index_only(logits):
    first = [draw(logits[0], seed=1, index=index) for index in range(50)]
    again = [draw(logits[0], seed=1, index=index) for index in reversed(range(50))]
    assert first == again[::-1]
    assert first != [draw(logits[0], seed=2, index=index) for index in range(50)]
    assert len(set(first)) > 5


def test_temperature_zero_is_the_likeliest_token(logits):
    assert choose(logits[0], READ, 0, Sampling(seed=9)) == int(logits[0].argmax())


def test_a_filter_to_one_token_is_greedy(logits):
    chosen = choose(logits[0], READ, 3, Sampling(temperature=2.0, top_k=1))
    assert chosen == int(logits[0].argmax())


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"temperature": -1.0}, "temperature"),
        ({"top_k": 0}, "top_k"),
        ({"top_p": 0.0}, "top_p"),
        ({"top_p": 1.5}, "top_p"),
        ({"min_p": -0.1}, "min_p"),
        ({"repetition_penalty": 0.0}, "repetition_penalty"),
    ],
)
def test_a_value_no_filter_takes_is_a_sentence(options, word):
    with pytest.raises(SettingsError, match=f"{word} must be"):
        Sampling(**options)
