"""Calls of the page's endpoints over plain HTTP, and a page to call: for the other benchmarks."""

from __future__ import annotations

import random
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import httpx

TIMEOUT_S = 120.0
WORDS = "oil price bank shares moon cost engine wheat trade king forest wolf daughter happy cat red"

Start = Callable[[Path], AbstractContextManager[str]]  # a folder of its own → a page's address


@contextmanager
def page_at(url: str | None, *, otherwise: Start) -> Iterator[str]:
    """The address of the page at `url`, or of one that `otherwise` starts and ends."""
    if url:
        yield url.rstrip("/")
        return
    with (
        tempfile.TemporaryDirectory(prefix="lab-page-", ignore_cleanup_errors=True) as folder,
        otherwise(Path(folder)) as started,
    ):
        yield started


def calls_of(luck: random.Random, picture: Any) -> dict[str, Callable[[], list[Any]]]:
    """By endpoint what makes the arguments of a call. picture: an upload, as Gradio names it."""
    words = WORDS.split()

    def text(many: int) -> str:
        return " ".join(luck.choices(words, k=many))

    return {
        "classify": lambda: [text(12)],
        "search": lambda: [text(4), 5, luck.choice(["hybrid", "dense", "keyword"])],
        "generate": lambda: [text(5), 40, 0.8, 0, 0.95, luck.randrange(10**6)],
        "match": lambda: [picture, "\n".join(words[:3])],
        "find_image": lambda: [text(2), 6],
        "paint": lambda: [text(2), 8, 3, luck.randrange(10**6)],
    }


async def call(http: httpx.AsyncClient, name: str, data: list[Any]) -> tuple[str, str]:
    """How a call ended, "complete" or "error", and what came."""
    sent = await http.post(f"/gradio_api/call/{name}", json={"data": data})
    event = sent.raise_for_status().json()["event_id"]
    kind, said = "", ""
    async with http.stream("GET", f"/gradio_api/call/{name}/{event}") as answer:
        async for line in answer.aiter_lines():
            if line.startswith("event: "):
                kind = line.removeprefix("event: ")
            elif line.startswith("data: "):
                said = line.removeprefix("data: ")
    if kind not in ("complete", "error"):
        raise ValueError(f"the answer ended with {kind!r}")
    return kind, said


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """The median and what 95 % stay below, of two times or more."""
    p95 = statistics.quantiles(seconds, n=20, method="inclusive")[18]
    return {"p50_s": round(statistics.median(seconds), 3), "p95_s": round(p95, 3)}
