"""A stop reaches the work that is meant, whether it works, waits or was replaced."""

from __future__ import annotations

from tabs.stops import Stops


def test_a_stop_reaches_the_work_of_its_session_only():
    stops = Stops()
    with stops.watching("mine", "batch") as mine, stops.watching("theirs", "batch") as theirs:
        stops.stop("mine", "batch")
        assert mine.is_set()
        assert not theirs.is_set()


def test_a_stop_means_one_kind_of_work():
    stops = Stops()
    with stops.watching("mine", "batch") as batch, stops.watching("mine", "generate") as generate:
        stops.stop("mine", "generate")
        assert generate.is_set()
        assert not batch.is_set()


def test_after_the_work_a_stop_means_nothing_for_the_next():
    stops = Stops()
    with stops.watching("mine", "batch"):
        pass
    stops.stop("mine", "batch")
    with stops.watching("mine", "batch") as later:
        assert not later.is_set()


def test_work_that_waits_for_its_turn_can_be_stopped():
    stops = Stops()
    stops.begin("mine", "generate")
    stops.stop("mine", "generate")
    with stops.watching("mine", "generate") as event:
        assert event.is_set()
    with stops.watching("mine", "generate") as later:
        assert not later.is_set()


def test_newer_work_stops_the_older_and_can_itself_be_stopped():
    stops = Stops()
    with stops.watching("mine", "generate") as older:
        stops.begin("mine", "generate")
        assert older.is_set()
        with stops.watching("mine", "generate") as newer:
            assert not newer.is_set()
            stops.stop("mine", "generate")
            assert newer.is_set()
