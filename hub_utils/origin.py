"""Where something that is loaded lies on this machine: a folder of one's own, or a snapshot.

origin = find_model("reuters-classifier")       # or a folder
pipeline("text-classification", origin.folder)
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hub_utils.connection import connect
from hub_utils.pull import Pulled, pull
from hub_utils.settings import Settings
from hub_utils.weights import refuse_disguised, refuse_only_pickles


@dataclass(frozen=True)
class Origin:
    """A folder, and where it came from."""

    folder: Path
    repo: str  # Hub id, or the folder's name
    revision: str | None  # 40-hex commit; None: no snapshot of a Hub
    away: bool = False  # the Hub could not be reached: this is the newest cached revision

    @classmethod
    def of(cls, pulled: Pulled) -> Origin:
        """A snapshot that `pull` fetched and checked."""
        return cls(pulled.folder, str(pulled.repo), pulled.revision, pulled.away)


def find_model(repo_or_folder: str | Path, revision: str | None = None) -> Origin:
    """A folder as it is, or a snapshot of the Hub's model; either way without pickles.

    Raises RepoNotFoundError, RevisionNotFoundError, HubUnavailableError, UnsafeWeightsError.
    """
    folder = Path(repo_or_folder)
    if folder.is_dir():
        names = [p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()]
        refuse_only_pickles(str(folder), names)
        refuse_disguised(str(folder), folder)
        return Origin(folder, folder.name, None)
    hub = connect(Settings.from_env())
    repo = hub.repo(str(repo_or_folder))
    return Origin.of(pull(repo, hub=hub, revision=revision, exports=False))
