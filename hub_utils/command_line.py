"""What the modules of commands share: a row of the table of commands, and how a result is said."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hub_utils.connection import Hub, connect
from hub_utils.settings import Settings

Arguments = argparse.Namespace


@dataclass(frozen=True)
class Command:
    """A row of the table: its help is the first line of `run`'s docstring."""

    name: str
    run: Callable[[Arguments], int]
    add_arguments: Callable[[argparse.ArgumentParser], None]


def say(**figures: Any) -> int:
    """Print the last line, which programs read; the exit code for success."""
    print(json.dumps(figures), flush=True)  # noqa: T201 - for the entry points
    return 0


def hub_of_environment() -> Hub:
    """The Hub that the environment means."""
    return connect(Settings.from_env())


def visibility(parser: argparse.ArgumentParser) -> None:
    """--private and --public."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--private", action="store_true", default=None, help="default on a real Hub")
    group.add_argument("--public", dest="private", action="store_false", help="for everybody")
