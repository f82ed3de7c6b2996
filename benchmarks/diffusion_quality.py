"""Does the small diffusion model paint what it is asked for, and how much does its sampler save?

Run: python -m benchmarks.diffusion_quality [--preset quick] [--seeds 1] [--pixels]

A judge is trained first (`python -m training clip --preset judge`), of another seed and
architecture than anything in the painter. Prompt accuracy is the share of pictures whose best text
by the judge, among the own prompt and 19 others, is the prompt. Then one painter paints every
prompt again with the stock pipeline's defaults: PNDM, 50 steps, guidance 7.5. --pixels also trains
in the space of the pixels for the same time.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image

    from training.diffusion.evaluate import Judge

STOCK_STEPS, STOCK_GUIDANCE = 50, 7.5  # StableDiffusionPipeline.__call__
BATCH = 32
ALONE = 20  # single pictures whose time is measured


def main(arguments: list[str]) -> int:
    """Measure and print the tables and the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--pixels", action="store_true", help="also without latents")
    args = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        judge = train(folder / "judge", "clip", "--preset", "judge")
        measured = ["--judge", str(folder / "judge" / "repository")]
        runs = [
            {
                "preset": name,
                **train(
                    folder / f"{name}-{seed}", "diffusion", "--preset", name, *measured,
                    "--seed", str(seed),
                ),
            }
            for name in (args.preset, *(["pixels"] if args.pixels else []))
            for seed in range(args.seeds)
        ]  # fmt: skip
        samplers = compare(
            folder / f"{args.preset}-0" / "repository", folder / "judge" / "repository"
        )
    print(table(runs))
    print()
    print(samplers_table(samplers))
    print(json.dumps({"judge": judge, "runs": runs, "samplers": samplers}))
    return 0


def train(folder: Path, recipe: str, *options: str) -> dict[str, Any]:
    """Figures of one training in a process of its own, nothing published."""
    command = [sys.executable, "-m", "training", recipe, "--output-dir", str(folder), "--no-push"]
    done = subprocess.run([*command, *options], stdout=subprocess.PIPE, text=True, check=True)
    figures: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return figures


def compare(painter: Path, judge_folder: Path) -> list[dict[str, Any]]:
    """The published sampler and the stock pipeline's own, on the same weights and prompts."""
    from diffusers import DiffusionPipeline, PNDMScheduler

    from training.diffusion.config import FACTS
    from training.diffusion.evaluate import load_judge

    judge = load_judge(judge_folder, name="judge", revision=None)
    facts = json.loads((painter / FACTS).read_text("utf-8"))
    pipeline = DiffusionPipeline.from_pretrained(str(painter), use_safetensors=True)
    pipeline.set_progress_bar_config(disable=True)
    captions = facts["prompts"]
    ours = measure("as published", pipeline, captions, judge, facts["steps"], facts["guidance"])
    pipeline.scheduler = PNDMScheduler.from_config(pipeline.scheduler.config, skip_prk_steps=True)
    stock = measure("PNDM, stock", pipeline, captions, judge, STOCK_STEPS, STOCK_GUIDANCE)
    return [ours, stock]


def measure(
    name: str, pipeline: Any, captions: Sequence[str], judge: Judge, steps: int, guidance: float
) -> dict[str, Any]:
    """Prompt accuracy and speed of one sampler."""
    from training.diffusion.evaluate import prompt_accuracy
    from training.diffusion.painting import painted

    painted(pipeline, captions[:1], [0], steps=2, guidance=guidance)
    began = time.perf_counter()
    images: list[Image] = []
    for start in range(0, len(captions), BATCH):
        some = captions[start : start + BATCH]
        seeds = range(start, start + len(some))
        images += painted(pipeline, some, list(seeds), steps=steps, guidance=guidance)
    seconds = time.perf_counter() - began
    alone = []
    for seed, caption in enumerate(captions[:ALONE]):
        began = time.perf_counter()
        painted(pipeline, [caption], [seed], steps=steps, guidance=guidance)
        alone.append(time.perf_counter() - began)
    return {
        "sampler": name,
        "steps": steps,
        "guidance": guidance,
        "prompt_accuracy": round(prompt_accuracy(judge, images, captions), 4),
        "images_per_second": round(len(captions) / seconds, 2),
        "one_picture_ms": round(1000 * sorted(alone)[len(alone) // 2], 1),
    }


def table(runs: list[dict[str, Any]]) -> str:
    """The trainings as Markdown."""
    columns = {
        "seed": "seed",
        "prompts": "prompts",
        "prompt accuracy": "prompt_accuracy",
        "real pictures": "prompt_accuracy_of_real_pictures",
        "noise": "prompt_accuracy_of_noise",
        "chance": "chance",
        "diversity": "diversity",
        "near-copies": "copies",
        "U-Net steps": "steps",
        "train s": "train_seconds",
    }
    rows = [[run["preset"], *(f"{run[key]:.3g}" for key in columns.values())] for run in runs]
    return _markdown(["preset", *columns], rows)


def samplers_table(samplers: list[dict[str, Any]]) -> str:
    """The samplers as Markdown, with the ratio of their speeds."""
    base = samplers[-1]["images_per_second"]
    rows = [
        [
            one["sampler"],
            str(one["steps"]),
            f"{one['guidance']:g}",
            f"{one['prompt_accuracy']:.3f}",
            f"{one['images_per_second']:.1f}",
            f"{one['images_per_second'] / base:.1f}×",
            f"{one['one_picture_ms']:.0f}",
        ]
        for one in samplers
    ]
    head = ["sampler", "steps", "guidance", "prompt accuracy", "pictures/s", "ratio", "one, ms"]
    return _markdown(head, rows)


def _markdown(head: list[str], rows: list[list[str]]) -> str:
    lines = [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
