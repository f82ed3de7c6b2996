"""Which of a Space's requirements this machine meets already, and which pip has to install."""

from __future__ import annotations

import sysconfig
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution

from packaging.requirements import InvalidRequirement, Requirement


@dataclass(frozen=True)
class Checked:
    """A line of requirements.txt; `version` is what meets it, empty if nothing does."""

    line: str
    version: str = ""
    needed: bool = True  # False: its marker says that it is for other machines


def base_packages() -> list[str]:
    """The folders of the packages that this Hub runs with."""
    return list(dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib")))


def requirement_lines(text: str) -> list[str]:
    """The lines of a requirements.txt without comments."""
    lines = (line.partition(" #")[0].strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def check(lines: Iterable[str], folders: Sequence[str]) -> list[Checked]:
    """Compare requirements with the packages in `folders`; the first folder that has one decides.

    What only pip can judge (its options, paths, addresses) counts as not met.
    """
    return [_checked(line, folders) for line in lines]


def _checked(line: str, folders: Sequence[str]) -> Checked:
    try:
        requirement = Requirement(line)
    except InvalidRequirement:
        return Checked(line)
    if requirement.marker and not requirement.marker.evaluate():
        return Checked(line, needed=False)
    found = next(iter(Distribution.discover(name=requirement.name, path=list(folders))), None)
    if found is None or requirement.url:
        return Checked(line)
    meets = requirement.specifier.contains(found.version, prereleases=True)
    return Checked(line, found.version if meets else "")
