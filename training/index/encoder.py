"""Texts to vectors by any sentence-transformers model.

encoder = load_encoder(folder, repo="sentence-transformers/all-MiniLM-L6-v2", revision="…")
vectors = encoder.encode(["First passage …", "Second passage …"])     # (2, 384) float32, length 1
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

Report = Callable[[int], None]  # hears how many texts are done


class Encoder:
    """Texts to vectors of length 1. Safe to use from several threads."""

    def __init__(self, model: Any, *, repo: str, revision: str | None) -> None:
        self.repo, self.revision = repo, revision
        self.dimension = int(model.get_embedding_dimension())
        self.max_tokens = int(model.max_seq_length or 512)
        self.tokenizer = model.tokenizer
        self.normalized = True
        self.notice: str | None = None
        self._model = model

    def encode(self, texts: Sequence[str], *, report: Report | None = None) -> np.ndarray:
        """(n, d) float32 vectors of passages, in their order."""
        vectors = self._model.encode_document(
            list(texts), normalize_embeddings=True, show_progress_bar=False
        )
        if report is not None:
            report(len(texts))
        return np.asarray(vectors, np.float32).reshape(len(texts), self.dimension)

    def encode_query(self, text: str) -> np.ndarray:
        """(d,) float32 vector of a question."""
        vector = self._model.encode_query(text, normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(vector, np.float32)

    def encode_queries(self, texts: Sequence[str]) -> np.ndarray:
        """(n, d) float32 vectors of questions that came together."""
        vectors = self._model.encode_query(
            list(texts), normalize_embeddings=True, show_progress_bar=False
        )
        return np.asarray(vectors, np.float32)


def load_encoder(folder: Path, *, repo: str | None = None, revision: str | None = None) -> Encoder:
    """Open a sentence-transformers model (or any encoder that transformers opens) from a folder."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(
        str(folder), local_files_only=True, model_kwargs={"use_safetensors": True}
    )
    return Encoder(model.eval(), repo=repo or folder.name, revision=revision)
