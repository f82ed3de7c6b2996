"""A Space bundle: a folder whose bundle.toml says what a Space is made of.

    spaces/lab/README.md         the Space's card; its front matter configures the Space
    spaces/lab/bundle.toml       project files to copy, what is served, variables, hardware
    spaces/lab/requirements.txt  what the Space installs, but for Gradio: sdk_version decides that
    spaces/lab/app.py            the entry

`read_bundle` checks it, `stage` writes the files of the Space into an empty folder.
"""

from __future__ import annotations

import difflib
import fnmatch
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, cast, get_args

from hub_utils.cards import front_matter, split_card
from hub_utils.errors import BundleError

Hardware = Literal["zero", "cpu"]
HARDWARE_FLAVORS: Mapping[Hardware, str] = {"zero": "zero-a10g", "cpu": "cpu-basic"}
# What ZeroGPU runs (its documentation, mid 2026).
ZERO_TORCH = ("2.8.0", "2.9.1", "2.10.0", "2.11.0")
ZERO_PYTHON = ("3.10", "3.12")

MANIFEST, CARD, REQUIREMENTS = "bundle.toml", "README.md", "requirements.txt"
_KEYS = (
    *("name", "hardware", "include", "exclude"),
    *("models", "datasets", "variables", "requirements"),
)
_COLORS = ("red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray")
_SKIPPED = ("__pycache__", "*.pyc", ".*")
_PACKAGE = re.compile(r"\s*([A-Za-z0-9._-]+)")


@dataclass(frozen=True)
class Bundle:
    """A checked bundle."""

    folder: Path
    name: str  # of the Space, unless another is given
    hardware: Hardware  # asked for unless another is given
    include: tuple[str, ...]  # patterns of project files, relative to the project
    exclude: tuple[str, ...] = ()
    models: Mapping[str, str] = field(default_factory=dict)  # tab → model repository
    datasets: Mapping[str, str] = field(default_factory=dict)  # tab → data set repository
    variables: Mapping[str, str] = field(default_factory=dict)
    requirements: Mapping[Hardware, tuple[str, ...]] = field(default_factory=dict)  # extra or other


def read_bundle(folder: Path) -> Bundle:
    """Read and check the bundle in `folder`. Raises BundleError naming the file and the fix."""
    for name in (MANIFEST, CARD, REQUIREMENTS):
        if not (folder / name).is_file():
            raise BundleError(
                f"{folder} has no {name}.", hint="Give a bundle's folder, as in: deploy spaces/lab"
            )
    bundle = _bundle(folder, _toml(folder / MANIFEST))
    _check_card(folder)
    _check_requirements(folder, bundle)
    return bundle


def stage(
    bundle: Bundle,
    target: Path,
    *,
    project: Path,
    hardware: Hardware,
    served: Mapping[str, list[str]],
) -> None:
    """Write the Space's files into the empty folder `target`.

    project: the folder that `include` is relative to; served: ids to name on the card,
    by the card's key for them: models, datasets.
    """
    for path in _chosen(bundle, project):
        _copy(path, target / path.relative_to(project))
    for path in sorted(_files(bundle.folder)):
        if path.name != MANIFEST:
            _copy(path, target / path.relative_to(bundle.folder))
    (target / CARD).write_text(
        _card((bundle.folder / CARD).read_text("utf-8"), hardware, served), "utf-8"
    )
    lines = (bundle.folder / REQUIREMENTS).read_text("utf-8").splitlines()
    replaced = _requirements(lines, bundle.requirements.get(hardware, ()))
    (target / REQUIREMENTS).write_text("\n".join(replaced) + "\n", "utf-8")


def _toml(path: Path) -> dict[str, Any]:
    try:
        import tomllib
    except ImportError as error:
        raise BundleError(
            "Deploying needs Python 3.11 or newer.", hint="Run it with the project's .venv."
        ) from error
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BundleError(f"{path} is not TOML: {error}.", hint="Correct that line.") from error


