"""Recall of the CLIP on base emoji that it never saw, over several seeds, beside chance.

Run: python -m benchmarks.clip_quality [--seeds 2] [-- OPTIONS of `training clip`]

Each row is a run of `python -m training clip --preset quick` in a process of its own with nothing
published. The control is the same image tower with random weights.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from typing import Any

FIGURES = {
    "text_to_image_recall_at_1": "text → image @1",
    "text_to_image_recall_at_10": "@10",
    "text_to_image_recall_at_10_by_cosine": "@10 by cosine alone",
    "image_to_text_recall_at_10": "image → text @10",
    "zero_shot_accuracy": "zero-shot",
    "train_text_to_image_recall_at_10": "seen in training @10",
}


def main(arguments: list[str]) -> int:
    """Measure and print the table and the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("options", nargs="*", help="for the training")
    args = parser.parse_args(arguments)
    runs = [train(seed, args.options) for seed in range(args.seeds)]
    print(table(runs))
    print(json.dumps(runs))
    return 0


def train(seed: int, options: list[str]) -> dict[str, Any]:
    """Figures of one run."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "training", "clip", "--output-dir", folder]
        command += ["--no-push", "--seed", str(seed), *options]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    figures: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return figures


def table(runs: list[dict[str, Any]]) -> str:
    """The figures as Markdown: a row a seed, then the means, chance and control."""
    head = ["seed", *FIGURES.values(), "steps", "train s"]
    rows = [[str(run["seed"]), *_cells(run), f"{run['steps']:,}", _seconds(run)] for run in runs]
    means = {key: statistics.mean(run[key] for run in runs) for key in FIGURES}
    rows.append(["**mean**", *(f"**{cell}**" for cell in _cells(means)), "", ""])
    one = runs[0]
    chance, control = one["chance_recall_at_10"], one["control_text_to_image_recall_at_10"]
    zero, random = one["chance_zero_shot"], one["control_zero_shot"]
    found = f"{chance:.4f}"
    rows.append(["chance", "", found, found, found, f"{zero:.3f}", "", "", ""])
    rows.append(["random tower", "", f"{control:.4f}", "", "", f"{random:.3f}", "", "", ""])
    lines = [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]
    said = f"{one['queries']} texts never seen, among {one['collection']:,} pictures."
    return "\n".join([*lines, "", said])


def _cells(figures: dict[str, Any]) -> list[str]:
    return [f"{figures[key]:.3f}" for key in FIGURES]


def _seconds(run: dict[str, Any]) -> str:
    return f"{run['train_seconds']:.0f}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
