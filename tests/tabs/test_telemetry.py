"""Calls are counted for Prometheus, the log and the Status tab, and nothing else of them is kept."""

from __future__ import annotations

import json
import logging
import threading
from collections import deque

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tabs.telemetry import Call, Telemetry, ended, percentile


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry(lambda: {"paint": 3})


def samples(telemetry: Telemetry) -> dict[tuple[str, ...], float]:
    """Every sample by its name and labels' values."""
    text = telemetry.exposition()[0].decode()
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_call_is_counted_by_how_it_ended(telemetry: Telemetry):
    with telemetry.watching(Call("/classify", waited=0.2)):
        pass
    with telemetry.watching(Call("/classify")):
        ended("refused")
    telemetry.count(Call("/classify", outcome="busy"))
    found = samples(telemetry)
    assert found["lab_calls_total", "/classify", "ok"] == 1
    assert found["lab_calls_total", "/classify", "refused"] == 1
    assert found["lab_calls_total", "/classify", "busy"] == 1
    assert found["lab_call_seconds_count", "/classify"] == 2  # who is sent away does no work
    assert found["lab_call_wait_seconds_sum", "/classify"] == pytest.approx(0.2)
    assert found["lab_calls_waiting", "paint"] == 3
    assert found["lab_uptime_seconds",] > 0
    assert found["process_resident_memory_bytes",] > 1e6


def test_a_handler_in_a_thread_of_the_pool_says_how_its_call_ended(telemetry: Telemetry):
    """As Gradio runs handlers: in a worker thread, within a copy of the call's context."""
    import anyio

    async def work() -> None:
        with telemetry.watching(Call("/search")):
            await anyio.to_thread.run_sync(ended, "failed")

    anyio.run(work)
    assert samples(telemetry)["lab_calls_total", "/search", "failed"] == 1


def test_saying_it_outside_of_a_call_changes_nothing(telemetry: Telemetry):
    ended("failed")
    assert telemetry.figures() == []


def test_a_call_is_one_json_line_without_a_word_of_the_reader(telemetry: Telemetry, caplog):
    with caplog.at_level(logging.INFO, "lab.calls"), telemetry.watching(Call("/paint", 0.5)):
        pass
    line = json.loads(caplog.records[-1].getMessage())
    assert line.keys() == {"time", "endpoint", "outcome", "seconds", "wait_seconds"}
    assert (line["endpoint"], line["outcome"], line["wait_seconds"]) == ("/paint", "ok", 0.5)


def test_two_apps_in_one_process_count_apart(telemetry: Telemetry):
    telemetry.count(Call("/paint"))
    assert Telemetry().figures() == []


def test_calls_from_many_threads_are_all_counted(telemetry: Telemetry):
    def work() -> None:
        for _ in range(100):
            telemetry.count(Call("/search"))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (figures,) = telemetry.figures()
    assert (figures.calls, figures.outcomes) == (400, {"ok": 400})
    assert 0 < figures.p50 <= figures.p95


def test_percentiles():
    assert percentile(deque(), 95) == 0.0
    assert percentile(deque([2.0]), 50) == 2.0
    assert percentile(deque(range(101)), 95) == 95.0
