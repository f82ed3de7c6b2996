"""So many calls a minute and client, on average, and as many at once."""

from __future__ import annotations

import pytest

from tabs import rate_limit
from tabs.rate_limit import RateLimit


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_calls_are_taken_until_the_limit_and_come_back_evenly():
    clock = Clock()
    limit = RateLimit(6, clock=clock)
    assert [limit.wait("ada") for _ in range(6)] == [0.0] * 6
    assert limit.wait("ada") == pytest.approx(10)
    clock.now = 9.0
    assert limit.wait("ada") == pytest.approx(1)  # being told to wait costs nothing
    clock.now = 10.0
    assert limit.wait("ada") == 0.0
    assert limit.wait("ada") == pytest.approx(10)


def test_one_client_does_not_use_up_another_ones():
    limit = RateLimit(1, clock=Clock())
    assert limit.wait("ada") == 0.0
    assert limit.wait("ada") > 0
    assert limit.wait("bo") == 0.0


def test_a_client_that_was_away_for_hours_has_no_more_than_a_minutes_calls():
    clock = Clock()
    limit = RateLimit(2, clock=clock)
    limit.wait("ada")
    clock.now = 86_400.0
    assert [limit.wait("ada") for _ in range(3)] == [0.0, 0.0, 30.0]


def test_without_a_limit_everybody_passes():
    limit = RateLimit(0, clock=Clock())
    assert {limit.wait("ada") for _ in range(1000)} == {0.0}


def test_what_is_remembered_has_an_end(monkeypatch):
    monkeypatch.setattr(rate_limit, "CLIENTS", 2)
    limit = RateLimit(1, clock=Clock())
    for client in ("ada", "bo", "cy"):
        assert limit.wait(client) == 0.0
    assert limit.wait("cy") > 0
    assert limit.wait("ada") == 0.0  # forgotten: called longest ago
