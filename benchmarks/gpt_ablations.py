"""What each part of the mini-GPT is worth: one thing changed at a time, the same seconds for all.

Run: python -m benchmarks.gpt_ablations [--seconds 30] [--only positions] [--data FILE.txt]

Characters. The last tenth of the text is set aside and not looked at: all rows learn from and are
measured on parts of the first nine tenths, so that choosing by this table does not tune on it.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from training.shared.memory import keep_freed_memory

TEXT = Path(__file__).parents[2] / "shared" / "data" / "tinyshakespeare.txt"
SHAPE = {"heads": 4, "kv_heads": 4, "width": 96, "hidden": 256}
BASE = "RoPE, 4 heads, dense, Muon"
# group -> what the row is called -> what is changed of the base
ABLATIONS: dict[str, dict[str, dict[str, Any]]] = {
    "positions": {
        "learned positions": {"positions": "learned"},
        "sinusoidal positions": {"positions": "sinusoidal"},
        "ALiBi": {"positions": "alibi"},
    },
    "groups": {
        "2 heads of keys and values (grouped-query)": {"kv_heads": 2},
        "1 head of keys and values (multi-query)": {"kv_heads": 1},
    },
    "experts": {
        "4 experts of half the width, 2 a token": {
            "experts": 4,
            "experts_per_token": 2,
            "hidden": 128,
        },
        "4 experts of full width, 1 a token": {"experts": 4, "experts_per_token": 1},
    },
    "optimizer": {
        "AdamW, rate 0.002": {"optimizer": "adamw", "learning_rate": 0.002},
        "AdamW, rate 0.005": {"optimizer": "adamw", "learning_rate": 0.005},
        "AdamW, rate 0.01": {"optimizer": "adamw", "learning_rate": 0.01},
    },
}


def main(arguments: list[str]) -> int:
    """Train every row and print the table and the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0, help="of training, each row")
    parser.add_argument("--only", choices=sorted(ABLATIONS), help="one group of rows")
    parser.add_argument("--data", type=Path, default=TEXT)
    args = parser.parse_args(arguments)
    keep_freed_memory()  # as `python -m training` does
    changes = {BASE: dict[str, Any]()}
    for group in [args.only] if args.only else ABLATIONS:
        changes |= ABLATIONS[group]
    with tempfile.TemporaryDirectory() as folder:
        part = _training_part(args.data, Path(folder))
        measure(part, 1.0, {})  # the first run pays for compiling
        rows = {name: measure(part, args.seconds, what) for name, what in changes.items()}
    print(table(rows, args.seconds))
    print(json.dumps({"seconds": args.seconds, "rows": rows}))
    return 0


def measure(data: Path, seconds: float, changes: dict[str, Any]) -> dict[str, float]:
    """Train with `changes` of the quick preset for `seconds`; loss on the part's own last tenth."""
    from training.gpt.config import PRESETS, checked
    from training.gpt.data import load_corpus
    from training.gpt.evaluate import held_out_loss
    from training.gpt.train import train
    from training.shared.progress import Progress

    plan = {"tokenizer": "char", "max_seconds": seconds, "checkpoint_seconds": 1e9}
    config = checked(replace(PRESETS["quick"], **plan, **{**SHAPE, **changes}))
    corpus = load_corpus(str(data), hub=None, config=config)
    progress = Progress("gpt", data.parent, quiet=True)
    trained = train(corpus, config, output=data.parent / "run", progress=progress)
    return {
        "loss": round(held_out_loss(trained.model, corpus.held_out_ids), 4),
        "parameters": trained.parameters,
        "tokens_seen": trained.tokens_seen,
        "tokens_per_second": round(trained.tokens_per_second),
    }


def table(rows: dict[str, dict[str, float]], seconds: float) -> str:
    """The figures as Markdown, beside the base."""
    base = rows[BASE]
    lines = [
        f"| {seconds:.0f} s each | nats a character | against the base | weights | tokens/s | "
        "speed against the base |",
        "|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        speed = row["tokens_per_second"] / base["tokens_per_second"]
        lines.append(
            f"| {name} | {row['loss']:.3f} | {row['loss'] - base['loss']:+.3f} | "
            f"{row['parameters']:,} | {row['tokens_per_second']:,} | {speed:.2f}× |"
        )
    return "\n".join(lines)


def _training_part(data: Path, folder: Path) -> Path:
    """A file of the first nine tenths of `data`."""
    from training.gpt.data import hold_out, read_text

    part = folder / f"first-nine-tenths-of-{data.name}"
    part.write_text(hold_out(read_text(data))[0], "utf-8")
    return part


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
