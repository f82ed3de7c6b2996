"""Accuracy of the classifier: Reuters R8 over several seeds, and sentences of your own.

Run: python -m benchmarks.classifier_quality [--seeds 3] [--sentences FILE.tsv]

Each row is a run of `python -m training bert` in a process of its own with nothing published. The
reference (tf-idf and a linear support vector machine) learns from the same texts in the same run.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

SENTENCES = Path(__file__).parents[2] / "shared" / "data" / "sst2-train.tsv"


def main(arguments: list[str]) -> int:
    """Measure and print the table and the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sentences", type=Path, default=SENTENCES)
    args = parser.parse_args(arguments)
    runs = {"Reuters R8": [train("--seed", str(seed)) for seed in range(args.seeds)]}
    if args.sentences.exists():
        name = f"{args.sentences.name}, a tenth held out"
        runs[name] = [train("--data", str(args.sentences), "--max-seconds", "240")]
    print(table(runs))
    print(json.dumps({name: [_figures(run) for run in found] for name, found in runs.items()}))
    return 0


def train(*options: str) -> dict[str, Any]:
    """Figures of one run."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "training", "bert", "--no-push", "--output-dir", folder]
        done = subprocess.run([*command, *options], stdout=subprocess.PIPE, text=True, check=True)
    figures: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return figures


def table(runs: dict[str, list[dict[str, Any]]]) -> str:
    """The figures as Markdown: mean and spread over the seeds."""
    lines = [
        "| data | runs | accuracy % | macro-F1 % | tf-idf + SVM % | seconds | layers trained |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, found in runs.items():
        seconds = max(run["train_seconds"] for run in found)
        layers = sorted({6 - run["frozen_layers"] for run in found})
        lines.append(
            f"| {name} | {len(found)} | {_spread(found, 'accuracy')} | "
            f"{_spread(found, 'macro_f1')} | {_spread(found, 'tfidf_svm_accuracy')} | "
            f"≤ {seconds:.0f} | {', '.join(map(str, layers))} |"
        )
    return "\n".join(lines)


def _spread(runs: list[dict[str, Any]], key: str) -> str:
    values = [100 * run[key] for run in runs]
    mean = f"{statistics.mean(values):.2f}"
    if len(set(values)) == 1:
        return mean
    return f"{mean} ± {statistics.stdev(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def _figures(run: dict[str, Any]) -> dict[str, Any]:
    keys = ("accuracy", "macro_f1", "expected_calibration_error", "tfidf_svm_accuracy")
    return {key: run[key] for key in (*keys, "train_seconds", "steps", "frozen_layers", "seed")}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
