"""Our served path beside `transformers.pipeline` with its defaults: same weights, same texts.

Run: python -m benchmarks.classifier_speed [REPO_OR_FOLDER]   (default: reuters-classifier)

Texts are the held-out part of Reuters R8. Both are told to truncate, since the pipeline fails on
texts that are longer than its model reads. Rounds alternate, so that a busy moment hits both.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

TEXTS = 600  # of R8's 2,189, spread evenly over them
ROUNDS = 3
SINGLES = 60  # texts for the time of one


def main(arguments: list[str]) -> int:
    """Measure and print the table and the figures."""
    from training.bert.config import DEFAULT_REPO

    classifier, pipe, texts = opened(arguments[0] if arguments else DEFAULT_REPO)
    figures = compare(classifier, pipe, texts)
    print(table(figures))
    print(json.dumps(figures))
    return 0


def opened(name: str) -> tuple[Any, Any, list[str]]:
    """(our classifier, the stock pipeline on the same files, texts)."""
    from hub_utils.connection import connect
    from hub_utils.pull import pull
    from hub_utils.settings import Settings
    from training.bert.config import DEFAULT_DATA
    from training.bert.data import load_corpus
    from training.bert.inference import load_pulled

    hub = connect(Settings.from_env())
    pulled = pull(hub.repo(name), hub=hub)
    from transformers import pipeline

    texts = load_corpus(DEFAULT_DATA, hub=hub).held_out.texts
    chosen = list(texts[:: max(1, len(texts) // TEXTS)])[:TEXTS]
    return load_pulled(pulled), pipeline("text-classification", str(pulled.folder)), chosen


def compare(classifier: Any, pipe: Any, texts: list[str]) -> dict[str, Any]:
    """Throughput over all texts, the time of single ones, and agreement."""
    ours_labels = [next(iter(scores)) for scores in classifier.classify(texts)]
    pipe(texts[:8], truncation=True)
    ours, stock, stock_labels = [], [], []
    for _ in range(ROUNDS):
        seconds, _ = timed(lambda: classifier.classify(texts))
        ours.append(len(texts) / seconds)
        seconds, answers = timed(lambda: pipe(texts, truncation=True))
        stock.append(len(texts) / seconds)
        stock_labels = [answer["label"] for answer in answers]
    single_ours, single_stock = singles(classifier, pipe, texts[:SINGLES])
    same = sum(a == b for a, b in zip(ours_labels, stock_labels, strict=True))
    return {
        "texts": len(texts),
        "ours_texts_per_second": [round(rate, 1) for rate in ours],
        "pipeline_texts_per_second": [round(rate, 1) for rate in stock],
        "throughput_ratio": round(statistics.median(ours) / statistics.median(stock), 2),
        "label_agreement": round(same / len(texts), 5),
        "ours_single_p50_ms": round(1000 * statistics.median(single_ours), 2),
        "pipeline_single_p50_ms": round(1000 * statistics.median(single_stock), 2),
    }


def singles(classifier: Any, pipe: Any, texts: list[str]) -> tuple[list[float], list[float]]:
    """Seconds of each text alone, ours and the pipeline's, one after the other."""
    ours, stock = [], []
    for text in texts:
        ours.append(timed(lambda text=text: classifier.classify([text]))[0])
        stock.append(timed(lambda text=text: pipe(text, truncation=True))[0])
    return ours, stock


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """(seconds, result)."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def table(figures: dict[str, Any]) -> str:
    """The figures as Markdown."""

    def row(name: str, key: str) -> str:
        rates = figures[f"{key}_texts_per_second"]
        return (
            f"| {name} | {statistics.median(rates):.1f} | {min(rates):.1f} to {max(rates):.1f} "
            f"| {figures[f'{key}_single_p50_ms']:.1f} |"
        )

    return "\n".join(
        [
            "| | texts/s (median) | spread | one text, p50 ms |",
            "|---|---|---|---|",
            row("ours", "ours"),
            row("`transformers.pipeline`, defaults", "pipeline"),
            "",
            f"{figures['throughput_ratio']}× the pipeline's throughput; the same label for "
            f"{100 * figures['label_agreement']:.2f} % of {figures['texts']} texts.",
        ]
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
