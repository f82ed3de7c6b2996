"""A Space bundle: a folder whose bundle.toml says what a Space is made of.

    spaces/lab/README.md         the Space's card; its front matter configures the Space
    spaces/lab/bundle.toml       project files to copy, what is served, variables, hardware
    spaces/lab/requirements.txt  what the Space installs, but for Gradio: sdk_version decides that
    spaces/lab/app.py            the entry

A bundle with `base = "../lab"` has all that the base has but for what it says or brings itself, and
`tabs = ["classify"]` takes of it what those tabs need. `read_bundle` checks a bundle;
`space_stage.stage` writes the files of its Space.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast, get_args

from hub_utils.errors import BundleError
from hub_utils.space_card import read_front_matter

Hardware = Literal["zero", "cpu"]
HARDWARE_FLAVORS: Mapping[Hardware, str] = {"zero": "zero-a10g", "cpu": "cpu-basic"}
# What ZeroGPU runs (its documentation, mid 2026).
ZERO_TORCH = ("2.8.0", "2.9.1", "2.10.0", "2.11.0")

MANIFEST, CARD, REQUIREMENTS = "bundle.toml", "README.md", "requirements.txt"
_TABLES = ("files", "packages", "models", "datasets", "variables", "requirements")
_KEYS = ("base", "name", "hardware", "tabs", "include", "exclude", *_TABLES)
_PACKAGE = re.compile(r"\s*([A-Za-z0-9._-]+)")


@dataclass(frozen=True)
class Bundle:
    """A checked bundle, with what it has from its base."""

    folder: Path
    name: str  # of the Space, unless another is given
    hardware: Hardware  # asked for unless another is given
    include: tuple[str, ...]  # patterns of project files, relative to the project
    exclude: tuple[str, ...] = ()
    tabs: tuple[str, ...] = ()  # none: all
    packages: tuple[str, ...] = ()  # lines of requirements on top of requirements.txt
    models: Mapping[str, str] = field(default_factory=dict)  # tab → model repository
    datasets: Mapping[str, str] = field(default_factory=dict)  # tab → data set repository
    variables: Mapping[str, str] = field(default_factory=dict)
    requirements: Mapping[Hardware, tuple[str, ...]] = field(default_factory=dict)  # extra or other
    base: Path | None = None  # the folder of files that this one does not bring itself

    def file(self, name: str) -> Path:
        """The bundle's own file of that name, or its base's."""
        own = self.folder / name
        return own if self.base is None or own.is_file() else self.base / name


def read_bundle(folder: Path) -> Bundle:
    """Read and check the bundle in `folder`. Raises BundleError naming the file and the fix."""
    for name in (MANIFEST, CARD):
        _require(folder, name)
    bundle = _bundle(folder, _toml(folder / MANIFEST))
    if not bundle.file(REQUIREMENTS).is_file():
        _require(folder, REQUIREMENTS)
    _check_card(bundle)
    _check_requirements(bundle)
    return bundle


def replaced(lines: list[str], other: tuple[str, ...]) -> list[str]:
    """`lines` with each line of `other` in place of the same package's, or at the end."""
    by_package = {_package(line): line for line in other}
    kept = [by_package.pop(_package(line), line) for line in lines]
    return [*kept, *by_package.values()]


def _require(folder: Path, name: str) -> None:
    if not (folder / name).is_file():
        raise BundleError(
            f"{folder} has no {name}.", hint="Give a bundle's folder, as in: deploy spaces/lab"
        )


def _toml(path: Path) -> dict[str, Any]:
    try:
        import tomllib
    except ImportError as error:
        raise BundleError(
            "Deploying needs Python 3.11 or newer.", hint="Run it with the project's .venv."
        ) from error
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BundleError(f"{path} is not TOML: {error}.", hint="Correct that line.") from error
    for key in content:
        if key not in _KEYS:
            near = difflib.get_close_matches(key, _KEYS, n=1) or _KEYS
            raise BundleError(f"{path} has {key!r}.", hint=f"Did you mean {', '.join(near)}?")
    return content


