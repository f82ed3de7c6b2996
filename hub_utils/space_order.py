"""What a deployment is to come to: the Space's id, hardware, variables, and what its card says.

order = order_for(bundle, Wish(frozen=True), hub=hub, settings=Settings.from_env())
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from typing import Any

from hub_utils.bundle import HARDWARE_FLAVORS, Bundle, Hardware
from hub_utils.connection import Hub
from hub_utils.errors import AccessError, BundleError, LabError, RepoNotFoundError
from hub_utils.explain import explained
from hub_utils.names import RepoId, RepoType
from hub_utils.pins import effective_revision
from hub_utils.settings import Settings
from hub_utils.space_card import FLAVORS, MAX_PRELOADED
from hub_utils.weights import ignored_patterns

TOKEN_SECRET = "HF_TOKEN"  # noqa: S105 - the name of the secret
NEVER = -1  # as a time until sleep


@dataclass(frozen=True)
class Wish:
    """What the command line asks for; None: as the bundle or the Hub has it."""

    name: str | None = None
    hardware: str | None = None  # zero, cpu, or a flavor of the Hub
    private: bool | None = None
    frozen: bool = False  # serve what is published now, whatever is published later
    sleep_seconds: int | None = None  # NEVER: stay awake


@dataclass(frozen=True)
class Order:
    """What is to be deployed, where and how."""

    repo: RepoId
    hardware: Hardware  # what its requirements are made for
    flavor: str  # the Hub's name of the hardware
    private: bool
    variables: Mapping[str, str]
    secrets: tuple[str, ...] = ()  # names
    models: tuple[str, ...] = ()  # ids of what it serves
    datasets: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()  # of both, what is not published: the Space will wait for it
    preload: tuple[str, ...] = ()  # lines for the card: what the Hub fetches while it builds
    sleep_seconds: int | None = None

    def card_fields(self) -> dict[str, str | list[str]]:
        """The fields of the Space's card that the deployment decides."""
        return {
            "suggested_hardware": self.flavor,
            "models": list(self.models),
            "datasets": list(self.datasets),
            "preload_from_hub": list(self.preload),
        }


@dataclass(frozen=True)
class _Found:
    """A repository that the Space serves, as it is published."""

    private: bool
    revision: str  # 40-hex: of its pin, or of main
    files: tuple[str, ...] = field(repr=False)


def order_for(bundle: Bundle, wish: Wish, *, hub: Hub, settings: Settings) -> Order:
    """What `wish` and `settings` make of `bundle`.

    Raises AccessError if one of what it serves is private and the Space gets no token to read it,
    LabError if it is to be frozen and one is not published, and for hardware that does not exist.
    """
    hardware, flavor = _hardware(wish.hardware or bundle.hardware)
    _check_sleep(wish.sleep_seconds, flavor)
    names = {**bundle.models, **bundle.datasets, **_of_its_tabs(settings.models, bundle)}
    repos = [hub.repo(name, _type(bundle, tab)) for tab, name in names.items()]
    found = {repo: _find(repo, hub=hub, settings=settings) for repo in repos}
    variables = {**bundle.variables, "LAB_NAMESPACE": hub.namespace}
    if names:
        variables["LAB_MODELS"] = _joined(names)
    revisions = _frozen(found) if wish.frozen else settings.revisions
    if revisions:
        variables["LAB_REVISIONS"] = _joined(revisions)
    return Order(
        repo=hub.repo(wish.name or bundle.name, "space"),
        hardware=hardware,
        flavor=flavor,
        private=hub.private_by_default if wish.private is None else wish.private,
        variables=variables,
        secrets=_needed_secrets(found, settings=settings),
        models=tuple(str(repo) for repo in repos if repo.type == "model"),
        datasets=tuple(str(repo) for repo in repos if repo.type == "dataset"),
        missing=tuple(str(repo) for repo in repos if found[repo] is None),
        preload=preloaded(found),
        sleep_seconds=wish.sleep_seconds,
    )


def space_secrets(settings: Settings) -> dict[str, str]:
    """The secrets that a deployment may set, by name."""
    return {TOKEN_SECRET: settings.space_token} if settings.space_token else {}


def preloaded(found: Mapping[RepoId, _Found | None]) -> tuple[str, ...]:
    """Lines "ID FILE,FILE COMMIT" of the public models that are published.

    The Hub reads them with no token. A file whose name would not fit into such a line, and what
    is never downloaded anyway, is left out.
    """
    lines = []
    for repo, state in found.items():
        if state is None or state.private or repo.type != "model":
            continue
        files = [name for name in state.files if _is_preloaded(name)]
        if files:
            lines.append(f"{repo} {','.join(files)} {state.revision}")
    return tuple(lines[:MAX_PRELOADED])


def _is_preloaded(name: str) -> bool:
    if any(mark in name for mark in " ,") or name == ".gitattributes":
        return False
    return not any(fnmatch(name, pattern) for pattern in ignored_patterns("model", exports=False))


def _hardware(text: str) -> tuple[Hardware, str]:
    for kind, flavor in HARDWARE_FLAVORS.items():
        if text in (kind, flavor):
            return kind, flavor
    if text in FLAVORS:
        return "cpu", text  # anything but ZeroGPU runs any torch
    near = difflib.get_close_matches(text, (*HARDWARE_FLAVORS, *FLAVORS), n=1)
    raise BundleError(
        f"{text!r} is no hardware of a Space.",
        hint=f"Did you mean {near[0]}?" if near else f"Use one of {', '.join(FLAVORS)}.",
    )


def _check_sleep(seconds: int | None, flavor: str) -> None:
    if seconds is None:
        return
    if flavor == HARDWARE_FLAVORS["cpu"]:
        raise BundleError(
            f"A Space on {flavor} sleeps after 48 hours without visitors; that is fixed.",
            hint="Leave --sleep-time out, or choose other hardware with --hardware.",
        )
    if seconds != NEVER and seconds <= 0:
        raise BundleError(
            f"--sleep-time {seconds} is no time.", hint="Give seconds, or -1 to stay awake."
        )


def _of_its_tabs(models: Mapping[str, str], bundle: Bundle) -> dict[str, str]:
    return {tab: name for tab, name in models.items() if not bundle.tabs or tab in bundle.tabs}


def _type(bundle: Bundle, tab: str) -> RepoType:
    return "dataset" if tab in bundle.datasets else "model"


def _find(repo: RepoId, *, hub: Hub, settings: Settings) -> _Found | None:
    """`repo` at the revision that the Space will serve; None if it is not published."""
    pinned = effective_revision(repo, revisions=settings.revisions)
    try:
        with explained(hub, repo):
            info: Any = hub.api.repo_info(str(repo), repo_type=repo.type, revision=pinned)
    except RepoNotFoundError:
        return None
    files = sorted(item.rfilename for item in info.siblings or [])
    return _Found(bool(info.private), str(info.sha), tuple(files))


def _frozen(found: Mapping[RepoId, _Found | None]) -> dict[str, str]:
    missing = [str(repo) for repo, state in found.items() if state is None]
    if missing:
        raise LabError(
            f"{', '.join(missing)} cannot be frozen: nothing is published there.",
            hint="Train and publish it first, or deploy without --frozen.",
        )
    return {str(repo): state.revision for repo, state in found.items() if state is not None}


def _needed_secrets(
    found: Mapping[RepoId, _Found | None], *, settings: Settings
) -> tuple[str, ...]:
    if settings.space_token:
        return (TOKEN_SECRET,)
    for repo, state in found.items():
        if state is not None and state.private:
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
