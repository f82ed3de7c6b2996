"""The command `python -m training gpt`: a text in, a published language model out.

A model whose options no stock format has can be trained with --no-push only.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hub_utils.errors import SettingsError
from hub_utils.names import RepoId
from training.gpt.config import (
    CHOICES,
    DEFAULT_DATA,
    DEFAULT_OUTPUT,
    DEFAULT_REPO,
    PRESETS,
    TrainConfig,
    checked,
    preset,
)
from training.gpt.formats import why_not_native
from training.gpt.plan import require_memory
from training.shared.cli import (
    add_common_options,
    add_overrides,
    command_line,
    hub_for,
    is_path,
    overridden,
    quiet_libraries,
    run_command,
)
from training.shared.progress import Progress
from training.shared.publishing import publish

if TYPE_CHECKING:
    from hub_utils.connection import Hub
    from training.gpt.data import Corpus
    from training.gpt.publish import Outcome
    from training.gpt.train import Trained

LEAST_CHARACTERS = 256  # a guess at the vocabulary of characters before the text is read
# Options that replace a value of the preset when given.
OVERRIDES: dict[str, dict[str, Any]] = {
    "tokenizer": {"choices": CHOICES["tokenizer"], "help": "bytes: byte-level BPE"},
    "vocab_size": {"type": int, "help": "tokens of the tokenizer; char brings its own number"},
    "context": {"type": int, "help": "tokens that the model sees at once"},
    "layers": {"type": int, "help": "blocks, one after the other"},
    "width": {"type": int, "help": "numbers that stand for a token"},
    "heads": {"type": int, "help": "of the attention"},
    "kv_heads": {"type": int, "help": "heads of keys and values (default: as many as heads)"},
    "hidden": {"type": int, "help": "width of the feed-forward (default: follows --width)"},
    "positions": {"choices": CHOICES["positions"], "help": "how the model knows places"},
    "norm": {"choices": CHOICES["norm"], "help": "in front of every branch"},
    "activation": {"choices": CHOICES["activation"], "help": "of the feed-forward"},
    "experts": {"type": int, "help": "feed-forwards of a layer; above 1: mixture of experts"},
    "experts_per_token": {"type": int, "help": "of them used for a token"},
    "max_epochs": {"type": float, "help": "passes over the text, at most"},
    "tied": {
        "action": argparse.BooleanOptionalAction,
        "help": "the head is the token embedding",
    },
    "bias": {"action": argparse.BooleanOptionalAction, "help": "matrices add a learned constant"},
    "dropout": {"type": float, "help": "share of what a branch adds that is left out"},
    "optimizer": {
        "choices": CHOICES["optimizer"],
        "help": "muon: AdamW for the rest",
    },
    "batch_tokens": {"type": int, "help": "tokens per step, over all processes"},
    "learning_rate": {"type": float, "help": "its peak"},
    "stream_tokens": {"type": int, "help": "read a Hub data set row by row, up to here"},
    "checkpoint_seconds": {"type": float, "help": "seconds between checkpoints"},
}


def add_parser(subparsers: Any) -> None:
    """Add this recipe to the program's command line."""
    parser = subparsers.add_parser("gpt", help="language model: mini-GPT", description=__doc__)
    parser.add_argument("--data", default=DEFAULT_DATA, help="text file, or Hub id of texts")
    parser.add_argument("--eval-data", help="measure on this instead of the last tenth")
    parser.add_argument("--text-column", help="of a Hub data set (default: text)")
    add_common_options(parser, presets=PRESETS, output=DEFAULT_OUTPUT, repo=DEFAULT_REPO)
    add_overrides(parser, OVERRIDES)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Train, evaluate, publish; returns the exit code."""
    return run_command(lambda: train_and_publish(args))


def train_and_publish(args: argparse.Namespace) -> Mapping[str, Any] | None:
    """The whole loop. Returns the figures; None in the other processes of a distributed run."""
    config = config_from(args)
    quiet_libraries()
    progress = Progress("gpt", args.output_dir)
    _require_native(config, push=args.push, progress=progress)
    size = LEAST_CHARACTERS if config.tokenizer == "char" else config.vocab_size
    require_memory(config.model_config(size), rows=1)
    hub = hub_for([args.data, args.eval_data], push=args.push)
    corpus = _corpus(args, hub, config, progress=progress)
    from training.gpt.train import train

    trained = train(corpus, config, output=args.output_dir, progress=progress, resume=args.resume)
    if not trained.main:
        return None
    outcome = _measured(args, corpus, config, trained=trained, hub=hub, progress=progress)
    return _published(args, outcome, hub=hub, progress=progress)


def config_from(args: argparse.Namespace) -> TrainConfig:
    """The preset with the options that were given. Raises SettingsError.

    What was not given but hangs on what was follows it: heads of keys and values, feed-forward,
    the tokens of a step.
    """
    config = overridden(preset(args.preset), args)
    if args.heads is not None and args.kv_heads is None:
        config = replace(config, kv_heads=config.heads)
    if args.hidden is None and (args.width, args.activation) != (None, None):
        config = replace(config, hidden=usual_hidden(config))
    if args.batch_tokens is None:
        config = replace(config, batch_tokens=max(config.batch_tokens, config.context))
    return checked(config)


def usual_hidden(config: TrainConfig) -> int:
    """Width of a feed-forward with 8·width² weights, whatever its activation; a multiple of 16.

    SwiGLU has three matrices where the others have two.
    """
    exact = config.width * (8 / 3 if config.activation == "swiglu" else 4)
    return max(16, round(exact / 16) * 16)


def _require_native(config: TrainConfig, *, push: bool, progress: Progress) -> None:
    """Say before training what cannot be saved in a stock format. Raises SettingsError to push."""
    reason = why_not_native(config)
    if reason and push:
        raise SettingsError(
            reason, hint="Add --no-push to train, sample and measure it all the same."
        )
    if reason:
        progress.say("load", reason)


def _corpus(
    args: argparse.Namespace, hub: Hub | None, config: TrainConfig, *, progress: Progress
) -> Corpus:
    from training.gpt.data import TEXT_COLUMN, load_corpus
    from training.gpt.streaming import stream_corpus

    progress.say("load", f"text {args.data.rsplit('/', 1)[-1]}, tokenizer {config.tokenizer}")
    column = args.text_column or TEXT_COLUMN
    if hub is not None and config.stream_tokens and not is_path(args.data):
        if args.eval_data:
            raise SettingsError(
                "--eval-data does not go with --stream-tokens.",
                hint="Leave it out: a test split, or every hundredth row, is held out.",
            )
        corpus = stream_corpus(
            args.data,
            hub=hub,
            config=config,
            folder=args.output_dir / "tokens",
            text_column=column,
            progress=progress,
        )
    else:
        corpus = load_corpus(
            args.data, hub=hub, eval_data=args.eval_data, config=config, text_column=column
        )
    progress.say(
        "load",
        f"{len(corpus.train_ids):,} tokens to learn from, {len(corpus.held_out_ids):,} held out "
        f"({corpus.held_out_name}), {len(corpus.tokenizer):,} different ones",
    )
    return corpus


def _measured(
    args: argparse.Namespace,
    corpus: Corpus,
    config: TrainConfig,
    *,
    trained: Trained,
    hub: Hub | None,
    progress: Progress,
) -> Outcome:
    """The run with its figures on the held-out text, beside the baselines, and its samples."""
    from training.gpt.evaluate import evaluate
    from training.gpt.publish import Outcome
    from training.gpt.samples import write_samples

    progress.say("evaluate", f"{len(corpus.held_out_ids):,} held-out tokens")
    evaluation = evaluate(trained.model, corpus)
    progress.say(
        "evaluate",
        f"loss {evaluation.loss:.4f} nats per token (bigram {evaluation.bigram.loss:.4f}), "
        f"{evaluation.bits_per_byte:.4f} bits per byte",
    )
    repo = hub.repo(args.repo) if hub else RepoId.parse(args.repo, namespace="local")
    return Outcome(
        corpus=corpus,
        config=config,
        trained=trained,
        evaluation=evaluation,
        samples=write_samples(trained.model, corpus),
        repo=repo,
        command=command_line(args),
    )


def _published(
    args: argparse.Namespace, outcome: Outcome, *, hub: Hub | None, progress: Progress
) -> Mapping[str, Any]:
    """Write the repository, push it if asked, and give the figures."""
    from training.gpt.publish import figures, write_repository

    folder = write_repository(outcome, args.output_dir / "repository")
    source, bits = outcome.corpus.source.name, outcome.evaluation.bits_per_byte
    pushed = publish(
        folder,
        outcome.repo,
        hub=hub if args.push else None,
        message=f"Train on {source}: {bits:.3f} bits per byte",
        progress=progress,
    )
    return {**figures(outcome), **pushed}
