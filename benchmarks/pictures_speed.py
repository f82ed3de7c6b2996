"""How long the Match and Paint tabs' models take to answer, one question at a time.

Run: python -m benchmarks.pictures_speed [--clip REPO] [--painter REPO]

Both models are loaded from the Hub as the page does, and asked by what the tabs call. Texts to
match are new each time, so that none is remembered. Finding is timed after its text was encoded.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from training.clip.inference import Matcher
    from training.diffusion.inference import Painter

ROUNDS = 100
PAINTINGS = 20
TEXTS = 10


def main(arguments: list[str]) -> int:
    """Measure and print the table and the figures."""
    from training.clip.config import DEFAULT_REPO as CLIP
    from training.clip.inference import load as load_clip
    from training.diffusion.config import DEFAULT_REPO as PAINTER
    from training.diffusion.inference import load as load_painter

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clip", default=CLIP, help="Hub id or folder")
    parser.add_argument("--painter", default=PAINTER, help="Hub id or folder")
    args = parser.parse_args(arguments)
    figures = {**matching(load_clip(args.clip)), **painting(load_painter(args.painter))}
    print(table(figures))
    print(json.dumps(figures))
    return 0


def matching(matcher: Matcher) -> dict[str, dict[str, float]]:
    """A picture against new texts, against the same texts, and finding in the collection."""
    assert matcher.gallery is not None
    hits = matcher.gallery.sample
    pictures = [hit.image for hit in hits]
    same = [hit.caption for hit in hits[:TEXTS]]
    vectors = matcher.encode_texts([hit.caption for hit in hits])

    def new(turn: int) -> list[str]:
        return [f"{hits[n % len(hits)].caption} number {turn}" for n in range(TEXTS)]

    return {
        f"picture against {TEXTS} new texts": times(
            lambda turn: matcher.match(pictures[turn % len(pictures)], new(turn))
        ),
        f"picture against the same {TEXTS} texts": times(
            lambda turn: matcher.match(pictures[turn % len(pictures)], same)
        ),
        f"find among {len(matcher.gallery):,} pictures, encoded": times(
            lambda turn: matcher.gallery.showing(vectors[turn % len(vectors)], 12)
        ),
        "find, text and all": times(lambda turn: matcher.find_by_text(f"a text {turn}", 12)),
    }


def painting(painter: Painter) -> dict[str, dict[str, float]]:
    """One picture at the defaults: until the first preview, and until it is done."""
    firsts = []

    def paint(turn: int) -> None:
        began = time.perf_counter()
        stages = painter.paint("tomato", seed=turn)
        next(stages)
        firsts.append(time.perf_counter() - began)
        for _ in stages:
            pass

    whole = times(paint, rounds=PAINTINGS)
    return {
        "first preview of a painting": spread(firsts[1:]),
        f"one picture, {painter.steps} steps": whole,
    }


def times(work: Callable[[int], Any], *, rounds: int = ROUNDS) -> dict[str, float]:
    """Milliseconds of single calls, after one that does not count."""
    found = []
    for turn in range(rounds + 1):
        began = time.perf_counter()
        work(turn)
        found.append(time.perf_counter() - began)
    return spread(found[1:])


def spread(seconds: list[float]) -> dict[str, float]:
    """The median and what 95 % stay below."""
    p50, p95 = np.percentile(seconds, [50, 95])
    return {"p50_ms": round(1000 * float(p50), 2), "p95_ms": round(1000 * float(p95), 2)}


def table(figures: dict[str, dict[str, float]]) -> str:
    """The figures as Markdown."""
    rows = [f"| {name} | {one['p50_ms']} | {one['p95_ms']} |" for name, one in figures.items()]
    return "\n".join(["| | p50 ms | p95 ms |", "|---|---|---|", *rows])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
