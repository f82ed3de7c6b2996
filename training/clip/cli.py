"""The command `python -m training clip`: pictures with captions in, a published CLIP out."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub_utils.names import RepoId
from training.clip.config import (
    DEFAULT_DATA,
    DEFAULT_OUTPUT,
    DEFAULT_REPO,
    DEFAULT_TEXT,
    PRESETS,
    SHOWN_SIDE,
    TOWERS,
    checked,
    preset,
)
from training.shared.cli import (
    add_common_options,
    add_overrides,
    command_line,
    folder_of,
    hub_for,
    overridden,
    quiet_libraries,
    run_command,
)
from training.shared.progress import Progress
from training.shared.publishing import publish

if TYPE_CHECKING:
    from hub_utils.connection import Hub
    from training.clip.publish import Outcome

# Options that replace a value of the preset when given.
OVERRIDES: dict[str, dict[str, Any]] = {
    "text": {"help": f"encoder of the texts, Hub id or folder (default: {DEFAULT_TEXT})"},
    "text_revision": {"help": "its branch, tag or commit"},
    "tower": {"choices": sorted(TOWERS), "help": "of the pictures"},
    "image_size": {"type": int, "help": "pixels a side"},
    "loss": {"choices": ("softmax", "sigmoid"), "help": "CLIP's or SigLIP's"},
    "epochs": {"type": float, "help": "passes over the data, if time allows"},
    "batch_size": {"type": int, "help": "pictures per step"},
    "learning_rate": {"type": float, "help": "its peak"},
    "augment": {"type": float, "help": "how much pictures are changed; 0: not at all"},
    "checkpoint_seconds": {"type": float, "help": "seconds between checkpoints"},
}


def add_parser(subparsers: Any) -> None:
    """Add this recipe to the program's command line."""
    parser = subparsers.add_parser("clip", help="pictures and texts: CLIP", description=__doc__)
    parser.add_argument(
        "--data", default=DEFAULT_DATA, help="Hub id, or folder of pictures with metadata.jsonl"
    )
    parser.add_argument("--eval-data", help="measure on this instead of held-out pictures")
    parser.add_argument("--image-column", help="default: image")
    parser.add_argument("--caption-column", help="default: caption or text")
    add_common_options(parser, presets=PRESETS, output=DEFAULT_OUTPUT, repo=DEFAULT_REPO)
    add_overrides(parser, OVERRIDES)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Train, evaluate, publish; returns the exit code."""
    return run_command(lambda: train_and_publish(args))


def train_and_publish(args: argparse.Namespace) -> Mapping[str, Any]:
    """The whole loop. Returns the figures."""
    config = checked(overridden(preset(args.preset), args))
    quiet_libraries()
    progress = Progress("clip", args.output_dir)
    hub = hub_for([args.data, args.eval_data, config.text], push=args.push)
    from training.clip.train import train
    from training.shared.captioned import load_pictures

    progress.say("load", f"data {Path(args.data).name}, texts by {config.text_name}")
    corpus = load_pictures(
        args.data,
        hub=hub,
        size=max(config.image_size, SHOWN_SIDE),
        eval_data=args.eval_data,
        image_column=args.image_column,
        caption_column=args.caption_column,
        seed=config.seed,
    )
    text_folder, revision = folder_of(config.text, hub=hub, revision=config.text_revision)
    config = replace(config, text_revision=revision)
    trained = train(
        corpus,
        config,
        text_folder=text_folder,
        output=args.output_dir,
        progress=progress,
        resume=args.resume,
    )
    progress.say("evaluate", f"{len(corpus.held_out):,} held-out pictures")
    from training.clip.evaluate import evaluate
    from training.clip.model import build
    from training.clip.publish import Outcome
    from training.shared.seed import seed_everything

    seed_everything(config.seed)
    evaluation = evaluate(
        trained.model,
        trained.tokenizer,
        corpus,
        learned=trained.learned,
        untrained=build(config, text_folder),
    )
    repo = hub.repo(args.repo) if hub else RepoId.parse(args.repo, namespace="local")
    outcome = Outcome(corpus, config, trained, evaluation, repo, command_line(args))
    return _published(args, outcome, hub=hub, progress=progress)


def _published(
    args: argparse.Namespace, outcome: Outcome, *, hub: Hub | None, progress: Progress
) -> Mapping[str, Any]:
    """Write the repository, push it if asked, and give the figures."""
    from training.clip.publish import figures, write_repository

    found = outcome.evaluation.held_out.text_to_image[10]
    progress.say("evaluate", f"recall@10 {found:.3f}, zero-shot {outcome.evaluation.zero_shot:.3f}")
    folder = write_repository(outcome, args.output_dir / "repository")
    pushed = publish(
        folder,
        outcome.repo,
        hub=hub if args.push else None,
        message=f"Train on {outcome.corpus.name}: recall@10 {found:.3f}",
        progress=progress,
    )
    return {**figures(outcome), **pushed}
