"""The embedded Hub's vocabulary: what the store takes and gives, without git, SQL or HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

RepoType = Literal["model", "dataset", "space"]
REPO_TYPES: tuple[RepoType, ...] = ("model", "dataset", "space")
Item = TypeVar("Item")


@dataclass(frozen=True, order=True)
class RepoKey:
    """A repository's type and id, such as ("model", "lab/reuters-classifier")."""

    type: RepoType
    id: str

    @property
    def namespace(self) -> str:
        return self.id.partition("/")[0]

    @property
    def name(self) -> str:
        return self.id.partition("/")[2]

    @property
    def url_path(self) -> str:
        """Path of the repository's page: models have no prefix."""
        return self.id if self.type == "model" else f"{self.type}s/{self.id}"

    def __str__(self) -> str:
        return f"{self.type} {self.id}"


@dataclass(frozen=True)
class RepoRecord:
    """What a listing says about a repository; everything here comes from the index."""

    key: RepoKey
    private: bool
    sha: str  # head of main
    created_at: datetime
    last_modified: datetime
    tags: tuple[str, ...] = ()
    card_data: Mapping[str, Any] = field(default_factory=dict)
    pipeline_tag: str | None = None
    library_name: str | None = None
    sdk: str | None = None
    gated: str | bool = False
    config: Mapping[str, Any] = field(default_factory=dict)

    @property
    def author(self) -> str:
        return self.key.namespace


@dataclass(frozen=True)
class SpaceFacts:
    """How a Space that runs, or ran, stands; `url` while it answers."""

    stage: str  # one of huggingface_hub's SpaceStage
    message: str = ""  # what went wrong
    url: str = ""
    revision: str = ""  # the commit that runs


@dataclass(frozen=True)
class LfsRef:
    """Contents in the LFS store; sizes in bytes, `pointer_size` being that of the git blob."""

    sha256: str
    size: int
    pointer_size: int


@dataclass(frozen=True)
class CommitInfo:
    """A commit, as the Hub shows it."""

    oid: str
    title: str
    message: str
    author: str
    date: datetime


@dataclass(frozen=True)
class Entry:
    """A file or a directory at a revision; `size` in bytes is the content's, not the pointer's."""

    path: str
    type: Literal["file", "directory"]
    size: int
    oid: str
    lfs: LfsRef | None = None
    last_commit: CommitInfo | None = None


@dataclass(frozen=True)
class Ref:
    """A branch or a tag and the commit that it names."""

    name: str
    ref: str
    target: str


@dataclass(frozen=True)
class Refs:
    """All branches and tags of a repository."""

    branches: Sequence[Ref]
    tags: Sequence[Ref]


SortKey = Literal["last_modified", "created_at", "id", "downloads", "likes", "trending_score"]


@dataclass(frozen=True)
class ListQuery:
    """Which repositories to list. `filters` are tags that must all be there."""

    search: str = ""
    author: str = ""
    filters: tuple[str, ...] = ()
    pipeline_tag: str = ""
    sort: SortKey = "last_modified"
    descending: bool = True
    limit: int = 50
    cursor: str = ""
    include_private: bool = False


@dataclass(frozen=True)
class Page(Generic[Item]):
    """One page of a listing; `next_cursor` is empty on the last one."""

    items: Sequence[Item]
    next_cursor: str = ""
