"""The command `python -m training bert`: data in, published classifier out."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub_utils.errors import SettingsError
from hub_utils.names import RepoId
from training.bert.config import (
    DEFAULT_BASE,
    DEFAULT_DATA,
    DEFAULT_OUTPUT,
    DEFAULT_REPO,
    PRESETS,
    TrainConfig,
    checked,
    preset,
)
from training.shared.cli import (
    add_common_options,
    add_overrides,
    command_line,
    hub_for,
    overridden,
    quiet_libraries,
    run_command,
)
from training.shared.progress import Progress
from training.shared.publishing import publish
from training.shared.tables import Columns

if TYPE_CHECKING:
    from hub_utils.connection import Hub
    from training.bert.data import Corpus
    from training.bert.publish import Outcome
    from training.bert.train import Trained

# Options that replace a value of the preset when given.
OVERRIDES: dict[str, dict[str, Any]] = {
    "base": {"help": f"encoder to tune, Hub id or folder (default: {DEFAULT_BASE})"},
    "base_revision": {"help": "its branch, tag or commit"},
    "max_tokens": {"type": int, "help": "read texts up to here"},
    "lora_rank": {"type": int, "help": "0 tunes the weights themselves"},
    "trained_layers": {"type": int, "help": "uppermost layers to train (default: as time allows)"},
    "epochs": {"type": float, "help": "passes over the data, if time allows"},
    "batch_size": {"type": int, "help": "texts per step"},
    "learning_rate": {"type": float, "help": "its peak"},
    "checkpoint_seconds": {"type": float, "help": "seconds between checkpoints"},
}


def add_parser(subparsers: Any) -> None:
    """Add this recipe to the program's command line."""
    parser = subparsers.add_parser("bert", help="text classifier: BERT, LoRA", description=__doc__)
    parser.add_argument(
        "--data", default=DEFAULT_DATA, help="Hub id, or .csv .tsv .jsonl .parquet file"
    )
    parser.add_argument("--eval-data", help="measure on this instead of held-out rows")
    parser.add_argument("--text-column", help="default: text")
    parser.add_argument("--label-column", help="default: label")
    add_common_options(parser, presets=PRESETS, output=DEFAULT_OUTPUT, repo=DEFAULT_REPO)
    add_overrides(parser, OVERRIDES)
    parser.add_argument(
        "--balance-classes",
        action="store_true",
        default=None,
        help="weigh rare labels more in the loss",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Train, evaluate, publish; returns the exit code."""
    return run_command(lambda: train_and_publish(args))


def train_and_publish(args: argparse.Namespace) -> Mapping[str, Any] | None:
    """The whole loop. Returns the figures; None in the other processes of a distributed run."""
    config = config_from(args)
    quiet_libraries()
    progress = Progress("bert", args.output_dir)
    hub = hub_for([args.data, args.eval_data, config.base], push=args.push)
    from training.bert.train import train

    progress.say("load", f"data {Path(args.data).name}, base {config.base}")
    corpus = _corpus(args, hub, config)
    base, config = _base(config, hub)
    trained = train(
        corpus, config, base=base, output=args.output_dir, progress=progress, resume=args.resume
    )
    if not trained.main:
        return None
    outcome = _measured(args, corpus, config, trained=trained, hub=hub, progress=progress)
    return _published(args, outcome, hub=hub, progress=progress)


def config_from(args: argparse.Namespace) -> TrainConfig:
    """The preset with the options that were given. Raises SettingsError."""
    return checked(overridden(preset(args.preset), args))


def _corpus(args: argparse.Namespace, hub: Hub | None, config: TrainConfig) -> Corpus:
    from training.bert.data import load_corpus

    return load_corpus(
        args.data,
        hub=hub,
        eval_data=args.eval_data,
        columns=Columns(args.text_column, args.label_column),
        seed=config.seed,
    )


def _base(config: TrainConfig, hub: Hub | None) -> tuple[Path, TrainConfig]:
    """The encoder's folder, and the settings with the revision that it is."""
    if Path(config.base).is_dir():
        return Path(config.base), config
    if hub is None:
        raise SettingsError(
            f"There is no folder {config.base!r}.", hint="Name a folder or a Hub id."
        )
    from hub_utils.pull import pull

    pulled = pull(hub.repo(config.base), hub=hub, revision=config.base_revision, exports=False)
    return pulled.folder, replace(config, base_revision=pulled.revision)


def _measured(
    args: argparse.Namespace,
    corpus: Corpus,
    config: TrainConfig,
    *,
    trained: Trained,
    hub: Hub | None,
    progress: Progress,
) -> Outcome:
    """The run with its figures on the held-out texts, beside the reference."""
    from training.bert.evaluate import evaluate, tfidf_accuracy
    from training.bert.publish import Outcome

    progress.say("evaluate", f"{len(corpus.held_out)} held-out texts")
    model, tokenizer = trained.model, trained.tokenizer
    evaluation = evaluate(model, tokenizer, corpus, max_tokens=config.max_tokens)
    reference = tfidf_accuracy(corpus.train, corpus.held_out, seed=config.seed)
    progress.say(
        "evaluate",
        f"accuracy {100 * evaluation.accuracy:.2f} %, reference {100 * reference:.2f} %",
    )
    repo = hub.repo(args.repo) if hub else RepoId.parse(args.repo, namespace="local")
    return Outcome(
        corpus=corpus,
        config=config,
        trained=trained,
        evaluation=evaluation,
        reference_accuracy=reference,
        repo=repo,
        command=command_line(args),
    )


def _published(
    args: argparse.Namespace, outcome: Outcome, *, hub: Hub | None, progress: Progress
) -> Mapping[str, Any]:
    """Write the repository, push it if asked, and give the figures."""
    from training.bert.publish import figures, write_repository

    folder = write_repository(outcome, args.output_dir / "repository")
    accuracy = 100 * outcome.evaluation.accuracy
    pushed = publish(
        folder,
        outcome.repo,
        hub=hub if args.push else None,
        message=f"Train on {outcome.corpus.source.name}: accuracy {accuracy:.2f} %",
        progress=progress,
    )
    return {**figures(outcome), **pushed}
