"""The command `python -m training export`: a published model for programs without PyTorch.

A language model becomes model.gguf, for llama.cpp; a classifier or an encoder of texts becomes
onnx/model.onnx. The file goes into the model's own repository, and the card says how to use it.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub_utils.errors import LabError, SettingsError
from hub_utils.names import RepoId
from training.export.card import with_section
from training.export.formats import Export, export_of, require_packages
from training.shared.cli import folder_of, hub_for, quiet_libraries, run_command
from training.shared.progress import Progress
from training.shared.publishing import empty

if TYPE_CHECKING:
    from hub_utils.connection import Hub

NAME = "export"
DEFAULT_OUTPUT = Path(".lab/runs") / NAME
HELP = "write a published model as GGUF or ONNX"
CARD = "README.md"


def add_parser(subparsers: Any) -> None:
    """Add the command to the recipes' command line."""
    parser = subparsers.add_parser(NAME, help=HELP, description=__doc__)
    parser.add_argument("model", help="Hub id or folder of a model")
    parser.add_argument("--to", help="publish the whole model as this, not into its repository")
    parser.add_argument(
        "--output-dir",
        type=Path,
        default=DEFAULT_OUTPUT,
        help=f"work folder (default: {DEFAULT_OUTPUT})",
    )
    parser.add_argument(
        "--push", action=argparse.BooleanOptionalAction, default=True, help="publish to the Hub"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Export, publish; returns the exit code."""
    return run_command(lambda: export_and_publish(args))


def export_and_publish(args: argparse.Namespace) -> Mapping[str, Any]:
    """Write the file beside the card, push both, and give the figures. Raises LabError."""
    quiet_libraries()
    progress = Progress(NAME, args.output_dir)
    _require_target(args)
    hub = hub_for([args.model], push=args.push)
    source, revision = folder_of(args.model, hub=hub)
    export = export_of(source)
    require_packages(export)
    repo = _target(args, hub)
    progress.say("export", f"{args.model} as {export.format.upper()}")
    folder = args.output_dir / "repository"
    empty(folder)
    if args.to:
        shutil.copytree(source, folder, dirs_exist_ok=True)
    path = folder / export.file
    path.parent.mkdir(exist_ok=True)
    figures = export.write(source, path, name=repo.name)
    _write_card(source, folder, export.section(repo, export.file))
    pushed = _publish(folder, repo, args=args, hub=hub, export=export, source_revision=revision)
    progress.say("done", f"{repo}: {pushed['url'] or folder}")
    return {
        "format": export.format,
        "file": export.file,
        "bytes": path.stat().st_size,
        **figures,
        "source_revision": revision,
        "repo": str(repo),
        **pushed,
        "folder": str(folder),
    }


def _require_target(args: argparse.Namespace) -> None:
    if args.push and not args.to and Path(args.model).is_dir():
        raise SettingsError(
            f"{args.model} is a folder, so there is no repository to publish into.",
            hint="Name one with --to, or add --no-push.",
        )


def _target(args: argparse.Namespace, hub: Hub | None) -> RepoId:
    name = args.to or (Path(args.model).name if Path(args.model).is_dir() else args.model)
    return hub.repo(name) if hub else RepoId.parse(name, namespace="local")


def _write_card(source: Path, folder: Path, section: str) -> None:
    card = source / CARD
    text = card.read_text("utf-8") if card.is_file() else ""
    (folder / CARD).write_text(with_section(text, section), "utf-8")


def _publish(
    folder: Path,
    repo: RepoId,
    *,
    args: argparse.Namespace,
    hub: Hub | None,
    export: Export,
    source_revision: str | None,
) -> dict[str, str | None]:
    """Push what was written beside what the repository has; where it is then.

    Raises LabError if the model was published anew meanwhile: the file would be of other weights.
    """
    if hub is None or not args.push:
        return {"revision": None, "url": None}
    from hub_utils.pull import resolve
    from hub_utils.push import push_folder

    if not args.to and resolve(repo, hub=hub) != source_revision:
        raise LabError(
            f"{repo} was published anew while it was exported.", hint="Run the export again."
        )
    message = f"Export to {export.format.upper()}"
    pushed = push_folder(folder, repo, hub=hub, message=message, delete_stale=bool(args.to))
    return {"revision": pushed.revision, "url": pushed.url}
