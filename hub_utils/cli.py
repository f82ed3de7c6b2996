"""The command line: python -m hub_utils COMMAND.  The last line of stdout is one JSON object."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from hub_utils.command_line import Arguments, Command, hub_of_environment, say, visibility
from hub_utils.errors import LabError
from hub_utils.names import REPO_TYPES
from hub_utils.space_commands import SPACE_COMMANDS

EXIT_EXPECTED_ERROR = 2
EXIT_INTERRUPTED = 130


def cmd_create(args: Arguments) -> int:
    """Create an empty repository."""
    from hub_utils.explain import explained

    hub = hub_of_environment()
    repo = hub.repo(args.repo, args.type)
    private = hub.private_by_default if args.private is None else args.private
    sdk = "gradio" if repo.type == "space" else None
    with explained(hub, repo):
        hub.api.create_repo(str(repo), repo_type=repo.type, private=private, space_sdk=sdk)
    return say(repo=str(repo), type=repo.type, private=private, url=hub.url(repo))


def cmd_push(args: Arguments) -> int:
    """Publish a folder in one commit."""
    from hub_utils.push import push_folder

    hub = hub_of_environment()
    pushed = push_folder(
        args.folder,
        hub.repo(args.repo, args.type),
        hub=hub,
        message=args.message or f"Publish {args.folder.resolve().name}",
        private=args.private,
        delete_stale=not args.keep_stale,
    )
    return say(**{**asdict(pushed), "repo": str(pushed.repo)})


def cmd_pull(args: Arguments) -> int:
    """Download a repository at one revision."""
    from hub_utils.pull import pull

    hub = hub_of_environment()
    pulled = pull(hub.repo(args.repo, args.type), hub=hub, revision=args.revision)
    folder = pulled.folder
    if args.to:
        folder = args.to
        shutil.copytree(pulled.folder, folder, dirs_exist_ok=True)
    return say(
        repo=str(pulled.repo), revision=pulled.revision, folder=str(folder), away=pulled.away
    )


def cmd_list(args: Arguments) -> int:
    """List what a namespace has published, the newest first."""
    from hub_utils.catalog import published

    hub = hub_of_environment()
    found = published(hub, namespace=args.namespace)
    for item in found:
        figure = f"{item.metric.name} {item.metric.value:.4g}" if item.metric else ""
        print(f"{item.repo.type:8}{item.repo!s:44}{(item.revision or '')[:8]:10}{figure}".rstrip())
    return say(namespace=args.namespace or hub.namespace, repositories=len(found))


def cmd_whoami(_: Arguments) -> int:
    """Say which Hub this is and who we are there."""
    hub = hub_of_environment()
    return say(endpoint=hub.endpoint, namespace=hub.namespace, embedded=hub.embedded)


def cmd_doctor(_: Arguments) -> int:
    """Look for what stands in the way, and say what to do about it."""
    from hub_utils.doctor import examine

    found = []
    for finding in examine():
        print(finding.line(), flush=True)
        found.append(finding)
    problems = sum(finding.level == "problem" for finding in found)
    say(problems=problems, findings=[asdict(finding) for finding in found])
    return EXIT_EXPECTED_ERROR if problems else 0


def _repo_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("repo", metavar="REPO", help="namespace/name, or a name of your own")
    parser.add_argument("--type", choices=REPO_TYPES, default="model", help="default: model")


def _create_arguments(parser: argparse.ArgumentParser) -> None:
    _repo_arguments(parser)
    visibility(parser)


def _push_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="what to publish")
    _repo_arguments(parser)
    parser.add_argument("--message", help="the commit's title")
    parser.add_argument("--keep-stale", action="store_true", help="delete nothing on the Hub")
    visibility(parser)


def _pull_arguments(parser: argparse.ArgumentParser) -> None:
    _repo_arguments(parser)
    parser.add_argument("--revision", help="a branch, a tag or a commit (default: main)")
    parser.add_argument("--to", type=Path, metavar="FOLDER", help="copy the files there")


def _list_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--namespace", help="whose (default: your own)")


def _no_arguments(_: argparse.ArgumentParser) -> None:
    """whoami and doctor take none."""


COMMANDS: tuple[Command, ...] = (
    *SPACE_COMMANDS,
    Command("create", cmd_create, _create_arguments),
    Command("push", cmd_push, _push_arguments),
    Command("pull", cmd_pull, _pull_arguments),
    Command("list", cmd_list, _list_arguments),
    Command("whoami", cmd_whoami, _no_arguments),
    Command("doctor", cmd_doctor, _no_arguments),
)


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="python -m hub_utils",
        description="Publish to a Hub, load from it, deploy a Space. "
        "With HF_TOKEN it is the real Hub, else the embedded one.",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        summary = (command.run.__doc__ or "").strip()
        sub = commands.add_parser(command.name, help=summary, description=summary)
        command.add_arguments(sub)
        sub.set_defaults(run=command.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; an expected error is one line on stderr and the code 2."""
    args = build_parser().parse_args(argv)
    try:
        code: int = args.run(args)
    except LabError as error:
        print(error.line(), file=sys.stderr)
        return EXIT_EXPECTED_ERROR
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return code
