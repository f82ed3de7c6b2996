"""What is published where: the lists that the Hub tab shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hub_utils.cards import Metric, headline_metric
from hub_utils.connection import REQUEST_TIMEOUT_S, Hub
from hub_utils.explain import explained
from hub_utils.names import REPO_TYPES, RepoId, RepoType

_COMMON = ["lastModified", "private", "sha"]
_MODEL_DETAILS = [*_COMMON, "cardData", "model-index", "pipeline_tag"]
_DATASET_DETAILS = [*_COMMON, "cardData"]


@dataclass(frozen=True)
class Published:
    """A repository in a list."""

    repo: RepoId
    revision: str | None  # 40-hex commit of main
    last_modified: datetime | None
    private: bool
    url: str  # its page, where the card is
    metric: Metric | None = None
    pipeline_tag: str | None = None
    tags: tuple[str, ...] = ()  # that a data set's card gives it

    @property
    def tasks(self) -> tuple[str, ...]:
        """What it is for, in the words of its card."""
        return (self.pipeline_tag, *self.tags) if self.pipeline_tag else self.tags


@dataclass(frozen=True)
class Commit:
    """A commit of a repository's main branch."""

    revision: str  # 40-hex
    title: str
    author: str
    date: datetime


def published(
    hub: Hub, *, namespace: str | None = None, types: Sequence[RepoType] = REPO_TYPES
) -> list[Published]:
    """What `namespace` (None: our own) has published, the newest first. One request a type."""
    with explained(hub):
        _ask_once(hub)
        found = [
            _published(item, type, hub)
            for type in types
            for item in _list(hub, type, namespace or hub.namespace)
        ]
    return sorted(found, key=_recency, reverse=True)


def history(hub: Hub, repo: RepoId, *, limit: int = 20) -> list[Commit]:
    """The newest commits of `repo`, the newest first. Raises RepoNotFoundError."""
    with explained(hub, repo):
        _ask_once(hub)
        commits = hub.api.list_repo_commits(str(repo), repo_type=repo.type)
    return [
        Commit(item.commit_id, item.title, ", ".join(item.authors), item.created_at)
        for item in commits[:limit]
    ]


def _ask_once(hub: Hub) -> None:
    """Raise at once if the Hub is away: the client's own listings would retry for half a minute."""
    from huggingface_hub import get_session

    url = f"{hub.endpoint}/api/models"
    get_session().get(url, params={"limit": 1}, timeout=REQUEST_TIMEOUT_S)


def _list(hub: Hub, type: RepoType, namespace: str) -> Iterable[Any]:
    api: Any = hub.api
    if type == "model":
        return list(api.list_models(author=namespace, expand=_MODEL_DETAILS))
    if type == "dataset":
        return list(api.list_datasets(author=namespace, expand=_DATASET_DETAILS))
    return list(api.list_spaces(author=namespace, expand=_COMMON))


def _published(item: Any, type: RepoType, hub: Hub) -> Published:
    repo = RepoId.parse(item.id, type=type)
    return Published(
        repo=repo,
        revision=item.sha,
        last_modified=item.last_modified,
        private=bool(item.private),
        url=hub.url(repo),
        metric=None if type == "space" else _metric(item),
        pipeline_tag=item.pipeline_tag if type == "model" else None,
        tags=_tags(item) if type == "dataset" else (),
    )


def _tags(item: Any) -> tuple[str, ...]:
    tags = item.card_data.to_dict().get("tags") if item.card_data else None
    return tuple(str(tag) for tag in tags) if isinstance(tags, list) else ()


def _metric(item: Any) -> Metric | None:
    if getattr(item, "model_index", None):  # models only
        return headline_metric({"model-index": item.model_index})
    return headline_metric(item.card_data.to_dict()) if item.card_data else None


def _recency(item: Published) -> float:
    return item.last_modified.timestamp() if item.last_modified else 0.0
