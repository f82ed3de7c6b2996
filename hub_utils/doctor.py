"""Look at everything that can stand in the way, and say what to do about each finding.

    findings = examine(os.environ)

A problem stops something from working, a note may surprise you. Nothing is changed, and no token
is ever part of a finding; an embedded Hub is started to see whether it answers.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from hub_utils.connection import REAL_ENDPOINT, Hub, connect
from hub_utils.errors import LabError
from hub_utils.settings import Settings

PROJECT = Path(__file__).parents[1]
LITTLE_GIB, NEEDED_GIB = 10, 2  # of free disk: a note below the one, a problem below the other
_NAME = re.compile(r"[A-Za-z0-9._-]+")

Level = Literal["ok", "note", "problem"]


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, how it is, and what to do."""

    level: Level
    name: str
    said: str
    fix: str = ""

    def line(self) -> str:
        """For a terminal."""
        return f"{self.level:8} {self.name:10} {self.said} {self.fix}".rstrip()


def examine(env: Mapping[str, str] = os.environ, *, project: Path = PROJECT) -> Iterator[Finding]:
    """All findings, as they are made."""
    yield _python()
    yield from libraries(project)
    try:
        settings = Settings.from_env(env)
    except LabError as error:
        yield Finding("problem", "settings", str(error), error.hint)
        return
    yield Finding("ok", "settings", "Every variable can be used.")
    yield port(settings.port)
    yield disk(settings.hub_root)
    try:
        hub = connect(settings)
    except LabError as error:
        yield Finding("problem", "hub", str(error), error.hint)
        return
    yield from account(hub, settings)
    yield cache(hub)


def libraries(project: Path) -> Iterator[Finding]:
    """What requirements.txt asks for, against what is installed and what was tested."""
    from packaging.requirements import Requirement

    tested = dict(_pins(project / "constraints.txt"))
    wrong, other = [], []
    wanted = [Requirement(line) for line in _lines(project / "requirements.txt")]
    for requirement in wanted:
        installed = _installed(requirement.name)
        if installed is None or not requirement.specifier.contains(installed, prereleases=True):
            wrong.append(f"{requirement.name} {installed or 'is missing'}")
        elif installed.split("+")[0] != tested.get(_normal(requirement.name), installed):
            other.append(f"{requirement.name} {installed}")
    install = "Run: pip install -r requirements.txt -c constraints.txt"
    if wrong:
        yield Finding("problem", "libraries", f"Not as required: {', '.join(wrong)}.", install)
    if other:
        yield Finding("note", "libraries", f"Not as tested: {', '.join(other)}.", install)
    if not wrong and not other:
        yield Finding("ok", "libraries", f"All {len(wanted)} are the versions that were tested.")


def port(wanted: int) -> Finding:
    """Whether the page's port is free."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            return Finding(
                "note", "port", f"{wanted} is taken, perhaps by a lab that runs.",
                f"For a second one: LAB_PORT={wanted + 1}",
            )  # fmt: skip
    return Finding("ok", "port", f"{wanted} is free." if wanted else "A free one will be taken.")


def disk(folder: Path, *, free_bytes: int | None = None) -> Finding:
    """Whether models fit on the disk that holds `folder`."""
    there = next(path for path in (folder.resolve(), *folder.resolve().parents) if path.exists())
    free = (shutil.disk_usage(there).free if free_bytes is None else free_bytes) / 2**30
    level: Level = "problem" if free < NEEDED_GIB else "note" if free < LITTLE_GIB else "ok"
    fix = "" if level == "ok" else "Free some, or move LAB_HUB_ROOT and HF_HOME to another disk."
    return Finding(level, "disk", f"{free:.1f} GiB are free for the Hub and the models.", fix)


def account(hub: Hub, settings: Settings) -> Iterator[Finding]:
    """Which Hub this is, whether it answers, and what the tokens may do there."""
    which = "the embedded one" if hub.embedded else "the real one"
    if not hub.embedded and hub.endpoint != REAL_ENDPOINT:
        which = "the one that HF_ENDPOINT names"
    if not hub.token:
        yield Finding(
            "note", "token", f"None for {hub.endpoint}: only public repositories can be read.",
            "To publish, set HF_TOKEN to a token that may write.",
        )  # fmt: skip
        return
    try:
        who = _who(hub, hub.token)
    except LabError as error:
        yield Finding("problem", "hub", str(error), error.hint)
        return
    yield Finding("ok", "hub", f"{hub.endpoint} answers; it is {which}.")
    yield token(who)
    yield namespace(hub.namespace, who)
    if not hub.embedded:
        yield _plan(who)
    if settings.space_token:
        yield from _space_token(hub, settings.space_token)


def token(who: Mapping[str, Any]) -> Finding:
    """Whether the token may write. who: the Hub's answer to whoami."""
    role = _role(who)
    if role == "write":
        return Finding("ok", "token", f"It is {who.get('name')}'s and may write.")
    if role == "fineGrained":
        return Finding(
            "note", "token", f"It is {who.get('name')}'s and fine-grained.",
            "To publish it needs write access to the repositories of the namespace.",
        )  # fmt: skip
    return Finding(
        "problem", "token", f"It is {who.get('name')}'s and may only {role or 'read'}.",
        "Set HF_TOKEN to a token with the role write, or nothing can be published.",
    )  # fmt: skip


