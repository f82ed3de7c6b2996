import numpy as np
import pytest

from training.bert.config import TrainConfig
from training.bert.data import Tokens
from training.bert.model import build, runner
from training.bert.plan import MIN_TRAINED, choose_frozen, frozen_for, layer_seconds


def plan(budget, pass_seconds=1.0):
    return frozen_for(depth=6, pass_seconds=pass_seconds, budget_seconds=budget, epochs=3, cost=2.8)


def test_a_long_budget_trains_all_layers_and_a_short_one_fewer():
    depths = [plan(budget) for budget in (1, 20, 30, 40, 60, 1000)]
    assert depths == sorted(depths, reverse=True)
    assert depths[0] == 6 - MIN_TRAINED
    assert depths[-1] == 0


def test_a_faster_machine_trains_deeper():
    assert plan(30, pass_seconds=0.5) < plan(30, pass_seconds=2.0)


def test_an_encoder_of_one_layer_is_trained():
    assert frozen_for(depth=1, pass_seconds=9, budget_seconds=1, epochs=3, cost=3) == 0


@pytest.fixture
def network(encoder):
    return runner(build(str(encoder), ("a", "b"), TrainConfig()))


@pytest.fixture
def tokens():
    return Tokens(np.full(60, 7), np.arange(0, 61, 6), truncated=0)


def test_the_number_of_layers_can_be_said(network, tokens):
    assert choose_frozen(network, tokens, TrainConfig(trained_layers=1)) == 2
    assert choose_frozen(network, tokens, TrainConfig(trained_layers=99)) == 0


def test_a_run_planned_in_steps_does_not_depend_on_the_machine(network, tokens):
    assert choose_frozen(network, tokens, TrainConfig(max_steps=5)) == 0


def test_with_seconds_the_machine_is_measured(network, tokens):
    assert layer_seconds(network, tokens) > 0
    assert choose_frozen(network, tokens, TrainConfig(max_seconds=1000)) == 0
    assert choose_frozen(network, tokens, TrainConfig(max_seconds=1e-9)) == 3 - MIN_TRAINED


def test_other_encoders_are_trained_whole(distilbert, tokens):
    other = runner(build(str(distilbert), ("a", "b"), TrainConfig()))
    assert choose_frozen(other, tokens, TrainConfig(trained_layers=1)) == 0
