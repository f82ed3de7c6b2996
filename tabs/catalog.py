"""What the namespace holds, remembered between two questions and while the Hub is away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hub_utils.catalog import Published, published
from hub_utils.errors import LabError
from hub_utils.names import RepoId, RepoType

if TYPE_CHECKING:
    from hub_utils.connection import Hub


@dataclass(frozen=True)
class Listing:
    """What is published; `away` when the Hub did not answer and this is what it said before."""

    items: tuple[Published, ...] = ()
    away: bool = False
    asked: bool = False

    def of_task(self, task: str, type: RepoType) -> tuple[Published, ...]:
        """The models of one pipeline tag, or the data sets with that tag."""
        return tuple(i for i in self.items if i.repo.type == type and task in i.tasks)

    def has(self, repo: RepoId) -> bool:
        """Whether `repo` is published."""
        return any(item.repo == repo for item in self.items)


class Catalog:
    """The namespace's list, kept in memory so that a page never waits for the Hub."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._listing = Listing()

    @property
    def listing(self) -> Listing:
        """The newest known list."""
        return self._listing

    def refresh(self) -> Listing:
        """Ask the Hub. When it does not answer, what it said before stays."""
        try:
            self._listing = Listing(tuple(published(self._hub)), asked=True)
        except LabError:
            self.lose()
        return self._listing

    def lose(self) -> None:
        """Note that the Hub is away, without asking: its client would retry for half a minute."""
        self._listing = Listing(self._listing.items, away=True, asked=True)
