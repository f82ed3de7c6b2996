"""The lines that search a published index without this project, as its card shows them."""

from __future__ import annotations

from hub_utils.names import RepoId
from hub_utils.snippets import search_index
from training.index.manifest import Manifest

EXAMPLE = "how do I launch a satellite"


def snippet(repo: RepoId | str, manifest: Manifest, *, example: str = EXAMPLE) -> str:
    """Python that prints the ten nearest passages of a question: score, id, beginning.

    It needs `datasets` and `sentence-transformers`, and finds what dense search finds unfolded.
    """
    encoder = manifest.encoder
    return search_index(
        repo, encoder=encoder.repo, encoder_revision=encoder.commit, example=example
    )
