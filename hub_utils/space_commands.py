"""The commands about Spaces: deploy."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from hub_utils.command_line import Arguments, Command, say, visibility
from hub_utils.connection import connect
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
    return say(url=done.url, revision=done.revision, changed=done.changed)


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
    visibility(parser)


SPACE_COMMANDS: tuple[Command, ...] = (Command("deploy", cmd_deploy, _deploy_arguments),)
