"""Texts to vectors by any sentence-transformers model.

encoder = load_encoder(folder, repo="sentence-transformers/all-MiniLM-L6-v2", revision="…")
vectors = encoder.encode(["First passage …", "Second passage …"])     # (2, 384) float32, length 1
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from training.shared.workers import map_on_cores

BATCH = 16  # texts
Report = Callable[[int], None]  # hears how many texts are done


class Encoder:
    """Texts to vectors of length 1. Safe to use from several threads."""

    def __init__(
        self, model: Any, *, repo: str, revision: str | None, bfloat16: bool = False
    ) -> None:
        """bfloat16: of passages' products; queries, one at a time, stay in float32."""
        self.repo, self.revision = repo, revision
        self.dimension = int(model.get_embedding_dimension())
        self.max_tokens = int(model.max_seq_length or 512)
        self.tokenizer = model.tokenizer
        self.normalized = True
        self.notice: str | None = None
        self._model, self._bfloat16 = model, bfloat16

    def encode(self, texts: Sequence[str], *, report: Report | None = None) -> np.ndarray:
        """(n, d) float32 vectors of passages, in their order.

        On a CPU a worker a core, each with texts of alike length.
        """
        vectors = np.empty((len(texts), self.dimension), np.float32)
        order = np.argsort([-len(text) for text in texts], kind="stable")
        batches = [order[at : at + BATCH] for at in range(0, len(order), BATCH)]
        done = 0

        def run(rows: np.ndarray) -> np.ndarray:
            return self._vectors([texts[row] for row in rows])

        found = map_on_cores(run, batches, device=self._device)
        for rows, piece in zip(batches, found, strict=True):
            vectors[rows] = piece
            done += len(rows)
            if report is not None:
                report(done)
        return vectors

    @property
    def _device(self) -> str:
        return str(self._model.device.type)

    def _vectors(self, texts: list[str]) -> np.ndarray:
        import torch

        with torch.autocast(self._device, torch.bfloat16, enabled=self._bfloat16):
            found = self._model.encode_document(
                texts, batch_size=BATCH, normalize_embeddings=True, show_progress_bar=False
            )
        return np.asarray(found, np.float32)

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

    from training.shared.device import probe

    model = SentenceTransformer(
        str(folder),
        device=probe().device,
        local_files_only=True,
        model_kwargs={"use_safetensors": True},
    )
    return Encoder(
        model.eval(), repo=repo or folder.name, revision=revision, bfloat16=probe().bfloat16
    )
