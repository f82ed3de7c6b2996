"""Turn what the official client raises into one of our sentences.

with explained(hub, repo):
    hub.api.create_commit(...)
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from hub_utils.errors import (
    NO_ROOM,
    AccessError,
    EntryNotFoundError,
    HubUnavailableError,
    LabError,
    RepoNotFoundError,
    RevisionNotFoundError,
    UploadError,
)

if TYPE_CHECKING:
    from huggingface_hub.errors import HfHubHTTPError

    from hub_utils.connection import Hub
    from hub_utils.names import RepoId

_TOO_LARGE, _DISK_FULL = 413, 507  # HTTP status codes


@contextlib.contextmanager
def explained(hub: Hub, repo: RepoId | None = None) -> Iterator[None]:
    """Within, an error of the Hub's client becomes a LabError; any other error passes through."""
    from httpx2 import HTTPError
    from huggingface_hub.errors import HFValidationError

    try:
        yield
    except LabError:
        raise
    # The client wraps what a large file's upload ran into in a RuntimeError, and says ValueError
    # where the Hub refuses a card.
    except (HTTPError, OSError, HFValidationError, RuntimeError, ValueError) as error:
        sentence = explain(error, hub, repo)
        if sentence is None:
            raise
        raise sentence from error


def explain(error: Exception, hub: Hub, repo: RepoId | None = None) -> LabError | None:
    """The LabError that `error` amounts to, or None if it did not come from the Hub."""
    from httpx2 import HTTPError
    from huggingface_hub import errors

    if isinstance(error, RuntimeError) and isinstance(error.__cause__, Exception):
        return explain(error.__cause__, hub, repo)
    if isinstance(error, ValueError) and isinstance(error.__cause__, errors.HfHubHTTPError):
        about = f" for {repo}" if repo else ""
        return LabError(f"{hub.endpoint} refuses the card{about}: {' '.join(str(error).split())}")
    if isinstance(error, errors.HfHubHTTPError):
        return _by_kind(error, hub, repo) or _by_status(error, hub, repo)
    if isinstance(error, errors.HFValidationError):
        return LabError(str(error).split("\n")[0])
    if isinstance(error, errors.OfflineModeIsEnabled):
        return HubUnavailableError(
            "HF_HUB_OFFLINE is set, so no Hub is asked.", hint="Unset it to publish or to update."
        )
    if isinstance(error, (HTTPError, errors.LocalEntryNotFoundError)):
        return HubUnavailableError(f"{hub.endpoint} does not answer ({type(error).__name__}).")
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        return LabError("The disk of this machine is full.", hint="Free some space and try again.")
    return None


def _by_kind(error: Exception, hub: Hub, repo: RepoId | None) -> LabError | None:
    from huggingface_hub import errors

    name = f"{repo.type} {repo}" if repo else "what was asked for"
    if isinstance(error, errors.GatedRepoError):
        return AccessError(
            f"{name} is gated.",
            hint=f"Ask for access on its page at {hub.endpoint}, then try again.",
        )
    if isinstance(error, errors.RepositoryNotFoundError):
        return RepoNotFoundError(f"There is no {name} at {hub.endpoint} that this token may read.")
    if isinstance(error, errors.RevisionNotFoundError):
        return RevisionNotFoundError(f"{name} has no such revision.")
    if isinstance(error, errors.RemoteEntryNotFoundError):
        return EntryNotFoundError(f"{name} has no such file.", hint="Its page lists the files.")
    return None


def _by_status(error: HfHubHTTPError, hub: Hub, repo: RepoId | None) -> LabError:
    status = error.response.status_code
    about = f" for {repo.type} {repo}" if repo else ""
    said = (error.server_message or f"status {status}").strip().split("\n")[0]
    if status == 401:
        return AccessError(f"{hub.endpoint} refuses the token in HF_TOKEN{about}.")
    if status in (402, 403):
        return AccessError(f"{hub.endpoint} does not allow this{about}: {said}")
    if status == _DISK_FULL:
        return UploadError(
            f"The Hub's disk is full, so nothing was published{about}.",
            hint="Free some space there and publish again; the last revision is untouched.",
        )
    if status == _TOO_LARGE:
        return UploadError(f"The Hub finds the upload too large{about}: {said}")
    if status >= 500:
        return HubUnavailableError(f"{hub.endpoint} has a problem of its own{about}: {said}")
    return LabError(f"{hub.endpoint} refused this{about}: {said}")
