"""Read a data set from the Hub, or say in a sentence why that cannot be."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub_utils.errors import DataError, InvalidNameError, RepoNotFoundError

if TYPE_CHECKING:
    from hub_utils.connection import Hub
    from hub_utils.pull import Pulled

TEST_SPLITS = ("test", "validation", "dev")


def pull_dataset(name: str, *, hub: Hub, otherwise: str) -> Pulled:
    """The files of a Hub data set. `otherwise`: what else could be given. Raises DataError."""
    from hub_utils.pull import pull

    try:
        repo = hub.repo(name, type="dataset")
    except InvalidNameError:
        raise DataError(
            f"There is no file or folder {name!r}, and no data set can have that name.",
            hint=f"Check the spelling, or {otherwise}.",
        ) from None
    try:
        return pull(repo, hub=hub)
    except RepoNotFoundError:
        raise DataError(
            f"There is no data set {str(repo)!r} on {hub.endpoint}, and no file {name!r}.",
            hint=f"Check the spelling, or {otherwise}.",
        ) from None


def splits_of(folder: Path, *, source: str, kinds: str) -> dict[str, Any]:
    """The splits of a downloaded data set, as the datasets library reads them.

    kinds: what it may consist of, for the complaint. Raises DataError.
    """
    from datasets import load_dataset
    from datasets.utils.logging import disable_progress_bar

    disable_progress_bar()
    try:
        return dict(load_dataset(str(folder)))
    except (ValueError, FileNotFoundError, RuntimeError) as error:
        raise DataError(
            f"The data set {source} cannot be read ({str(error).splitlines()[0]}).",
            hint=f"It must hold {kinds}.",
        ) from None
