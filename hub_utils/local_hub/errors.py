"""What the embedded Hub refuses, each with the status and code that the official clients know.

`X-Error-Code` and `X-Error-Message` are what huggingface_hub turns into its own exceptions.
"""

# ruff: noqa: N818 - named after the Hub's own error codes
from __future__ import annotations

import errno
import sqlite3


class HubError(Exception):
    """A refusal: `str(error)` is a sentence for people, the rest is for the clients."""

    status = 400
    code: str | None = None


class BadRequest(HubError):
    """The request makes no sense: a bad name, path, body or parameter."""


class Unauthorized(HubError):
    """No token, or a wrong one."""

    status = 401


class Forbidden(HubError):
    """The token is right, and the thing is still not allowed."""

    status = 403


class RepoNotFound(HubError):
    """No such repository, or none that the caller may know of."""

    status, code = 404, "RepoNotFound"


class RevisionNotFound(HubError):
    """No such branch, tag or commit."""

    status, code = 404, "RevisionNotFound"


class EntryNotFound(HubError):
    """No such file or folder at this revision; `commit` is the revision that was looked at."""

    status, code = 404, "EntryNotFound"

    def __init__(self, message: str, *, commit: str | None = None) -> None:
        super().__init__(message)
        self.commit = commit


class GatedRepo(HubError):
    """The repository may be known of, but its contents are for those who were let in."""

    status, code = 403, "GatedRepo"


class NotFound(HubError):
    """Something that is neither a repository, a revision nor an entry is missing."""

    status = 404


class RepoExists(HubError):
    """The name is taken."""

    status = 409


class RefExists(HubError):
    """The branch or tag is there already."""

    status = 409


class StaleParent(HubError):
    """The branch moved on since the caller looked at it."""

    status = 412


class TooLarge(HubError):
    """The body is larger than this kind of request may be."""

    status = 413


class RangeNotSatisfiable(HubError):
    """The asked bytes lie outside the file, which has `size` bytes."""

    status = 416

    def __init__(self, message: str, size: int) -> None:
        super().__init__(message)
        self.size = size


class UploadMismatch(HubError):
    """The bytes are not those that were announced."""

    status = 422


class NotSupported(HubError):
    """The real Hub can do this, the embedded one cannot."""

    status = 501


class DiskFull(HubError):
    """There is no room for these bytes."""

    status = 507

    def __init__(self, message: str = "") -> None:
        super().__init__(
            message or "The Hub's disk is full: nothing was stored. Free some space and try again."
        )


def is_disk_full(error: BaseException) -> bool:
    """Whether an error of the system or of SQLite says that there is no room left."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return isinstance(error, sqlite3.OperationalError) and "full" in str(error)
