"""Deploy a bundle as a Space: look, plan, apply.

    plan = plan_deploy(order, look(order.repo, hub=hub), staged)   pure; --dry-run prints it
    apply_deploy(plan, staged, hub=hub, secrets=...)               the only part that acts

Deploying the same again plans nothing and makes no commit. A secret's value is never in a plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hub_utils.bundle import HARDWARE_FLAVORS, Bundle, Hardware
from hub_utils.connection import Hub
from hub_utils.errors import AccessError, LabError, RepoNotFoundError
from hub_utils.explain import explained
from hub_utils.names import RepoId, RepoType
from hub_utils.push import compare, local_files, push_folder
from hub_utils.remote import RemoteFile, remote_state
from hub_utils.settings import Settings

TOKEN_SECRET = "HF_TOKEN"  # noqa: S105 - the name of the secret
# Variables that a deployment owns: it sets them, and removes them when they no longer apply.
_OWNED = ("LAB_NAMESPACE", "LAB_MODELS", "LAB_REVISIONS")


@dataclass(frozen=True)
class Order:
    """What is to be deployed, where and how."""

    repo: RepoId
    hardware: Hardware
    private: bool
    variables: Mapping[str, str]
    secrets: tuple[str, ...] = ()  # names
    models: tuple[str, ...] = ()  # ids of what it serves
    datasets: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()  # of both, what is not published: the Space will wait for it

    @property
    def flavor(self) -> str:
        """The Hub's name of the hardware."""
        return HARDWARE_FLAVORS[self.hardware]


@dataclass(frozen=True)
class SpaceState:
    """The Space as it is now; nothing of it if it does not exist."""

    exists: bool = False
    files: Mapping[str, RemoteFile] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    secrets: frozenset[str] = frozenset()
    hardware: str | None = None


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
        }


@dataclass(frozen=True)
class Deployed:
    """What a deployment came to."""

    url: str
    revision: str  # 40-hex commit of the Space
    changed: bool


def order_for(
    bundle: Bundle,
    *,
    hub: Hub,
    settings: Settings,
    name: str | None = None,
    hardware: Hardware | None = None,
    private: bool | None = None,
) -> Order:
    """What `settings` make of `bundle`: the Space's id, its variables, whether it needs a token.

    Raises AccessError if one of what it serves is private and the Space gets no token to read it.
    """
    served = {**bundle.models, **bundle.datasets, **settings.models}
    repos = [hub.repo(name, _type(bundle, tab)) for tab, name in served.items()]
    private_repos = {repo: _is_private(repo, hub=hub) for repo in repos}
    variables = {**bundle.variables, "LAB_NAMESPACE": hub.namespace}
    if served:
        variables["LAB_MODELS"] = _joined(served)
    if settings.revisions:
        variables["LAB_REVISIONS"] = _joined(settings.revisions)
    return Order(
        repo=hub.repo(name or bundle.name, "space"),
        hardware=hardware or bundle.hardware,
        private=hub.private_by_default if private is None else private,
        variables=variables,
        secrets=_needed_secrets(private_repos, settings=settings),
        models=tuple(str(repo) for repo in repos if repo.type == "model"),
        datasets=tuple(str(repo) for repo in repos if repo.type == "dataset"),
        missing=tuple(str(repo) for repo in repos if private_repos[repo] is None),
    )


def _type(bundle: Bundle, tab: str) -> RepoType:
    return "dataset" if tab in bundle.datasets else "model"


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
    )


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
    pushed = push_folder(staged, plan.order.repo, hub=hub, message=message)
    return Deployed(pushed.url, pushed.revision, pushed.changed)


def space_secrets(settings: Settings) -> dict[str, str]:
    """The secrets that a deployment may set, by name."""
    return {TOKEN_SECRET: settings.space_token} if settings.space_token else {}


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


def _is_private(repo: RepoId, *, hub: Hub) -> bool | None:
    """Whether a token is needed to read `repo`; None if it is not published."""
    try:
        with explained(hub, repo):
            return bool(hub.api.repo_info(str(repo), repo_type=repo.type).private)
    except RepoNotFoundError:
        return None


def _needed_secrets(repos: Mapping[RepoId, bool | None], *, settings: Settings) -> tuple[str, ...]:
    if settings.space_token:
        return (TOKEN_SECRET,)
    for repo, private in repos.items():
        if private:
            raise AccessError(
                f"The Space could not read {repo}, which is private.",
                hint="Set LAB_SPACE_TOKEN to a fine-grained token that may read it.",
            )
    return ()


def _joined(pairs: Mapping[str, str]) -> str:
    for key, value in pairs.items():
        if "," in value or "=" in value:
            raise LabError(f"{key}={value} cannot be passed on.", hint="Remove the comma or '='.")
    return ",".join(f"{key}={value}" for key, value in sorted(pairs.items()))
