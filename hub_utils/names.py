"""Names of repositories: "namespace/name" and what kind of repository it is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from hub_utils.errors import InvalidNameError

if TYPE_CHECKING:
    from typing import Self

RepoType = Literal["model", "dataset", "space"]
REPO_TYPES: tuple[RepoType, ...] = get_args(RepoType)

# The Hub's own rule (huggingface_hub/utils/_validators.py), 96 characters for the whole id.
_MAX_ID_LENGTH = 96
_PART = re.compile(r"(?!.*(--|\.\.))[A-Za-z0-9_](?:[A-Za-z0-9_.\-]*[A-Za-z0-9_])?")
_URL_PREFIX: dict[RepoType, str] = {"model": "", "dataset": "datasets/", "space": "spaces/"}


@dataclass(frozen=True)
class RepoId:
    """A repository on a Hub. `str(repo)` is "namespace/name"."""

    namespace: str
    name: str
    type: RepoType = "model"

    def __post_init__(self) -> None:
        """Refuse what no Hub would accept. Raises InvalidNameError."""
        if self.type not in REPO_TYPES:
            raise InvalidNameError(
                f"{self.type!r} is no kind of repository.", hint=f"Use {', '.join(REPO_TYPES)}."
            )
        check_name(self.namespace, what="namespace")
        check_name(self.name, what="repository name")
        if len(str(self)) > _MAX_ID_LENGTH:
            raise InvalidNameError(
                f"{str(self)!r} has {len(str(self))} characters; a Hub allows {_MAX_ID_LENGTH}.",
                hint="Choose a shorter name.",
            )

    @classmethod
    def parse(cls, text: str, *, type: RepoType = "model", namespace: str | None = None) -> Self:
        """Read "namespace/name"; a bare "name" is taken to be in `namespace`."""
        owner, slash, name = text.strip().rpartition("/")
        if not slash and namespace is None:
            raise InvalidNameError(
                f"{text!r} names no namespace.",
                hint="Write it as namespace/name, as in lab/my-model.",
            )
        return cls(namespace=owner if slash else str(namespace), name=name, type=type)

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def path(self) -> str:
        """Where its page is on a Hub, without a leading slash: "datasets/lab/reuters-r8"."""
        return f"{_URL_PREFIX[self.type]}{self}"


def check_name(text: str, *, what: str) -> str:
    """Return `text` if a Hub accepts it as one part of an id. Raises InvalidNameError."""
    if not _PART.fullmatch(text) or text.endswith(".git"):
        raise InvalidNameError(
            f"{text!r} cannot be a {what}.",
            hint="Use letters, digits, '-', '_' and '.', not at the ends and not '--' or '..'.",
        )
    return text
