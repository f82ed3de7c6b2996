"""The page with many clients at once, for minutes.  Run: python -m benchmarks.load [--url URL]

Each client calls one endpoint of the five tabs after the other, over plain HTTP and every time as a
new session, which is the hardest on the page's memory; it pauses a moment between two calls, as a
reader would. Meanwhile somebody opens the page twice a second. Everything runs on this machine, the
clients too. Without --url the app is started with tiny models of its own: what is measured then is
the page around the models.

Wanted: no error but an honest "busy", and memory that stays within 5 % after the warm-up.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import os
import random
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from benchmarks.page_calls import TIMEOUT_S, call, calls_of, page_at, percentiles

CLIENTS, MINUTES, PAUSE_S = 50, 5.0, 1.0
WARM_UP = 0.2  # of the time
PAGE_EVERY_S = 0.5


@dataclass
class Seen:
    """What the clients saw."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    busy: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    errors: list[str] = field(default_factory=list)
    memory: list[tuple[float, float]] = field(default_factory=list)  # share of the time, MB


def main(arguments: list[str]) -> int:
    """Measure and print the table and the figures; 1 when something failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--url", help="of a page that runs, with all five models published")
    parser.add_argument("--clients", type=int, default=CLIENTS)
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--pause", type=float, default=PAUSE_S, help="seconds between calls, mean")
    args = parser.parse_args(arguments)
    with page_at(args.url, otherwise=_app_of_tiny_models) as url:
        seen = asyncio.run(_load(url, args.clients, args.minutes * 60, args.pause))
    figures = _figures(seen, args.minutes * 60)
    print(_table(figures))
    print("\n" + _said(figures, args))
    print(json.dumps(figures))
    for error in seen.errors[:10]:
        print(error, file=sys.stderr)
    return 1 if seen.errors else 0


async def _load(url: str, clients: int, seconds: float, pause: float) -> Seen:
    seen, began = Seen(), time.perf_counter()
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=2 * clients)
    async with httpx.AsyncClient(base_url=url, timeout=TIMEOUT_S, limits=limits) as http:
        picture = await _upload(http)
        end = began + seconds
        tasks = [_client(http, n, picture, end, pause, seen) for n in range(clients)]
        await asyncio.gather(*tasks, _visit(http, end, seen), _weigh(http, began, end, seen))
    return seen


async def _client(
    http: httpx.AsyncClient, number: int, picture: Any, end: float, pause: float, seen: Seen
) -> None:
    luck = random.Random(number)  # noqa: S311 - the same load every time
    calls = calls_of(luck, picture)
    names = list(calls)
    await asyncio.sleep(luck.random() * pause)
    while time.perf_counter() < end:
        name = luck.choice(names)
        began = time.perf_counter()
        try:
            kind, said = await call(http, name, calls[name]())
        except (httpx.HTTPError, ValueError) as error:
            seen.errors.append(f"{name}: {error!r}")
            continue
        if kind == "complete":
            seen.seconds[name].append(time.perf_counter() - began)
        elif "Busy" in said:
            seen.busy[name] += 1
        else:
            seen.errors.append(f"{name}: {said}")
        await asyncio.sleep(luck.expovariate(1 / pause) if pause else 0)


async def _visit(http: httpx.AsyncClient, end: float, seen: Seen) -> None:
    """Open the page, again and again."""
    while time.perf_counter() < end:
        began = time.perf_counter()
        try:
            (await http.get("/")).raise_for_status()
        except httpx.HTTPError as error:
            seen.errors.append(f"page: {error!r}")
        seen.seconds["page"].append(time.perf_counter() - began)
        await asyncio.sleep(PAGE_EVERY_S)


async def _weigh(http: httpx.AsyncClient, began: float, end: float, seen: Seen) -> None:
    """Ask the app for its memory, as Prometheus does."""
    while (now := time.perf_counter()) < end:
        for line in (await http.get("/metrics")).text.splitlines():
            if line.startswith("process_resident_memory_bytes "):
                share = (now - began) / (end - began)
                seen.memory.append((share, float(line.split()[1]) / 1e6))
        await asyncio.sleep(1)


async def _upload(http: httpx.AsyncClient) -> Any:
    from PIL import Image

    file = io.BytesIO()
    Image.new("RGBA", (72, 72), "crimson").save(file, "PNG")
    sent = await http.post("/gradio_api/upload", files={"files": ("red.png", file.getvalue())})
    (path,) = sent.raise_for_status().json()
    return {"path": path, "orig_name": "red.png", "meta": {"_type": "gradio.FileData"}}


def _figures(seen: Seen, seconds: float) -> dict[str, Any]:
    def memory(low: float, high: float) -> float:
        return statistics.median(mb for share, mb in seen.memory if low <= share < high)

    warm, end = memory(WARM_UP, WARM_UP + 0.1), memory(0.9, 1.1)
    calls = sum(len(times) for name, times in seen.seconds.items() if name != "page")
    return {
        "endpoints": {
            name: {
                "calls": len(times),
                **percentiles(times),
                "busy": seen.busy[name],
            }
            for name, times in sorted(seen.seconds.items())
            if len(times) > 1
        },
        "calls_per_second": round(calls / seconds, 1),
        "errors": len(seen.errors),
        "memory_mb_warm": round(warm),
        "memory_mb_end": round(end),
        "memory_growth_percent": round(100 * (end / warm - 1), 1),
    }


def _said(figures: dict[str, Any], args: argparse.Namespace) -> str:
    models = "the page's own models" if args.url else "tiny models"
    warm, end = figures["memory_mb_warm"], figures["memory_mb_end"]
    return (
        f"{args.clients} clients for {args.minutes:g} minutes, {args.pause:g} s on average between "
        f"two calls of one, {models}: {figures['calls_per_second']} calls a second. Memory of the "
        f"app {warm:,} MB after the warm-up and {end:,} MB at the end, "
        f"{figures['memory_growth_percent']:+.1f} %. Errors: {figures['errors']}."
    )


def _table(figures: dict[str, Any]) -> str:
    rows = ["| | calls | p50 | p95 | told “busy” |", "|---|---|---|---|---|"]
    for name, row in figures["endpoints"].items():
        shown = "`GET /` meanwhile" if name == "page" else f"`/{name}`"
        rows.append(
            f"| {shown} | {row['calls']:,} | {row['p50_s']} s | {row['p95_s']} s | {row['busy']} |"
        )
    return "\n".join(rows)


@contextmanager
def _app_of_tiny_models(folder: Path) -> Iterator[str]:
    # Before anything imports the client: the embedded Hub takes plain LFS uploads.
    os.environ.update(HF_HUB_DISABLE_XET="1", HF_HUB_DISABLE_PROGRESS_BARS="1")
    from tests.tabs import lab

    hub = lab.HubProcess(folder / "hub").start()
    try:
        _publish(hub, folder)
        app = lab.AppProcess(folder / "app", lab.environment_for(hub, folder)).start()
        try:
            yield app.url
        finally:
            app.stop()
    finally:
        hub.stop()


def _publish(hub: Any, home: Path) -> None:
    from tests.tabs import lab

    client = hub.client(home / "cache")
    lab.publish(client, lab.tiny_classifier(home / "classifier"))
    lab.publish(client, lab.tiny_generator(home / "generator"), "fairy-tale-gpt")
    lab.publish_index(client, home / "index")
    lab.publish(client, lab.tiny_clip(home / "clip"), "emoji-clip")
    lab.publish(client, lab.tiny_painter(home / "painter"), "emoji-painter")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