def namespace(name: str, who: Mapping[str, Any]) -> Finding:
    """Whether the token's user may publish under `name`."""
    own = [str(who.get("name")), *(str(org.get("name")) for org in who.get("orgs") or [])]
    if name in own:
        return Finding("ok", "namespace", f"What is made here is published under {name}.")
    return Finding(
        "problem", "namespace", f"{name} is neither the token's user nor one of its organisations.",
        f"Set LAB_NAMESPACE to one of: {', '.join(own)}",
    )  # fmt: skip


def cache(hub: Hub) -> Finding:
    """What was downloaded."""
    from huggingface_hub import constants, scan_cache_dir

    folder = Path(hub.cache or constants.HF_HUB_CACHE)
    if not folder.is_dir():
        return Finding("ok", "cache", f"{folder} holds nothing yet.")
    found = scan_cache_dir(folder)
    said = f"{len(found.repos)} repositories, {found.size_on_disk / 2**30:.1f} GiB in {folder}"
    if found.warnings:
        return Finding(
            "note", "cache", f"{said}; {len(found.warnings)} of its folders are damaged.",
            "Delete them; what is needed is downloaded again.",
        )  # fmt: skip
    return Finding("ok", "cache", f"{said}.")


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < (3, 11):
        fix = "Use Python 3.11: deploying needs it."
        return Finding("note", "python", f"{version}, but 3.11 was tested.", fix)
    return Finding("ok", "python", f"{version}.")


def _who(hub: Hub, secret: str) -> Mapping[str, Any]:
    from hub_utils.explain import explained

    with explained(hub):
        return dict(hub.api.whoami(token=secret))


def _role(who: Mapping[str, Any]) -> str:
    return str(((who.get("auth") or {}).get("accessToken") or {}).get("role") or "")


def _plan(who: Mapping[str, Any]) -> Finding:
    if who.get("isPro") or who.get("canPay"):
        return Finding("ok", "account", "It may have Spaces on hardware that costs something.")
    return Finding(
        "note", "account", "It is a free one: few Spaces, on ZeroGPU; no Jobs.",
        "Deploy with --hardware zero, which is the default.",
    )  # fmt: skip


def _space_token(hub: Hub, secret: str) -> Iterator[Finding]:
    name = "LAB_SPACE_TOKEN"
    try:
        role = _role(_who(hub, secret))
    except LabError:
        yield Finding("problem", "space", f"{hub.endpoint} refuses {name}.", "Make a new one.")
        return
    if role == "write":
        fix = "A fine-grained token that may read the models is enough, and safer in a Space."
        yield Finding("note", "space", f"{name} may write.", fix)
    else:
        yield Finding("ok", "space", f"{name} is valid.")


def _lines(path: Path) -> list[str]:
    read = path.read_text("utf-8").splitlines() if path.is_file() else []
    return [text for line in read if (text := line.split("#")[0].strip())]


def _pins(path: Path) -> Iterator[tuple[str, str]]:
    for line in _lines(path):
        name, equals, version = line.partition("==")
        if equals and _NAME.fullmatch(name.strip()):
            yield _normal(name.strip()), version.strip()


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _installed(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
