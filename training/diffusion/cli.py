"""The command `python -m training diffusion`: captioned pictures in, a published painter out."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub_utils.errors import RepoNotFoundError, SettingsError
from hub_utils.names import RepoId
from training.diffusion.config import (
    DEFAULT_DATA,
    DEFAULT_JUDGE,
    DEFAULT_OUTPUT,
    DEFAULT_REPO,
    DEFAULT_TEXT,
    PRESETS,
    RATES,
    checked,
    continued,
    preset,
)
from training.shared.cli import (
    add_common_options,
    add_overrides,
    command_line,
    folder_of,
    hub_for,
    is_path,
    overridden,
    quiet_libraries,
    run_command,
)
from training.shared.progress import Progress
from training.shared.publishing import publish

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

    from hub_utils.connection import Hub
    from training.diffusion.collection import Combination
    from training.diffusion.evaluate import Asked, Evaluation, Judge
    from training.diffusion.publish import Outcome
    from training.diffusion.train import Trained
    from training.shared.captioned import Pictures

# Options that replace a value of the preset when given.
OVERRIDES: dict[str, dict[str, Any]] = {
    "text": {"help": f"encoder of the prompts, Hub id or folder (default: {DEFAULT_TEXT})"},
    "text_revision": {"help": "its branch, tag or commit"},
    "pictures": {"type": int, "help": "how many are learnt"},
    "image_size": {"type": int, "help": "pixels a side"},
    "decoder_seconds": {"type": float, "help": "the autoencoder's share of the time"},
    "decoder_steps": {"type": int, "help": "its most steps"},
    "batch_size": {"type": int, "help": "pictures per step"},
    "matrix_rate": {"type": float, "help": "Muon's learning rate at its peak"},
    "other_rate": {"type": float, "help": "AdamW's"},
    "augment": {"type": float, "help": "how much pictures are moved; 0: not at all"},
    "sampling_steps": {"type": int, "help": "steps of a painting"},
    "guidance": {"type": float, "help": "of a painting"},
    "checkpoint_seconds": {"type": float, "help": "seconds between checkpoints"},
}


NO_JUDGE = "none"  # an answer to --judge


@dataclass(frozen=True)
class Start:
    """A published painter to go on from."""

    folder: Path
    name: str  # for people
    repo: RepoId | None = None  # on the Hub


def add_parser(subparsers: Any) -> None:
    """Add this recipe to the program's command line."""
    parser = subparsers.add_parser(
        "diffusion", help="text to picture: latent diffusion", description=__doc__
    )
    parser.add_argument(
        "--data", default=DEFAULT_DATA, help="Hub id, or folder of pictures with metadata.jsonl"
    )
    parser.add_argument("--image-column", help="default: image")
    parser.add_argument("--caption-column", help="default: caption or text")
    parser.add_argument(
        "--judge",
        help="CLIP that measures, Hub id or folder; none: measure nothing "
        f"(default: {DEFAULT_JUDGE} if it is published)",
    )
    parser.add_argument(
        "--from", dest="start", metavar="REPO", help="go on from a published painter, id or folder"
    )
    parser.add_argument("--from-revision", help="its branch, tag or commit")
    add_common_options(parser, presets=PRESETS, output=DEFAULT_OUTPUT, repo=DEFAULT_REPO)
    add_overrides(parser, OVERRIDES)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Train, evaluate, publish; returns the exit code."""
    return run_command(lambda: train_and_publish(args))


def train_and_publish(args: argparse.Namespace) -> Mapping[str, Any]:
    """The whole loop. Returns the figures."""
    config = overridden(preset(args.preset), args)
    quiet_libraries()
    progress = Progress("diffusion", args.output_dir)
    judge_named = None if args.judge == NO_JUDGE else args.judge
    hub = hub_for([args.data, config.text, judge_named, args.start], push=args.push)
    start = _start(args, hub)
    if start:
        rates = [name for name in RATES if getattr(args, name, None) is not None]
        config = continued(config, start.folder, asked_for=rates)
    config = checked(config)
    from training.diffusion.collection import selected
    from training.diffusion.milestones import strip_of
    from training.diffusion.publish import Outcome
    from training.diffusion.train import Material, train
    from training.shared.captioned import load_pictures

    progress.say("load", f"data {Path(args.data).name}, texts by {config.text_name}")
    corpus = load_pictures(
        args.data,
        hub=hub,
        size=config.image_size,
        image_column=args.image_column,
        caption_column=args.caption_column,
        seed=config.seed,
    )
    selection = selected(corpus.train, count=config.pictures, variants=config.variants)
    learnt = corpus.train.take(selection.learnt)
    judge = _judge(args.judge, hub, progress)
    text_folder, revision = folder_of(config.text, hub=hub, revision=config.text_revision)
    config = replace(config, text_revision=revision)
    trained = train(
        Material(learnt, corpus.train.without(selection.kept_back)),
        config,
        text_folder=text_folder,
        output=args.output_dir,
        progress=progress,
        resume=args.resume,
        start=start.folder if start else None,
    )
    collection = learnt.take(learnt.firsts())
    progress.say("evaluate", f"{len(collection):,} prompts")
    held_out = _asked(corpus.train, selection.held_out)
    evaluation = _evaluation(trained, collection, held_out, judge)
    repo = hub.repo(args.repo) if hub else RepoId.parse(args.repo, namespace="local")
    command = command_line(args)
    outcome = Outcome(
        corpus=corpus,
        collection=collection,
        pictures=len(learnt),
        config=config,
        trained=trained,
        evaluation=evaluation,
        repo=repo,
        command=command,
        started_from=start.name if start else None,
        milestones=strip_of(args.output_dir),
    )
    return _published(args, outcome, start, hub=hub, progress=progress)


def _start(args: argparse.Namespace, hub: Hub | None) -> Start | None:
    """The painter of --from. Raises LabError."""
    if args.start is None:
        return None
    folder, revision = folder_of(args.start, hub=hub, revision=args.from_revision)
    if Path(args.start).is_dir() or hub is None:
        return Start(folder, folder.name)
    repo = hub.repo(args.start)
    return Start(folder, f"`{repo}` at `{revision}`", repo)


def _judge(asked_for: str | None, hub: Hub | None, progress: Progress) -> Judge | None:
    """The judge. One that was asked for and is not there is a sentence before anything is trained.

    Raises LabError.
    """
    if asked_for == NO_JUDGE or (asked_for is None and hub is None):
        return None
    from training.diffusion.evaluate import load_judge

    name = asked_for or DEFAULT_JUDGE
    try:
        folder, revision = folder_of(name, hub=hub)
    except RepoNotFoundError as error:
        if asked_for is None:
            progress.say("load", f"no judge: {name} is not published, so nobody measures")
            return None
        raise SettingsError(
            str(error),
            hint="Make one: python -m training clip --preset judge --repo emoji-judge; or give "
            f"--judge {NO_JUDGE} to measure nothing.",
        ) from None
    called = name if Path(name).is_dir() or hub is None else str(hub.repo(name))
    return load_judge(
        folder, name=Path(called).name if is_path(name) else called, revision=revision
    )


def _asked(pictures: Pictures, held_out: Sequence[Combination]) -> list[Asked]:
    from training.diffusion.evaluate import Asked

    rows = [combination.row for combination in held_out]
    images = _on_white(pictures.rgba[rows]) if rows else []
    return [
        Asked(pictures.captions[combination.row][0], image, combination.rivals)
        for combination, image in zip(held_out, images, strict=True)
    ]


def _on_white(rgba: np.ndarray) -> list[Image]:
    from PIL import Image

    from training.shared.images import on_background

    return [on_background(Image.fromarray(one), (255, 255, 255)) for one in rgba]


def _evaluation(
    trained: Trained, collection: Pictures, held_out: Sequence[Asked], judge: Judge | None
) -> Evaluation:
    from training.diffusion.evaluate import evaluate, evaluate_combinations
    from training.diffusion.painting import painted

    config = trained.config
    steps, guidance = config.sampling_steps, config.guidance
    captions = [names[0] for names in collection.captions]

    def paint(prompts: Sequence[str], seeds: Sequence[int]) -> list[Image]:
        return painted(trained.pipeline, prompts, seeds, steps=steps, guidance=guidance)

    found = evaluate(
        paint,
        _on_white(collection.rgba),
        captions,
        judge=judge,
        steps=steps,
        guidance=guidance,
        seed=config.seed,
    )
    if not held_out:
        return found
    combinations = evaluate_combinations(paint, held_out, captions, judge=judge, seed=config.seed)
    return replace(found, combinations=combinations)


def _published(
    args: argparse.Namespace,
    outcome: Outcome,
    start: Start | None,
    *,
    hub: Hub | None,
    progress: Progress,
) -> Mapping[str, Any]:
    """Write the repository, push it if asked and if it is no step back, and give the figures."""
    from training.diffusion.publish import figures, write_repository

    found = outcome.evaluation.accuracy
    measured = "not measured" if found is None else f"prompt accuracy {found:.3f}"
    progress.say("evaluate", measured)
    better = _better_before(start, outcome)
    if better is not None:
        progress.say("publish", f"not published: {measured}, {outcome.repo} has {better:.3f}")
    folder = write_repository(outcome, args.output_dir / "repository")
    pushed = publish(
        folder,
        outcome.repo,
        hub=hub if args.push and better is None else None,
        message=f"Train on {outcome.corpus.name}: {measured}",
        progress=progress,
    )
    return {**figures(outcome), **pushed}


def _better_before(start: Start | None, outcome: Outcome) -> float | None:
    """Prompt accuracy (0 to 1) of what this went on from, if higher and about to be replaced."""
    from training.diffusion.publish import accuracy_before

    if start is None or start.repo != outcome.repo:
        return None
    before, now = accuracy_before(start.folder, outcome.evaluation), outcome.evaluation.accuracy
    return before if before is not None and now is not None and now < before else None
