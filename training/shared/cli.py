"""What the recipes' command lines have in common: options, one-line errors, the last line."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hub_utils.errors import LabError

EXIT_ERROR = 2
EXIT_INTERRUPTED = 130


def add_common_options(
    parser: argparse.ArgumentParser, *, presets: Mapping[str, Any], output: Path, repo: str
) -> None:
    """Options that every training recipe has."""
    parser.add_argument("--preset", default="quick", choices=sorted(presets), help="named settings")
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
