"""What git does not hold about a repository, in `hub.json` beside its objects: durable, atomic.

A Space's secrets are kept by name only: what is not stored cannot leak. Their values live in the
Hub's memory, for the Spaces that it runs (`space_runner.py`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .durable import write_durably

if TYPE_CHECKING:
    from typing import Self

FILE_NAME = "hub.json"


@dataclass(frozen=True)
class SpaceSettings:
    """A Space's state: `sleep_seconds` of None never sleeps; variables and secrets by key."""

    hardware: str = "cpu-basic"
    paused: bool = False
    sleep_seconds: int | None = None
    variables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    secrets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class RepoSettings:
    """Visibility and the like, as of now."""

    created_at: str  # ISO 8601, UTC
    private: bool = False
    gated: str | bool = False
    sdk: str | None = None
    space: SpaceSettings = field(default_factory=SpaceSettings)

    @classmethod
    def new(cls, *, private: bool, sdk: str | None) -> Self:
        """Settings of a repository that is made now."""
        return cls(created_at=now_text(), private=private, sdk=sdk)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Settings of the repository in a folder; FileNotFoundError when it is none."""
        values = json.loads((folder / FILE_NAME).read_text("utf-8"))
        values["space"] = SpaceSettings(**values["space"])
        return cls(**values)

    def write(self, folder: Path) -> None:
        """Replace the settings of the repository in a folder."""
        text = json.dumps(asdict(self), indent=1)
        write_durably(folder / FILE_NAME, text.encode(), mode=0o600)


def now_text() -> str:
    """The present, in ISO 8601 with microseconds, UTC."""
    return datetime.now(timezone.utc).isoformat(timespec="microseconds")