def _bundle(folder: Path, own: Mapping[str, Any]) -> Bundle:
    where = folder / MANIFEST
    base, content = _on_base(folder, own)
    missing = [key for key in ("name", "hardware", "include") if not content.get(key)]
    if missing:
        raise BundleError(f"{where} lacks {missing[0]!r}.", hint=f"Add a line {missing[0]} = …")
    files: Mapping[str, list[str]] = content.get("files", {})
    tabs = _tabs(content.get("tabs", ()), files, where)
    served = tabs or tuple(files)
    variables = {key: str(value) for key, value in content.get("variables", {}).items()}
    return Bundle(
        folder=folder,
        name=str(content["name"]),
        hardware=_hardware(content["hardware"], where),
        include=(*content["include"], *_of_tabs(files, served)),
        exclude=tuple(content.get("exclude", ())),
        tabs=tabs,
        packages=_of_tabs(content.get("packages", {}), served),
        models=_served(content.get("models", {}), tabs),
        datasets=_served(content.get("datasets", {}), tabs),
        variables={**variables, "LAB_TABS": ",".join(tabs)} if tabs else variables,
        requirements={
            _hardware(key, where): tuple(lines)
            for key, lines in content.get("requirements", {}).items()
        },
        base=base,
    )


def _on_base(folder: Path, own: Mapping[str, Any]) -> tuple[Path | None, Mapping[str, Any]]:
    """The base's folder, and its content with `own` on top; of a table, row by row."""
    if not own.get("base"):
        return None, own
    base = folder / str(own["base"])
    if not (base / MANIFEST).is_file():
        raise BundleError(
            f"{folder / MANIFEST} has base = {str(own['base'])!r}, which is no bundle.",
            hint='Name a bundle\'s folder from here, as: base = "../lab"',
        )
    content = _toml(base / MANIFEST)
    if content.get("base"):
        raise BundleError(
            f"{base / MANIFEST} has a base itself, so it can be none.",
            hint=f"Write base = {content['base']!r} here.",
        )
    tables = {key: {**content.get(key, {}), **own.get(key, {})} for key in _TABLES}
    return base, {**content, **own, **tables}


def _tabs(names: Any, files: Mapping[str, list[str]], where: Path) -> tuple[str, ...]:
    for name in names:
        if name not in files:
            near = difflib.get_close_matches(str(name), files, n=1) or list(files)
            raise BundleError(
                f"{where} has the tab {name!r}, which has no row in [files].",
                hint=f"Did you mean {', '.join(near) or 'to add it'}?",
            )
    return tuple(names)


def _of_tabs(rows: Mapping[str, list[str]], tabs: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(item for tab in tabs for item in rows.get(tab, ())))


def _served(repos: Mapping[str, str], tabs: tuple[str, ...]) -> dict[str, str]:
    return {tab: repo for tab, repo in repos.items() if not tabs or tab in tabs}


def _hardware(text: str, where: Path) -> Hardware:
    if text not in get_args(Hardware):
        raise BundleError(
            f"{where} asks for hardware {text!r}.", hint=f"Use {' or '.join(get_args(Hardware))}."
        )
    return cast("Hardware", text)


def _check_card(bundle: Bundle) -> None:
    where = bundle.folder / CARD
    card = read_front_matter(where.read_text("utf-8"), where=where)
    for key in ("title", "emoji", "sdk", "app_file"):
        if not card.get(key):
            raise BundleError(f"{where} has no {key} in its front matter.", hint="Add it there.")
    if card["sdk"] != "gradio":
        raise BundleError(f"{where} asks for sdk {card['sdk']!r}.", hint="Write sdk: gradio.")
    if not bundle.file(card["app_file"]).is_file():
        raise BundleError(f"{where} names {card['app_file']}, which is not there.", hint="Add it.")


def _check_requirements(bundle: Bundle) -> None:
    where = bundle.file(REQUIREMENTS)
    lines = [*where.read_text("utf-8").splitlines(), *bundle.packages]
    for line in replaced(lines, bundle.requirements.get("zero", ())):
        package = _package(line)
        if package == "gradio":
            raise BundleError(
                f"{where} has {line!r}.", hint="Remove it: sdk_version decides Gradio's version."
            )
        if package == "torch" and line.strip() not in [
            f"torch=={version}" for version in ZERO_TORCH
        ]:
            raise BundleError(
                f"{where} has {line!r}, which ZeroGPU does not run.",
                hint=f"Write torch== one of {', '.join(ZERO_TORCH)}.",
            )


def _package(line: str) -> str:
    found = _PACKAGE.match(line)
    return found[1].lower().replace("_", "-") if found else line
