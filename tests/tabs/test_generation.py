"""Lanes of text with a real tiny model: fair turns, pace, stop, and what the cache saves."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub_utils.names import RepoId
from tabs.generation import (
    MAX_CHARACTERS,
    UPDATE_S,
    Ask,
    Gain,
    Lane,
    Run,
    asked,
    begin,
    gain,
    lanes_of,
    race,
)
from tabs.i18n import PageError
from tabs.model_slot import Served
from tests.tabs.lab import CONTEXT
from training.gpt.inference import TextGenerator, load


@pytest.fixture(scope="module")
def served(generator: Path) -> Served[TextGenerator]:
    return Served(load(generator), RepoId("lab", "tale"), "a" * 40, generator)


def wish(prompt: str = "Once upon", tokens: int = 30, seed: int | None = 3, **changes) -> Ask:
    given = {"temperature": 0.8, "top_k": 0, "top_p": 1.0, **changes}
    return asked(prompt, tokens, given["temperature"], given["top_k"], given["top_p"], seed)


def finished(served: Served[TextGenerator], ask: Ask, lanes: list[Lane] | None = None) -> list[Run]:
    runs = begin(served, ask, lanes or lanes_of(ask))
    for _ in race(runs):
        pass
    return runs


class Clock:
    """Every look at it takes `step` seconds."""

    def __init__(self, step: float) -> None:
        self.now, self.step = 0.0, step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


def test_a_run_makes_as_many_tokens_as_asked_for(served: Served[TextGenerator]):
    (run,) = finished(served, wish(tokens=30))
    assert len(run.steps) == 30
    assert run.ended
    assert run.tokens_per_second > 0
    assert run.text == "".join(step.text for step in run.steps)


def test_it_writes_what_the_model_writes(served: Served[TextGenerator]):
    ids = served.model.encode("Once upon")
    (run,) = finished(served, wish(top_k=5, top_p=0.9))
    expected = served.model.generate(ids, 30, temperature=0.8, top_k=5, top_p=0.9, seed=3)
    assert [step.id for step in run.steps] == list(expected)


def test_one_seed_gives_one_text_and_no_seed_a_drawn_one(served: Served[TextGenerator]):
    one, again = (finished(served, wish())[0].text for _ in range(2))
    assert one == again
    drawn = [wish(seed=None).seed for _ in range(3)]
    assert len(set(drawn)) == 3
    assert finished(served, wish(seed=drawn[0]))[0].text != one


def test_lanes_are_the_temperatures_and_the_cache():
    ask = wish()
    assert lanes_of(ask) == [Lane(0.8)]
    assert lanes_of(ask, second=1.2) == [Lane(0.8), Lane(1.2)]
    assert lanes_of(ask, no_cache=True) == [Lane(0.8), Lane(0.8, use_cache=False)]
    assert lanes_of(ask, second=0, no_cache=True) == [Lane(0.8), Lane(0), Lane(0.8, False)]


def test_two_temperatures_share_the_seed_and_part(served: Served[TextGenerator]):
    ask = wish()
    cool, hot = finished(served, ask, lanes_of(ask, second=2.0))
    alone = finished(served, ask)[0]
    assert cool.text == alone.text
    assert hot.text != cool.text


def test_the_cache_changes_the_speed_and_not_the_tokens(served: Served[TextGenerator]):
    ask = wish(tokens=60)
    saved = gain(finished(served, ask, lanes_of(ask, no_cache=True)))
    assert saved is not None
    assert saved.same
    assert saved.times == saved.cached / saved.uncached


def test_without_a_lane_without_cache_nothing_is_said_about_it(served: Served[TextGenerator]):
    assert gain(finished(served, wish(tokens=3))) is None


def test_a_gain_tells_when_the_tokens_differ(served: Served[TextGenerator]):
    one = finished(served, wish(tokens=5))[0]
    other = finished(served, wish(tokens=5, seed=4))[0]
    other.lane = Lane(0.8, use_cache=False)
    one.seconds, other.seconds = 0.5, 1.0
    assert gain([one, other]) == Gain(10.0, 5.0, same=False)


def test_the_lane_that_had_the_least_time_goes_next(served: Served[TextGenerator]):
    ask = wish(tokens=4)
    first, second = runs = begin(served, ask, lanes_of(ask, second=1.0))
    turns = race(runs, clock=Clock(1.0))  # comes up for air after every token
    next(turns)
    assert (len(first.steps), len(second.steps)) == (1, 0)
    first.seconds = 1000.0
    for count in (1, 2, 3, 4):
        next(turns)
        assert (len(first.steps), len(second.steps)) == (1, count)


def test_the_first_token_is_shown_at_once_and_then_fifteen_times_a_second(
    served: Served[TextGenerator],
):
    def shown(step: float) -> list[int]:
        runs = begin(served, ask, lanes_of(ask))
        return [len(runs[0].steps) for _ in race(runs, clock=Clock(step))]

    ask = wish(tokens=200)
    fast = shown(0.001)  # a thousand tokens a second
    assert fast[0] == 1
    assert fast[-1] == 200
    assert len(fast) <= 200 * 0.001 / UPDATE_S + 3
    assert len(shown(1.0)) >= 200  # slow tokens are shown one by one


def test_a_stop_is_obeyed_at_the_next_token(served: Served[TextGenerator]):
    ask = wish(tokens=1000)
    runs = begin(served, ask, lanes_of(ask))
    seen = [None for _ in race(runs, stopped=lambda: len(runs[0].steps) >= 7)]
    assert len(runs[0].steps) == 7
    assert not runs[0].ended
    assert seen
    with pytest.raises(StopIteration):
        next(runs[0].stream)


def test_leaving_closes_every_lane(served: Served[TextGenerator]):
    ask = wish(tokens=1000)
    runs = begin(served, ask, lanes_of(ask, second=1.5))
    turns: Iterator[None] = race(runs)
    next(turns)
    turns.close()  # type: ignore[attr-defined]
    assert all(next(run.stream, None) is None for run in runs)


def test_a_prompt_over_the_context_is_cut_from_the_left(served: Served[TextGenerator]):
    prompt = "Once upon a time " * 100
    long = len(served.model.encode(prompt))
    runs = finished(served, wish(prompt, tokens=2))
    assert runs[0].stream.cut == long - CONTEXT > 0
    assert finished(served, wish(tokens=2))[0].stream.cut == 0


@pytest.mark.parametrize("prompt", ["", "  \n", None])
def test_no_prompt_is_a_sentence(prompt: str):
    with pytest.raises(PageError, match="nothing to go on from"):
        wish(prompt)


def test_far_too_long_a_prompt_is_a_sentence():
    with pytest.raises(PageError, match=f"{MAX_CHARACTERS + 1} characters; up to {MAX_CHARACTERS}"):
        wish("x" * (MAX_CHARACTERS + 1))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"tokens": 0}, "max_new_tokens is 0; it must be between 1 and 1000"),
        ({"tokens": 1001}, "max_new_tokens is 1001"),
        ({"tokens": None}, "max_new_tokens is None"),
        ({"temperature": -0.1}, "temperature is -0.1; it must be between 0 and 5"),
        ({"temperature": math.nan}, "temperature is nan"),
        ({"temperature": "hot"}, "temperature is hot"),
        ({"top_k": -1}, "top_k is -1"),
        ({"top_p": 0}, "top_p is 0; it must be between 0.01 and 1"),
        ({"top_p": 1.1}, "top_p is 1.1"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": math.inf}, "seed is inf"),
    ],
)
def test_a_value_out_of_range_is_named_with_its_range(changes: dict, said: str):
    with pytest.raises(PageError) as raised:
        wish(**changes)
    assert said in str(raised.value)


def test_a_second_temperature_is_checked_too():
    with pytest.raises(PageError, match="temperature is 9"):
        lanes_of(wish(), second=9)
