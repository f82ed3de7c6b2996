"""What every route and page is handed: the store, the owner, the seeds, the limits, what runs."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Protocol

from .records import RepoKey
from .space_runner import SpaceRunner
from .store import Store


class SeedWaiter(Protocol):
    """Fills the Hub from packages in the background."""

    def wait_for(self, key: RepoKey) -> None:
        """Return once `key` is there if it is one of the seeds; at once if it is none."""

    def stop(self) -> None:
        """Write no further seed; return when the present one is done."""


class NoSeeds:
    """A Hub that starts empty."""

    def wait_for(self, key: RepoKey) -> None:
        """Nothing is on its way."""

    def stop(self) -> None:
        """Nothing to stop."""


@dataclass
class HubState:
    """One running Hub. `endpoint` is set once the port is known.

    Path parameters of routes are percent-encoded (the router sees the raw path, so that `feat%2Fx`
    stays one segment): handlers unquote them once.
    """

    store: Store
    token: str = field(repr=False)
    user: str = "lab"
    endpoint: str = ""
    seeder: SeedWaiter = field(default_factory=NoSeeds)
    signing_key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    upload_seconds: int = 6 * 3600  # how long a signed upload link works
    spaces: SpaceRunner = field(init=False)

    def __post_init__(self) -> None:
        self.spaces = SpaceRunner(self.store, masked=[self.token])
