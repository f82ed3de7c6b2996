"""Texts to vectors by any sentence-transformers model.

encoder = load_encoder(folder, repo="sentence-transformers/all-MiniLM-L6-v2", revision="…")
vectors = encoder.encode(["First passage …", "Second passage …"])     # (2, 384) float32, length 1
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from training.shared.workers import map_on_cores

BATCH = 16  # texts
HALF_BATCH = 8  # texts in bfloat16: what is between two products has to stay in the core's cache
MIN_HALF_WIDTH = 256  # of vectors; below it rounding costs exactness and saves no time
Report = Callable[[int], None]  # hears how many texts are done


class Encoder:
    """Texts to vectors of length 1. Safe to use from several threads."""

    def __init__(
        self, model: Any, *, repo: str, revision: str | None, bfloat16: bool = False
    ) -> None:
        """bfloat16: a second copy of the weights encodes passages; queries stay in float32."""
        self.repo, self.revision = repo, revision
        self.dimension = int(model.get_embedding_dimension())
        self.max_tokens = int(model.max_seq_length or 512)
        self.tokenizer = model.tokenizer
        self.normalized = True
        self.notice: str | None = None
        self._model = model
        self._half = bfloat16 and self.dimension >= MIN_HALF_WIDTH
        self._batch = HALF_BATCH if self._half else BATCH

    def encode(self, texts: Sequence[str], *, report: Report | None = None) -> np.ndarray:
        """(n, d) float32 vectors of passages, in their order.

        On a CPU a worker a core, each with texts of alike length.
        """
        vectors = np.empty((len(texts), self.dimension), np.float32)
        order = np.argsort([-len(text) for text in texts], kind="stable")
        batches = [order[at : at + self._batch] for at in range(0, len(order), self._batch)]
        model, done = self._for_passages, 0

        def run(rows: np.ndarray) -> np.ndarray:
            return _vectors(model, [texts[row] for row in rows])

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

    @cached_property
    def _for_passages(self) -> Any:
        """The model, or its copy with weights in bfloat16: a cast in every product would cost."""
        import torch

        return copy.deepcopy(self._model).to(torch.bfloat16) if self._half else self._model

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


def load_encoder(
    folder: Path,
    *,
    repo: str | None = None,
    revision: str | None = None,
    device: str | None = None,
) -> Encoder:
    """Open a sentence-transformers model (or any encoder that transformers opens) from a folder.

    device: a named one is taken, in float32, without asking the hardware; None: what it has.
    """
    from sentence_transformers import SentenceTransformer

    from training.shared.device import probe

    model = SentenceTransformer(
        str(folder),
        device=device or probe().device,
        local_files_only=True,
        model_kwargs={"use_safetensors": True},
    )
    return Encoder(
        model.eval(),
        repo=repo or folder.name,
        revision=revision,
        bfloat16=device is None and probe().bfloat16,
    )


def _vectors(model: Any, texts: list[str]) -> np.ndarray:
    """(n, d) float32 vectors of length 1 of a batch of passages."""
    import torch

    found = model.encode_document(
        texts, batch_size=len(texts), show_progress_bar=False, convert_to_tensor=True
    )
    normalized = torch.nn.functional.normalize(found.float(), dim=1)
    return np.asarray(normalized.cpu(), np.float32)
