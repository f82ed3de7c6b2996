"""Loss of the mini-GPT on Shakespeare's characters after a minute and a half, over several seeds.

Run: python -m benchmarks.gpt_quality [--seeds 3] [--data FILE.txt]

Each row is runs of `python -m training gpt --tokenizer char --max-seconds N` in processes of their
own with nothing published; the loss is over the whole last tenth of the text. The reference is
nanoGPT's documented run on a CPU, 1.909 after 89 s; a run planned for 20 s is set against it.
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

TEXT = Path(__file__).parents[2] / "shared" / "data" / "tinyshakespeare.txt"
REFERENCE = 1.909  # nats per character, nanoGPT's README, 0.80M parameters
BUDGETS = (89, 20)  # seconds


def main(arguments: list[str]) -> int:
    """Measure and print the table and the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--data", type=Path, default=TEXT)
    args = parser.parse_args(arguments)
    runs = {
        seconds: [train(args.data, seconds, seed) for seed in range(args.seeds)]
        for seconds in BUDGETS
    }
    print(table(runs))
    print(json.dumps({f"{seconds} s": found for seconds, found in runs.items()}))
    return 0


def train(data: Path, seconds: int, seed: int) -> dict[str, Any]:
    """Figures of one run, and when its curve first passed the reference."""
    options = f"--tokenizer char --max-seconds {seconds} --seed {seed} --no-push"
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "training", "gpt", "--output-dir", folder]
        command += ["--data", str(data), *options.split()]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        measured = Path(folder) / "repository" / "evaluation.json"
        history = json.loads(measured.read_text("utf-8"))["history"]
    figures: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    keys = ("val_loss", "bits_per_byte", "parameters", "tokens_seen", "tokens_per_second")
    chosen = {key: figures[key] for key in (*keys, "train_seconds", "steps", "seed")}
    return chosen | {"seconds_to_reference": seconds_to(history, REFERENCE)}


def seconds_to(history: list[dict[str, float]], loss: float) -> float | None:
    """When the validation loss, measured on a sample now and then, was first at most `loss`."""
    passed = (point["seconds"] for point in history if point.get("validation", loss + 1) <= loss)
    return next(passed, None)


def table(runs: dict[int, list[dict[str, Any]]]) -> str:
    """The figures as Markdown: mean and spread over the seeds."""
    lines = [
        "| planned for | runs | nats a character | bits a byte | weights | tokens | tokens/s | "
        f"{REFERENCE} passed after |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for seconds, found in runs.items():
        passed = [run["seconds_to_reference"] for run in found if run["seconds_to_reference"]]
        lines.append(
            f"| {seconds} s | {len(found)} | {_spread(found, 'val_loss', 3)} | "
            f"{_spread(found, 'bits_per_byte', 3)} | {found[0]['parameters']:,} | "
            f"{_spread(found, 'tokens_seen', 0)} | {_spread(found, 'tokens_per_second', 0)} | "
            f"{f'≤ {max(passed):.0f} s' if len(passed) == len(found) else 'not by all'} |"
        )
    return "\n".join(lines)


def _spread(runs: list[dict[str, Any]], key: str, digits: int) -> str:
    values = [run[key] for run in runs]
    mean = f"{statistics.mean(values):,.{digits}f}"
    if len(set(values)) == 1:
        return mean
    return f"{mean} ({min(values):,.{digits}f} to {max(values):,.{digits}f})"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