def _bundle(folder: Path, content: Mapping[str, Any]) -> Bundle:
    where = folder / MANIFEST
    for key in content:
        if key not in _KEYS:
            near = difflib.get_close_matches(key, _KEYS, n=1) or _KEYS
            raise BundleError(f"{where} has {key!r}.", hint=f"Did you mean {', '.join(near)}?")
    missing = [key for key in ("name", "hardware", "include") if not content.get(key)]
    if missing:
        raise BundleError(f"{where} lacks {missing[0]!r}.", hint=f"Add a line {missing[0]} = …")
    requirements = {
        _hardware(key, where): tuple(lines)
        for key, lines in content.get("requirements", {}).items()
    }
    return Bundle(
        folder=folder,
        name=str(content["name"]),
        hardware=_hardware(content["hardware"], where),
        include=tuple(content["include"]),
        exclude=tuple(content.get("exclude", ())),
        models=dict(content.get("models", {})),
        datasets=dict(content.get("datasets", {})),
        variables={key: str(value) for key, value in content.get("variables", {}).items()},
        requirements=requirements,
    )


def _hardware(text: str, where: Path) -> Hardware:
    if text not in get_args(Hardware):
        raise BundleError(
            f"{where} asks for hardware {text!r}.", hint=f"Use {' or '.join(get_args(Hardware))}."
        )
    return cast("Hardware", text)


def _check_card(folder: Path) -> None:
    card, where = front_matter((folder / CARD).read_text("utf-8")), folder / CARD
    expected = {"title": str, "emoji": str, "sdk": str, "app_file": str}
    for key, kind in expected.items():
        if not isinstance(card.get(key), kind):
            raise BundleError(f"{where} has no {key} in its front matter.", hint="Add it there.")
    if card["sdk"] != "gradio":
        raise BundleError(f"{where} asks for sdk {card['sdk']!r}.", hint="Write sdk: gradio.")
    if not (folder / card["app_file"]).is_file():
        raise BundleError(f"{where} names {card['app_file']}, which is not there.", hint="Add it.")
    for key in ("colorFrom", "colorTo"):
        if card.get(key) not in (None, *_COLORS):
            raise BundleError(
                f"{where} has {key}: {card[key]}.", hint=f"Use one of {', '.join(_COLORS)}."
            )


def _check_requirements(folder: Path, bundle: Bundle) -> None:
    lines = (folder / REQUIREMENTS).read_text("utf-8").splitlines()
    zero = _requirements(lines, bundle.requirements.get("zero", ()))
    for line in zero:
        package, where = _package(line), folder / REQUIREMENTS
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


def _chosen(bundle: Bundle, project: Path) -> list[Path]:
    chosen: list[Path] = []
    for pattern in bundle.include:
        found = [path for path in sorted(project.glob(pattern)) if _wanted(bundle, path, project)]
        if not found:
            raise BundleError(
                f"{bundle.folder / MANIFEST} includes {pattern!r}, which matches no file.",
                hint=f"Patterns are relative to {project}.",
            )
        chosen += found
    return sorted(set(chosen))


def _wanted(bundle: Bundle, path: Path, project: Path) -> bool:
    relative = path.relative_to(project)
    return (
        path.is_file()
        and not any(fnmatch.fnmatch(part, skip) for part in relative.parts for skip in _SKIPPED)
        and not any(fnmatch.fnmatch(relative.as_posix(), pattern) for pattern in bundle.exclude)
    )


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        parts = path.relative_to(folder).parts
        skipped = any(fnmatch.fnmatch(part, skip) for part in parts for skip in _SKIPPED)
        if path.is_file() and not skipped:
            yield path


def _copy(source: Path, target: Path) -> None:
    if target.exists():
        raise BundleError(
            f"{source} and another file would both be {target.name} in the Space.",
            hint="Leave one of them out in bundle.toml.",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _card(text: str, hardware: Hardware, served: Mapping[str, list[str]]) -> str:
    """The Space's card: as written, with what only the deployment knows."""
    import yaml

    decided = {
        "sdk_version": _installed("gradio"),
        "python_version": ZERO_PYTHON[-1],
        "suggested_hardware": HARDWARE_FLAVORS[hardware],
        **served,
    }
    content = {**front_matter(text), **{key: value for key, value in decided.items() if value}}
    header = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=1000)
    return f"---\n{header}---\n{split_card(text)[1]}"


def _installed(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError as error:
        raise BundleError(
            f"{package} is not installed here, so the Space's version cannot be chosen.",
            hint=f"Run: pip install {package}",
        ) from error


def _requirements(lines: list[str], other: tuple[str, ...]) -> list[str]:
    """`lines` with each line of `other` in place of the same package's, or at the end."""
    by_package = {_package(line): line for line in other}
    kept = [by_package.pop(_package(line), line) for line in lines]
    return [*kept, *by_package.values()]


def _package(line: str) -> str:
    found = _PACKAGE.match(line)
    return found[1].lower().replace("_", "-") if found else line
