"""The commands about Spaces: deploy, run-space, rollback, duplicate."""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from hub_utils.command_line import Arguments, Command, say, visibility
from hub_utils.connection import Hub, connect
from hub_utils.names import RepoId
from hub_utils.settings import Settings

PROJECT = Path(__file__).parents[1]


def cmd_deploy(args: Arguments) -> int:
    """Make a Space of a bundle, or bring it up to date."""
    from hub_utils import deploy
    from hub_utils.bundle import read_bundle
    from hub_utils.space_order import Wish, order_for, space_secrets
    from hub_utils.space_stage import stage

    settings = Settings.from_env()
    bundle = read_bundle(args.bundle)
    hub = connect(settings)
    wish = Wish(args.name, args.hardware, args.private, args.frozen, args.sleep_time)
    order = order_for(bundle, wish, hub=hub, settings=settings)
    with tempfile.TemporaryDirectory() as folder:
        staged = Path(folder)
        stage(
            bundle,
            staged,
            project=PROJECT,
            hardware=order.hardware,
            decided=order.card_fields(),
        )
        plan = deploy.plan_deploy(order, deploy.look(order.repo, hub=hub), staged)
        if args.dry_run:
            return say(**plan.as_dict(), url=hub.url(order.repo))
        done = deploy.apply_deploy(
            plan,
            staged,
            hub=hub,
            secrets=space_secrets(settings),
            message=f"Deploy {args.bundle.resolve().name}",
        )
    watched = _watched(args, order.repo, done.revision, hub=hub, settings=settings)
    return say(url=done.url, revision=done.revision, changed=done.changed, **watched)


def cmd_run_space(args: Arguments) -> int:
    """Run a deployed Space on this machine's Hub and follow its log."""
    from hub_utils.space_run import run_space

    settings = Settings.from_env()
    hub = connect(settings)
    run_space(
        hub.repo(args.space, "space"),
        hub=hub,
        token=settings.space_token,
        say=lambda line: _say_meanwhile(line.rstrip("\n")),
        announce=lambda running: say(**asdict(running)),
    )
    return 0


def cmd_rollback(args: Arguments) -> int:
    """Bring back what a Space was at an earlier revision."""
    from hub_utils.space_history import roll_back

    settings = Settings.from_env()
    hub = connect(settings)
    space = hub.repo(args.space, "space")
    pushed, commit = roll_back(space, args.revision, hub=hub)
    watched = _watched(args, space, pushed.revision, hub=hub, settings=settings)
    return say(
        url=pushed.url,
        revision=pushed.revision,
        brought_back=commit,
        changed=pushed.changed,
        **watched,
    )


def cmd_duplicate(args: Arguments) -> int:
    """Copy a Space, with its variables, to another name or namespace."""
    from hub_utils.space_history import duplicate
    from hub_utils.space_order import space_secrets

    settings = Settings.from_env()
    hub = connect(settings)
    source, target = hub.repo(args.space, "space"), hub.repo(args.target, "space")
    secrets = space_secrets(settings)
    url = duplicate(source, target, hub=hub, private=args.private, secrets=secrets)
    return say(space=str(target), source=str(source), url=url)


def _watched(
    args: Arguments, space: RepoId, revision: str, *, hub: Hub, settings: Settings
) -> dict[str, str]:
    """With --watch, what there is to say once the Space runs."""
    from hub_utils.space_watch import RUNNING, watch

    if not args.watch:
        return {}
    hidden = [hub.token or "", settings.space_token or ""]
    app = watch(space, revision, hub=hub, say=_say_meanwhile, hidden=hidden)
    return {"stage": RUNNING, "app": app}


def _say_meanwhile(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _watch_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--watch", action="store_true", help="follow the build and its logs until it runs"
    )


def _rollback_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("space", metavar="SPACE", help="namespace/name, or a name of your own")
    parser.add_argument(
        "revision",
        nargs="?",
        metavar="REVISION",
        help="a commit or a tag (default: the one before)",
    )
    _watch_argument(parser)


def _run_space_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("space", metavar="SPACE", help="namespace/name, or a name of your own")


def _duplicate_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("space", metavar="SPACE", help="namespace/name, or a name of your own")
    parser.add_argument("target", metavar="NAMESPACE/NAME", help="of the copy")
    visibility(parser)


def _deploy_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="its folder, as spaces/lab")
    parser.add_argument("--dry-run", action="store_true", help="print the plan and change nothing")
    parser.add_argument("--name", help="name of the Space (default: the bundle's)")
    parser.add_argument(
        "--hardware", help="zero, cpu, or a flavor of the Hub (default: the bundle's)"
    )
    parser.add_argument(
        "--frozen", action="store_true", help="serve what is published now, whatever comes later"
    )
    parser.add_argument(
        "--sleep-time", type=int, metavar="SECONDS", help="idle until it sleeps; -1: never"
    )
    _watch_argument(parser)
    visibility(parser)


SPACE_COMMANDS: tuple[Command, ...] = (
    Command("deploy", cmd_deploy, _deploy_arguments),
    Command("run-space", cmd_run_space, _run_space_arguments),
    Command("rollback", cmd_rollback, _rollback_arguments),
    Command("duplicate", cmd_duplicate, _duplicate_arguments),
)
