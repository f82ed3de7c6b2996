"""Which revision to serve: the operator's choice, the page's choice, or the newest.

`LAB_REVISIONS` wins over a pin made on the page, and the page shows it as fixed: an operator who
names a revision must get that one. A pin made on the page is kept in a small JSON file and survives
a restart.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hub_utils.atomic import read_json, write_json
from hub_utils.names import RepoId

_writing = threading.Lock()


@dataclass(frozen=True)
class Pin:
    """A revision that is to be served instead of the newest, and who says so."""

    revision: str
    by: Literal["environment", "page"]


class PinStore:
    """Pins made on the page, in a JSON file {"namespace/name": "revision"}."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def get(self, repo: RepoId) -> str | None:
        """The pinned revision of `repo`, if there is one."""
        revision = read_json(self.path).get(_key(repo))
        return revision if isinstance(revision, str) and revision else None

    def set(self, repo: RepoId, revision: str) -> None:
        """Serve `revision` of `repo` from now on."""
        with _writing:
            write_json(self.path, {**read_json(self.path), _key(repo): revision})

    def clear(self, repo: RepoId) -> None:
        """Serve the newest revision of `repo` again."""
        with _writing:
            pins = read_json(self.path)
            if pins.pop(_key(repo), None) is not None:
                write_json(self.path, pins)


def effective_pin(
    repo: RepoId, *, revisions: Mapping[str, str], pins: PinStore | None = None
) -> Pin | None:
    """The pin that counts for `repo`; None: serve the newest.

    revisions: `Settings.revisions`; its keys are ids, or bare names for any namespace.
    """
    fixed = revisions.get(str(repo)) or revisions.get(repo.name)
    if fixed:
        return Pin(fixed, by="environment")
    chosen = pins.get(repo) if pins else None
    return Pin(chosen, by="page") if chosen else None


def effective_revision(
    repo: RepoId, *, revisions: Mapping[str, str], pins: PinStore | None = None
) -> str | None:
    """The revision to serve of `repo`; None: the newest."""
    pin = effective_pin(repo, revisions=revisions, pins=pins)
    return pin.revision if pin else None


def _key(repo: RepoId) -> str:
    return repo.path
