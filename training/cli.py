"""The recipes and their command lines.

    python -m training bert --preset quick
    python -m training all

Progress goes to stderr; the last line of stdout is one JSON object with the run's figures.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from training import jobs
from training.bert import cli as bert
from training.clip import cli as clip
from training.diffusion import cli as diffusion
from training.export import cli as export
from training.gpt import cli as gpt
from training.index import cli as index
from training.index import evaluate_cli as index_eval
from training.shared.cli import job_options, run_command


@dataclass(frozen=True)
class Recipe:
    """A model that can be trained. `add_parser` sets `run`, which returns an exit code."""

    name: str
    add_parser: Callable[[Any], None]


# A new recipe is a folder under training/ and a row here.
RECIPES: tuple[Recipe, ...] = (
    Recipe("bert", bert.add_parser),
    Recipe("gpt", gpt.add_parser),
    Recipe("index", index.add_parser),
    Recipe("clip", clip.add_parser),
    Recipe("diffusion", diffusion.add_parser),
)
# Commands that train nothing: `all` leaves them out.
OTHERS: tuple[Recipe, ...] = (
    Recipe(index_eval.NAME, index_eval.add_parser),
    Recipe(export.NAME, export.add_parser),
)


def build_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = argparse.ArgumentParser(
        prog="python -m training", description="Train a model and publish it to the Hub."
    )
    subparsers = parser.add_subparsers(dest="recipe", required=True, metavar="RECIPE")
    for recipe in (*RECIPES, *OTHERS):
        recipe.add_parser(subparsers)
    every = subparsers.add_parser("all", help="every recipe, with its defaults")
    job_options(every)
    every.set_defaults(run=run_all)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, here or as a job, and return its exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    args = build_parser().parse_args(words)
    if getattr(args, "on", "here") == "jobs":
        return run_command(lambda: jobs.submit(args, words))
    return run_command(lambda: jobs.refuse_stray_options(args)) or int(args.run(args))


def run_all(_args: argparse.Namespace) -> int:
    """Every recipe one after the other, each in its own process; stops at the first failure."""
    import subprocess

    figures = {}
    for recipe in RECIPES:
        command = [sys.executable, "-m", "training", recipe.name]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            return done.returncode
        figures[recipe.name] = json.loads(done.stdout.strip().splitlines()[-1])
    print(json.dumps(figures))
    return 0
