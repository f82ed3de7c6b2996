"""Callers that meet are served together, each with its own result."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import pytest

from training.shared.batcher import Batcher


def test_a_lone_caller_is_served_at_once():
    sizes = []
    double = Batcher(lambda items: sizes.append(len(items)) or [2 * item for item in items])
    assert [double(3), double(4)] == [6, 8]
    assert sizes == [1, 1]


def test_who_comes_while_a_batch_runs_is_served_by_the_next():
    sizes, running, go_on = [], Event(), Event()

    def work(items):
        sizes.append(len(items))
        running.set()
        assert go_on.wait(30)
        return [2 * item for item in items]

    double = Batcher(work, limit=5)
    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(double, 0)
        assert running.wait(30)
        others = [pool.submit(double, item) for item in range(1, 9)]
        while len(double._waiting) < 8:
            assert not first.done()
        go_on.set()
        assert [call.result(30) for call in (first, *others)] == [2 * n for n in range(9)]
    assert sizes == [1, 5, 3]


def test_an_error_reaches_every_caller_of_its_batch_and_no_other():
    def work(items):
        if "bad" in items:
            raise ValueError("bad item")
        return items

    echo = Batcher(work, limit=1)
    barrier = Barrier(6)

    def call(item):
        barrier.wait(30)
        return echo(item)

    with ThreadPoolExecutor(6) as pool:
        calls = [pool.submit(call, item) for item in ["bad", *"abcde"]]
    with pytest.raises(ValueError, match="bad item"):
        calls[0].result()
    assert [call.result() for call in calls[1:]] == list("abcde")
    assert echo("after") == "after"
