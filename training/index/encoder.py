"""Texts to vectors by any sentence-transformers model.

encoder = load_encoder(folder, repo="sentence-transformers/all-MiniLM-L6-v2", revision="…")
vectors = encoder.encode(["First passage …", "Second passage …"])     # (2, 384) float32, length 1
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from hub_utils.errors import LabError
from training.shared.device import cores
from training.shared.workers import map_on_cores

if TYPE_CHECKING:
    from tokenizers import Tokenizer

PIECE = 2048  # texts cut into tokens at once
BATCH_TOKENS = 4096  # of the texts that go through the model together
HALF_BATCH_TOKENS = 2048  # in bfloat16: what is between two products has to stay in the cache
LENGTH_STEP = 16  # lanes of a vector: torch's attention takes longer over 204 tokens than over 256
MIN_HALF_WIDTH = 256  # of vectors; below it rounding costs exactness and saves no time
# The first of these prompts that a model has goes before a text.
PROMPTS = {"document": ("document", "passage", "corpus"), "query": ("query",)}
Report = Callable[[int], None]  # hears how many texts are done


class TextEncoder(Protocol):
    """What an index is built and searched with: `Encoder`, whose words these are, or its like."""

    @property
    def repo(self) -> str: ...
    @property
    def revision(self) -> str | None: ...
    @property
    def dimension(self) -> int: ...
    @property
    def max_tokens(self) -> int: ...
    @property
    def normalized(self) -> bool: ...
    @property
    def tokenizer(self) -> Tokenizer: ...
    def wait(self) -> None: ...
    def encode(self, texts: Sequence[str], *, report: Report | None = None) -> np.ndarray: ...
    def encode_query(self, text: str) -> np.ndarray: ...
    def encode_queries(self, texts: Sequence[str]) -> np.ndarray: ...


class Encoder:
    """Texts to vectors of length 1. Safe to use from several threads."""

    def __init__(
        self, model: Any, *, repo: str, revision: str | None, bfloat16: bool = False
    ) -> None:
        """bfloat16: a second copy of the weights encodes passages; queries stay in float32."""
        self.repo, self.revision = repo, revision
        self.dimension = int(model.get_embedding_dimension())
        self.max_tokens = int(model.max_seq_length or 512)
        self.normalized = True
        self._model = model
        self._half = bfloat16 and self.dimension >= MIN_HALF_WIDTH
        self._batch_tokens = HALF_BATCH_TOKENS if self._half else BATCH_TOKENS

    def wait(self) -> None:
        """Until it is ready, which it is."""

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The model's, without the cutting and padding that it does for the model."""
        from tokenizers import Tokenizer

        theirs = self._model.tokenizer
        backend = getattr(theirs, "backend_tokenizer", theirs)
        return whole(Tokenizer.from_str(backend.to_str()))

    def encode(self, texts: Sequence[str], *, report: Report | None = None) -> np.ndarray:
        """(n, d) float32 vectors of passages, in their order.

        On a CPU a worker a core, each with texts of alike length.
        """
        return self._encoded(self._for_passages, texts, task="document", report=report)

    def _encoded(
        self, model: Any, texts: Sequence[str], *, task: str, report: Report | None = None
    ) -> np.ndarray:
        """(n, d) vectors.

        Tokens are made for many texts at once: they tell how long a text is, and a worker in Python
        would hold up the others.
        """
        vectors = np.empty((len(texts), self.dimension), np.float32)
        done = 0
        for start in range(0, len(texts), PIECE):
            features = _features(model, texts[start : start + PIECE], task=task)
            batches = list(self._planned(features["attention_mask"].numpy()))
            run = partial(_vectors, model, features, self.dimension, task)
            found = map_on_cores(run, batches, device=self._device)
            for rows, piece in zip(batches, found, strict=True):
                vectors[start + rows] = piece
                done += len(rows)
                if report is not None:
                    report(done)
        return vectors

    def _planned(self, mask: np.ndarray) -> Iterator[np.ndarray]:
        """Rows of the (n, t) mask that go through the model together; few give every core some."""
        workers = 1 if self._device == "cuda" else cores()
        return _batches(mask, min(self._batch_tokens, -(-int(mask.sum()) // workers)))

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
        vector: np.ndarray = self.encode_queries([text])[0]
        return vector

    def encode_queries(self, texts: Sequence[str]) -> np.ndarray:
        """(n, d) float32 vectors of questions that came together."""
        return self._encoded(self._model, texts, task="query")


def load_encoder(
    folder: Path,
    *,
    repo: str | None = None,
    revision: str | None = None,
    device: str | None = None,
) -> Encoder:
    """Open a sentence-transformers model (or any encoder that transformers opens) from a folder.

    device: a named one is taken, in float32, without asking the hardware; None: what it has.
    Raises LabError if the folder holds no such model, or no safetensors of it.
    """
    from sentence_transformers import SentenceTransformer

    from training.shared.device import probe

    try:
        model = SentenceTransformer(
            str(folder),
            device=device or probe().device,
            local_files_only=True,
            model_kwargs={"use_safetensors": True},
        )
    except (OSError, ValueError) as error:
        raise LabError(
            f"{repo or folder.name} cannot be loaded as a sentence encoder: {error}",
            hint="Give a sentence-transformers model, or an encoder that transformers opens.",
        ) from error
    return Encoder(
        model.eval(),
        repo=repo or folder.name,
        revision=revision,
        bfloat16=device is None and probe().bfloat16,
    )


def whole(tokenizer: Tokenizer) -> Tokenizer:
    """The same one, which from now on neither cuts nor pads."""
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _features(model: Any, texts: Sequence[str], *, task: str) -> dict[str, Any]:
    """What the model's first part makes of texts: (n, t) tensors, and values that all share.

    With `_vectors` this is `SentenceTransformer.encode_document` and `encode_query` without their
    work in Python, which is a quarter of a query's time.
    """
    prompt = next((model.prompts[name] for name in PROMPTS[task] if name in model.prompts), None)
    features: dict[str, Any] = model.preprocess(list(texts), prompt=prompt, task=task)
    return features


def _batches(mask: np.ndarray, tokens: int) -> Iterator[np.ndarray]:
    """Rows of the (n, t) mask of alike length, the longest first; at most `tokens` with padding."""
    lengths = mask.sum(1)
    order = np.argsort(-lengths, kind="stable")
    at = 0
    while at < len(order):
        count = max(1, tokens // _width(int(lengths[order[at]]), mask.shape[1]))
        yield order[at : at + count]
        at += count


def _width(tokens: int, most: int) -> int:
    """Columns for texts of `tokens` tokens, of the `most` that there are."""
    return min(most, -(-max(1, tokens) // LENGTH_STEP) * LENGTH_STEP)


def _taken(features: dict[str, Any], rows: np.ndarray) -> dict[str, Any]:
    """The features of some texts, without the columns that only longer ones need."""
    mask = features["attention_mask"]
    used = mask[rows].any(0).nonzero().flatten()  # columns, of either side
    first = int(used[0]) if len(used) else 0
    width = _width(len(used), mask.shape[1])
    start = min(first, mask.shape[1] - width)
    return {
        name: value[rows, start : start + width]
        if getattr(value, "shape", None) == mask.shape
        else value
        for name, value in features.items()
    }


def _vectors(
    model: Any, features: dict[str, Any], dimension: int, task: str, rows: np.ndarray
) -> np.ndarray:
    """(m, d) float32 vectors of length 1 of some of the texts."""
    import torch

    with torch.inference_mode():
        there = {
            name: value.to(model.device) if isinstance(value, torch.Tensor) else value
            for name, value in _taken(features, rows).items()
        }
        found = model(there, task=task)["sentence_embedding"][:, :dimension]
        normalized = torch.nn.functional.normalize(found.float(), dim=1)
    return np.asarray(normalized.cpu(), np.float32)
