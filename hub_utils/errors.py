"""One tree of expected errors. Each is a sentence that says what, which value, and what to do.

The command line prints the sentence and the hint on one line and exits with 2; a tab shows both.
"""

from __future__ import annotations

import errno

# What a system says where there is no room: on the disk, in a quota, in one file.
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class LabError(Exception):
    """An expected error. `str(error)` is the sentence, `hint` what to do about it."""

    hint: str = ""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        if hint is not None:
            self.hint = hint

    def line(self) -> str:
        """The sentence and the hint on one line, for a terminal."""
        return " ".join(f"{self} {self.hint}".split())


class SettingsError(LabError):
    """An environment variable has a value that cannot be used."""


class HubUnavailableError(LabError):
    """The Hub does not answer, and nothing that would do instead is cached."""

    hint = "Check the connection and HF_ENDPOINT, then try again."


class RepoNotFoundError(LabError):
    """The id names no repository that this token may read."""

    hint = "Check the spelling, or list what there is with: python -m hub_utils list"


class RevisionNotFoundError(LabError):
    """The repository exists, the branch, tag or commit does not."""

    hint = "Use a branch, a tag or a commit that the repository's page lists."


class EntryNotFoundError(LabError):
    """The repository exists, a file that was asked for does not."""


class AccessError(LabError):
    """The Hub refuses: the token is wrong, or may not do this."""

    hint = "Set HF_TOKEN to a token of this Hub that may write, and try again."


class InvalidNameError(LabError):
    """A repository id, a namespace or a name that no Hub accepts."""


class UnsafeWeightsError(LabError):
    """Weights that only a pickle can load: reading them could run any code."""

    hint = "Save the weights with safetensors (save_pretrained does) and publish that."


class UploadError(LabError):
    """An upload did not go through; the revision published before is untouched."""


class BundleError(LabError):
    """A Space bundle is incomplete or contradicts itself."""


class DataError(LabError):
    """The user's data cannot be trained on: names file, row and what was expected."""
