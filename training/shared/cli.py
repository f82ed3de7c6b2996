"""What the recipes' command lines have in common: options, one-line errors, the last line."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from hub_utils.errors import LabError, SettingsError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from hub_utils.connection import Hub

EXIT_ERROR = 2
EXIT_INTERRUPTED = 130
# Not part of what a run computes.
_NOT_IN_COMMAND = (
    *("run", "recipe", "output_dir", "push", "resume", "checkpoint_seconds"),
    *("on", "flavor", "timeout", "dry_run"),
)

Config = TypeVar("Config", bound="DataclassInstance")  # a recipe's settings


def add_common_options(
    parser: argparse.ArgumentParser,
    *,
    presets: Mapping[str, Any],
    output: Path,
    repo: str,
    budget: bool = True,
) -> None:
    """Options that every training recipe has. budget: whether a run can be long or short."""
    parser.add_argument("--preset", default="quick", choices=sorted(presets), help="named settings")
    if budget:
        parser.add_argument("--max-seconds", type=float, help="plan the training for this long")
        parser.add_argument("--max-steps", type=int, help="plan the training in optimizer steps")
    parser.add_argument("--seed", type=int, help="of the weights and the order (default: 0)")
    parser.add_argument(
        "--output-dir", type=Path, default=output, help=f"work folder (default: {output})"
    )
    parser.add_argument("--repo", default=repo, help=f"published as (default: {repo})")
    parser.add_argument(
        "--push", action=argparse.BooleanOptionalAction, default=True, help="publish to the Hub"
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on from the checkpoint in the work folder"
    )
    job_options(parser)


def job_options(parser: argparse.ArgumentParser) -> None:
    """Options that say where a training runs."""
    parser.add_argument(
        "--on", choices=("here", "jobs"), default="here", help="jobs: on Hugging Face Jobs"
    )
    parser.add_argument("--flavor", help="hardware of the job (default: cpu-upgrade)")
    parser.add_argument("--timeout", help="the job's longest time, as 90m (default: 1h)")
    parser.add_argument("--dry-run", action="store_true", help="show the job, submit nothing")


def add_overrides(parser: argparse.ArgumentParser, options: Mapping[str, dict[str, Any]]) -> None:
    """Options that replace a value of the preset when given, by the setting's name."""
    for name, settings in options.items():
        parser.add_argument(flag(name), **settings)


def overridden(config: Config, args: argparse.Namespace) -> Config:
    """A preset's settings with those that were given as options.

    Planned in steps, a run is the same on every machine; planned in seconds, it is that long. So
    the one of the two that is given takes the place of both of the preset's.
    """
    names = {field.name for field in fields(config)}
    given = {n: v for n, v in vars(args).items() if n in names and v is not None}
    budget = [n for n in ("max_steps", "max_seconds") if n in names]
    if any(n in given for n in budget):
        given = {**dict.fromkeys(budget), **given}
    return replace(config, **given)


def command_line(args: argparse.Namespace) -> str:
    """The command that does this again, for the card; of local files only the names."""
    words = [f"python -m training {args.recipe}"]
    for name, value in vars(args).items():
        if name in _NOT_IN_COMMAND or value is None:
            continue
        words.append(flag(f"no_{name}" if value is False else name))
        if not isinstance(value, bool):
            words.append(shlex.quote(Path(value).name if is_path(value) else str(value)))
    return " ".join(words)


def flag(name: str) -> str:
    """The option of a setting."""
    return f"--{name.replace('_', '-')}"


def is_path(value: Any) -> bool:
    """Whether an option's value is a file or folder of this machine."""
    return isinstance(value, str) and Path(value).exists()


def hub_for(inputs: list[str | None], *, push: bool) -> Hub | None:
    """The Hub; None if all inputs are local and nothing is published."""
    from hub_utils.connection import connect
    from hub_utils.settings import Settings

    if not push and all(is_path(value) for value in inputs if value):
        return None
    return connect(Settings.from_env())


def folder_of(
    name: str, *, hub: Hub | None, revision: str | None = None
) -> tuple[Path, str | None]:
    """A model's folder on this machine, and its revision if it came from the Hub.

    Raises SettingsError, and what hub_utils.pull raises.
    """
    if Path(name).is_dir():
        return Path(name), revision
    if hub is None:
        raise SettingsError(f"There is no folder {name!r}.", hint="Name a folder or a Hub id.")
    from hub_utils.pull import pull

    pulled = pull(hub.repo(name), hub=hub, revision=revision)
    return pulled.folder, pulled.revision


def run_command(command: Callable[[], Mapping[str, Any] | None]) -> int:
    """Run a recipe; its figures become the last line of stdout, its errors one line of stderr."""
    try:
        figures = command()
    except LabError as error:
        print(f"error: {error.line()}", file=sys.stderr)
        return EXIT_ERROR
    except KeyboardInterrupt:
        print("interrupted; go on with --resume", file=sys.stderr)
        return EXIT_INTERRUPTED
    if figures is not None:
        print(json.dumps(figures), flush=True)
    return 0


def quiet_libraries() -> None:
    """Keep progress bars and notices of the libraries off our stderr. Call before they load."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
