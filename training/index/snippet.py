"""The lines that search a published index without this project, as its card shows them."""

from __future__ import annotations

from hub_utils.names import RepoId
from training.index.manifest import Manifest

SNIPPET = """\
import numpy as np
from datasets import load_dataset
from sentence_transformers import SentenceTransformer

passages = load_dataset("{repo}", split="train").with_format("numpy")
vectors = np.asarray(passages["embedding"][:], dtype=np.float32)
encoder = SentenceTransformer("{encoder}"{revision})

query = encoder.encode_query({example!r}, normalize_embeddings=True)
scores = (vectors @ query).round(6)
for row in np.argsort(-scores, kind="stable")[:10].tolist():
    print(round(float(scores[row]), 4), passages[row]["id"], str(passages[row]["text"])[:80])
"""
EXAMPLE = "how do I launch a satellite"
LOCAL = "sha256-"  # how the revision of an encoder from a folder begins


def snippet(repo: RepoId | str, manifest: Manifest, *, example: str = EXAMPLE) -> str:
    """Python that prints the ten nearest passages of a question: score, id, beginning.

    It needs `datasets` and `sentence-transformers`, and finds what dense search finds unfolded.
    """
    facts = manifest.encoder
    revision = "" if facts.revision.startswith(LOCAL) else f', revision="{facts.revision}"'
    return SNIPPET.format(repo=repo, encoder=facts.repo, revision=revision, example=example)
