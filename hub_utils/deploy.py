"""Deploy a bundle as a Space: look, plan, apply.

    order = order_for(bundle, wish, hub=hub, settings=settings)    in space_order
    plan = plan_deploy(order, look(order.repo, hub=hub), staged)   pure; --dry-run prints it
    apply_deploy(plan, staged, hub=hub, secrets=...)               the only part that acts

Deploying the same again plans nothing and makes no commit. A secret's value is never in a plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hub_utils.connection import Hub
from hub_utils.errors import AccessError, RepoNotFoundError
from hub_utils.explain import explained
from hub_utils.names import RepoId
from hub_utils.push import compare, local_files, push_folder
from hub_utils.remote import RemoteFile, remote_state
from hub_utils.space_order import NEVER, Order

# Variables that a deployment owns: it sets them, and removes them when they no longer apply.
_OWNED = ("LAB_NAMESPACE", "LAB_MODELS", "LAB_REVISIONS", "LAB_TABS")


@dataclass(frozen=True)
class SpaceState:
    """The Space as it is now; nothing of it if it does not exist."""

    exists: bool = False
    files: Mapping[str, RemoteFile] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    secrets: frozenset[str] = frozenset()
    hardware: str | None = None
    sleep_seconds: int | None = None  # None: never, or what the hardware does


@dataclass(frozen=True)
class Plan:
    """What a deployment would do."""

    order: Order
    create: bool
    request_hardware: bool
    upload: tuple[str, ...]
    delete: tuple[str, ...]
    set_variables: Mapping[str, str]
    remove_variables: tuple[str, ...]
    set_secrets: tuple[str, ...]
    set_sleep: bool = False

    def as_dict(self) -> dict[str, Any]:
        """The plan for people and programs; holds no secret's value."""
        return {
            "space": str(self.order.repo),
            "create": self.create,
            "private": self.order.private,
            "hardware": self.order.flavor,
            "request_hardware": self.request_hardware,
            "models": list(self.order.models),
            "datasets": list(self.order.datasets),
            "missing_models": list(self.order.missing),
            "upload": list(self.upload),
            "delete": list(self.delete),
            "set_variables": dict(self.set_variables),
            "remove_variables": list(self.remove_variables),
            "set_secrets": list(self.set_secrets),
            "preload_from_hub": list(self.order.preload),
            "set_sleep_seconds": self.order.sleep_seconds if self.set_sleep else None,
        }


@dataclass(frozen=True)
class Deployed:
    """What a deployment came to."""

    url: str
    revision: str  # 40-hex commit of the Space
    changed: bool


def look(repo: RepoId, *, hub: Hub) -> SpaceState:
    """The Space `repo` as it is now."""
    try:
        with explained(hub, repo):
            files = remote_state(repo, hub=hub, hashes=True).files
            variables = hub.api.get_space_variables(str(repo))
            secrets = hub.api.get_space_secrets(str(repo))
            runtime = hub.api.get_space_runtime(str(repo))
    except RepoNotFoundError:
        return SpaceState()
    return SpaceState(
        exists=True,
        files=files,
        variables={key: variable.value or "" for key, variable in variables.items()},
        secrets=frozenset(secrets),
        hardware=runtime.requested_hardware or runtime.hardware,
        sleep_seconds=runtime.sleep_time,
    )


def plan_deploy(order: Order, state: SpaceState, staged: Path) -> Plan:
    """What is to be done so that the Space is what `order` and the files in `staged` say."""
    changes = compare(local_files(staged), state.files)
    wanted = order.variables
    stale = [key for key in _OWNED if key in state.variables and key not in wanted]
    return Plan(
        order=order,
        create=not state.exists,
        request_hardware=state.exists and state.hardware != order.flavor,
        upload=changes.add,
        delete=changes.delete,
        set_variables={
            key: value for key, value in wanted.items() if state.variables.get(key) != value
        },
        remove_variables=tuple(stale),
        set_secrets=tuple(name for name in order.secrets if name not in state.secrets),
        set_sleep=_sleeps_otherwise(order, state),
    )


def _sleeps_otherwise(order: Order, state: SpaceState) -> bool:
    if order.sleep_seconds is None:
        return False
    wanted = None if order.sleep_seconds == NEVER else order.sleep_seconds
    return state.sleep_seconds != wanted


def apply_deploy(
    plan: Plan, staged: Path, *, hub: Hub, secrets: Mapping[str, str], message: str
) -> Deployed:
    """Do what `plan` says. Variables come first, so that the first start of the Space has them."""
    from huggingface_hub import SpaceHardware

    space = str(plan.order.repo)
    if plan.create:
        _create(plan.order, hub=hub)
    with explained(hub, plan.order.repo):
        for key, value in plan.set_variables.items():
            hub.api.add_space_variable(space, key, value)
        for key in plan.remove_variables:
            hub.api.delete_space_variable(space, key)
        for key in plan.set_secrets:
            hub.api.add_space_secret(space, key, secrets[key])
        if plan.request_hardware:
            hub.api.request_space_hardware(space, SpaceHardware(plan.order.flavor))
        if plan.set_sleep and plan.order.sleep_seconds is not None:
            hub.api.set_space_sleep_time(space, plan.order.sleep_seconds)
    pushed = push_folder(staged, plan.order.repo, hub=hub, message=message)
    return Deployed(pushed.url, pushed.revision, pushed.changed)


def _create(order: Order, *, hub: Hub) -> None:
    from huggingface_hub import SpaceHardware

    try:
        with explained(hub, order.repo):
            hub.api.create_repo(
                str(order.repo),
                repo_type="space",
                space_sdk="gradio",
                space_hardware=SpaceHardware(order.flavor),
                private=order.private,
            )
    except AccessError as error:
        other = "cpu" if order.hardware == "zero" else "zero"
        raise AccessError(
            f"{error} Your account may not have a Space on {order.flavor}.",
            hint=f"Try --hardware {other}.",
        ) from error
