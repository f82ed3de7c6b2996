"""What a fast tab's readers feel of the slow ones.  Run: python -m benchmarks.starvation

The page serves the models that the lab here has published (`make demo` makes them). Somebody
classifies and somebody opens the page, a few times a second, while nobody else is there, while four
clients paint without a pause, while four have texts written, and while both do: in one run.

Wanted: no answer waits for all that came before it. With two cores and eight other clients, a
tenth of the machine is left, so an answer that takes ten times as long is no more than fair.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from benchmarks.page_calls import TIMEOUT_S, call, calls_of, page_at, percentiles

SECONDS, SLOW, PROBE_EVERY_S = 20.0, 4, 0.2
READY_S = 300.0
PHASES: dict[str, dict[str, int]] = {
    "nobody else": {},
    "4 paint": {"paint": SLOW},
    "4 have texts written": {"generate": SLOW},
    "both": {"paint": SLOW, "generate": SLOW},
}
TEXT = {"generate": 200}  # tokens of an answer


@dataclass
class Phase:
    """What the two readers saw, and what the others got done."""

    classify: list[float] = field(default_factory=list)  # seconds
    page: list[float] = field(default_factory=list)
    done: dict[str, int] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)  # what was no answer


def main(arguments: list[str]) -> int:
    """Measure and print the table and the figures; 1 when something failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--url", help="of a page that runs, with its models published")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each phase")
    args = parser.parse_args(arguments)
    with page_at(args.url, otherwise=_app_of_this_lab) as url:
        phases = asyncio.run(_measure(url, args.seconds))
    figures = {name: _figures(phase, args.seconds) for name, phase in phases.items()}
    print(_table(figures))
    print(json.dumps(figures))
    failed = [said for phase in phases.values() for said in phase.said]
    for said in failed[:10]:
        print(said, file=sys.stderr)
    return 1 if failed else 0


async def _measure(url: str, seconds: float) -> dict[str, Phase]:
    async with httpx.AsyncClient(base_url=url, timeout=TIMEOUT_S) as http:
        for name in ("classify", "generate", "paint"):
            await _until_it_answers(http, name)
        found = {}
        for name, others in PHASES.items():
            found[name] = phase = Phase()
            end = time.perf_counter() + seconds
            slow = [_work(http, what, n, end, phase) for what, many in others.items()
                    for n in range(many)]  # fmt: skip
            await asyncio.gather(_classify(http, end, phase), _visit(http, end, phase), *slow)
        return found


async def _until_it_answers(http: httpx.AsyncClient, name: str) -> None:
    deadline = time.monotonic() + READY_S
    while (answer := await call(http, name, _asked(name, random.Random(0))))[0] != "complete":  # noqa: S311
        if time.monotonic() > deadline:
            raise RuntimeError(f"/{name} does not answer: {answer[1]}")
        await asyncio.sleep(1)


def _asked(name: str, luck: random.Random) -> list[Any]:
    given = calls_of(luck, None)[name]()
    if name == "generate":
        given[1] = TEXT[name]
    return given


async def _classify(http: httpx.AsyncClient, end: float, phase: Phase) -> None:
    luck = random.Random(1)  # noqa: S311 - the same texts every time
    while time.perf_counter() < end:
        began = time.perf_counter()
        kind, said = await call(http, "classify", _asked("classify", luck))
        if kind == "complete":
            phase.classify.append(time.perf_counter() - began)
        else:
            phase.said.append(f"classify: {said}")
        await asyncio.sleep(PROBE_EVERY_S)


async def _visit(http: httpx.AsyncClient, end: float, phase: Phase) -> None:
    while time.perf_counter() < end:
        began = time.perf_counter()
        (await http.get("/")).raise_for_status()
        phase.page.append(time.perf_counter() - began)
        await asyncio.sleep(PROBE_EVERY_S)


async def _work(http: httpx.AsyncClient, name: str, number: int, end: float, phase: Phase) -> None:
    luck = random.Random(number)  # noqa: S311
    while time.perf_counter() < end:
        kind, said = await call(http, name, _asked(name, luck))
        if kind == "complete":
            phase.done[name] = phase.done.get(name, 0) + 1
        else:
            phase.said.append(f"{name}: {said}")


def _figures(phase: Phase, seconds: float) -> dict[str, Any]:
    return {
        "classify": percentiles(phase.classify),
        "page": percentiles(phase.page),
        "done_per_second": {name: round(n / seconds, 2) for name, n in phase.done.items()},
    }


def _table(figures: dict[str, dict[str, Any]]) -> str:
    rows = [
        "| meanwhile | `/classify` p50 / p95 | `GET /` p50 / p95 | pictures/s | texts/s |",
        "|---|---|---|---|---|",
    ]
    for name, row in figures.items():
        done = row["done_per_second"]
        fast = [f"{row[k]['p50_s']:.3f} / {row[k]['p95_s']:.3f} s" for k in ("classify", "page")]
        slow = [str(done.get(k, "")) for k in ("paint", "generate")]
        rows.append(f"| {name} | {' | '.join([*fast, *slow])} |")
    return "\n".join(rows)


@contextmanager
def _app_of_this_lab(folder: Path) -> Iterator[str]:
    from hub_utils.settings import Settings
    from tests.tabs import lab

    own = {k: v for k, v in os.environ.items() if k.startswith(("HF_", "LAB_"))}
    own |= {"LAB_PORT": "0", "LAB_HUB_ROOT": str(Settings.from_env().hub_root.resolve())}
    app = lab.AppProcess(folder, own).start()
    try:
        yield app.url
    finally:
        app.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
