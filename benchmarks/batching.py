"""Whether many users' questions are cheaper together.  Run: python -m benchmarks.batching

One question after the other by one user, then by 16 users at once, each way: every user's call runs
the model by itself, or calls that come while the model is busy are served together by its next
pass. Both ways alternate in one run, with the models that the lab here has published.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from benchmarks.page_calls import WORDS

USERS, SECONDS, ROUNDS = 16, 3.0, 3
BEFORE = 2  # calls that the page let in at once when each ran by itself
STREAMS, TOKENS = 4, 400

Ask = Callable[[str], Any]


def main(arguments: list[str]) -> int:
    """Measure and print the table and the figures."""
    from training.bert.config import DEFAULT_REPO as CLASSIFIER
    from training.clip.config import DEFAULT_REPO as CLIP
    from training.gpt.config import DEFAULT_REPO as WRITER

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--classifier", default=CLASSIFIER, help="Hub id or folder")
    parser.add_argument("--clip", default=CLIP, help="Hub id or folder")
    parser.add_argument("--writer", default=WRITER, help="Hub id or folder")
    args = parser.parse_args(arguments)
    figures = {**_of_classifier(args.classifier), **_of_clip(args.clip)}
    writing = _of_writer(args.writer)
    print(_table(figures))
    print("\n" + _said(writing))
    figures["writing"] = writing
    print(json.dumps(figures))
    return 0


def _of_classifier(repo: str) -> dict[str, Any]:
    from training.bert.inference import load

    classifier = load(repo)
    return {
        f"classify, {words} words": _compared(
            lambda text: classifier._scored([text]),
            lambda text: classifier.classify([text]),
            words=words,
        )
        for words in (12, 120)
    }


def _of_clip(repo: str) -> dict[str, Any]:
    from training.clip.inference import load

    clip = load(repo)
    ways = (lambda text: clip._encoded([[text]]), lambda text: clip.encode_texts([text]))
    return {"CLIP, 8 words": _compared(*ways, words=8)}  # so many that none is remembered


def _of_writer(repo: str) -> dict[str, float]:
    """Tokens a second of one stream and of four at once, and milliseconds of the network's step."""
    from training.gpt.inference import load

    writer = load(repo)
    for _ in range(2):  # the first ones wait for the compiled engine
        _written(writer, streams=1)
    network = writer.engine.network
    cache = network.new_cache(slots=STREAMS, length=writer.context)
    return {
        **{f"{n}_streams_tokens_per_second": _written(writer, streams=n) for n in (1, STREAMS)},
        **{f"step_of_{n}_ms": _step_ms(network, cache, n) for n in (1, STREAMS)},
    }


def _written(writer: Any, *, streams: int) -> float:
    def write(seed: int) -> None:
        for _ in writer.stream("Once upon a time", TOKENS, temperature=0.8, seed=seed):
            pass

    threads = [threading.Thread(target=write, args=(n,)) for n in range(streams)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return round(streams * TOKENS / (time.perf_counter() - began), 1)


def _step_ms(network: Any, cache: Any, texts: int) -> float:
    times = []
    for place in range(100):
        began = time.perf_counter()
        network.step(cache, [1] * texts, slots=range(texts), starts=[place] * texts)
        times.append(time.perf_counter() - began)
    return round(1000 * statistics.median(times), 3)


def _said(writing: dict[str, float]) -> str:
    one, many = (writing[f"{n}_streams_tokens_per_second"] for n in (1, STREAMS))
    return (
        f"Writing: one stream has {one:,.0f} tokens/s, {STREAMS} at once {many:,.0f} together. The "
        f"network's own step takes {writing['step_of_1_ms']} ms for one text and "
        f"{writing[f'step_of_{STREAMS}_ms']} ms for {STREAMS} together."
    )


def _compared(each: Ask, together: Ask, *, words: int) -> dict[str, Any]:
    """Throughput and p50 of both ways, for one user and for many."""
    turn = threading.Semaphore(BEFORE)

    def in_turn(text: str) -> None:
        with turn:
            each(text)

    ways: dict[str, Ask] = {"each": in_turn, "together": together}
    found: dict[str, dict[str, list[float]]] = {}
    each("warm")
    for _ in range(ROUNDS):
        for name, ask in ways.items():
            for users in (1, USERS):
                rate, p50 = _asked(ask, users=users, words=words)
                kept = found.setdefault(f"{name} {users}", {"rate": [], "p50_ms": []})
                kept["rate"].append(rate)
                kept["p50_ms"].append(1000 * p50)
    return {
        name: {key: round(statistics.median(values), 2) for key, values in kept.items()}
        for name, kept in found.items()
    }


def _asked(ask: Ask, *, users: int, words: int) -> tuple[float, float]:
    """Answers a second of all users together, and the median seconds of one answer."""
    end = time.perf_counter() + SECONDS
    times: list[float] = []

    def user() -> None:
        luck = random.Random()  # noqa: S311 - no text comes twice
        while (began := time.perf_counter()) < end:
            ask(" ".join(luck.choices(WORDS.split(), k=words)))
            times.append(time.perf_counter() - began)

    threads = [threading.Thread(target=user) for _ in range(users)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(times) / (time.perf_counter() - began), statistics.median(times)


def _table(figures: dict[str, Any]) -> str:
    rows = [
        f"| | one user, p50 | the same, together | {USERS} users, answers/s | together | ratio |",
        "|---|---|---|---|---|---|",
    ]
    for name, ways in figures.items():
        each, together = ways[f"each {USERS}"], ways[f"together {USERS}"]
        p50 = [f"{ways[f'{way} 1']['p50_ms']:.1f} ms" for way in ("each", "together")]
        rates = [f"{way['rate']:.1f}" for way in (each, together)]
        ratio = f"{together['rate'] / each['rate']:.2f}×"
        rows.append(f"| {name} | {' | '.join([*p50, *rates, ratio])} |")
    return "\n".join(rows)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
