import pytest

from training.shared.schedule import Budget, one_cycle


def test_learning_rate_rises_then_falls_to_zero():
    values = [one_cycle(progress / 100) for progress in range(101)]
    peak = values.index(max(values))
    assert 0 < values[0] < 0.1
    assert max(values) == pytest.approx(1, abs=0.01)
    assert values[:peak] == sorted(values[:peak])
    assert values[peak:] == sorted(values[peak:], reverse=True)
    assert values[-1] == pytest.approx(0)


def test_budget_ends_at_whichever_limit_comes_first():
    budget = Budget(max_steps=100, max_seconds=10)
    assert budget.progress(step=50, seconds=1) == 0.5
    assert budget.progress(step=10, seconds=9) == 0.9
    assert budget.progress(step=10, seconds=20) == 1
    assert Budget(max_steps=100).progress(step=50, seconds=1e9) == 0.5


def test_seconds_left_follow_the_pace_and_the_limit():
    assert Budget(100, 10).seconds_left(step=0, seconds=0) == 10
    assert Budget(100, 10).seconds_left(step=10, seconds=2) == 8
    assert Budget(100, 100).seconds_left(step=50, seconds=5) == 5
    assert Budget(100).seconds_left(step=25, seconds=5) == 15
    assert Budget(100).seconds_left(step=0, seconds=0) is None
