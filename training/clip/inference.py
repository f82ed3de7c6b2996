"""Match pictures and texts with a published CLIP.

matcher = load("lab/emoji-clip")
matcher.match(open_image("photo.jpg"), ["a cat", "a dog"])     # [0.91, 0.09]
matcher.find_by_text("something to eat", 5)                     # pictures of the model's collection
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from hub_utils.errors import LabError
from hub_utils.origin import Origin, find_model
from hub_utils.pull import Pulled
from training.clip.gallery import Gallery, Hit, read_gallery
from training.shared.batcher import Batcher
from training.shared.clip_files import open_clip_folder

if TYPE_CHECKING:
    from PIL.Image import Image

REMEMBERED = 512  # texts whose vectors are kept
RELEVANCE_GRID = 8  # patches a side


class Matcher:
    """A loaded CLIP. Safe to use from several threads."""

    def __init__(
        self,
        model: Any,
        preprocess: Any,
        tokenizer: Any,
        *,
        repo: str,
        revision: str | None,
        gallery: Gallery | None = None,
        away: bool = False,
    ) -> None:
        size = model.visual.image_size
        self.repo, self.revision, self.away = repo, revision, away
        self.image_size = int(size[0] if isinstance(size, tuple | list) else size)
        self.gallery = gallery
        self._model, self._preprocess, self._tokenizer = model, preprocess, tokenizer
        self._known: dict[str, np.ndarray] = {}
        self._lock = Lock()
        self._encode: Batcher[list[str], np.ndarray] = Batcher(self._encoded)

    def encode_images(self, images: Sequence[Image]) -> np.ndarray:
        """(n, d) float32 vectors of length 1."""
        import torch

        with torch.inference_mode():
            pictures = torch.stack([self._preprocess(image.convert("RGB")) for image in images])
            found = self._model.encode_image(pictures.to(self._device), normalize=True)
        vectors: np.ndarray = found.float().cpu().numpy()
        return vectors

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        """(n, d) float32 vectors of length 1; the last texts' are remembered.

        Texts of several callers at once share a pass of the encoder.
        """
        with self._lock:
            missing = [text for text in dict.fromkeys(texts) if text not in self._known]
        new = dict(zip(missing, self._encode(missing), strict=True)) if missing else {}
        with self._lock:
            found = {text: new[text] if text in new else self._known[text] for text in texts}
            self._known.update(new)
            while len(self._known) > REMEMBERED:
                del self._known[next(iter(self._known))]
        return np.stack([found[text] for text in texts])

    def match(self, image: Image, texts: Sequence[str]) -> list[float]:
        """Probability of each text for the picture, in their order. Raises LabError."""
        if not texts:
            raise LabError("There is no text to match.", hint="Write one text a line.")
        similarity = self.encode_texts(texts) @ self.encode_images([image])[0]
        logits = self._scale * similarity
        shares = np.exp(logits - logits.max())
        probabilities: list[float] = (shares / shares.sum()).tolist()
        return probabilities

    def similarities(self, images: Sequence[Image], texts: Sequence[str]) -> np.ndarray:
        """(images, texts) cosines."""
        found: np.ndarray = self.encode_images(images) @ self.encode_texts(texts).T
        return found

    def find_by_text(self, text: str, k: int = 10) -> list[Hit]:
        """The pictures of the collection that a text suits best. Raises LabError."""
        if not text.strip():
            raise LabError("The text is empty.", hint="Write what the picture shows.")
        return self._collection().showing(self.encode_texts([text.strip()])[0], k)

    def find_by_image(self, image: Image, k: int = 10) -> list[Hit]:
        """The pictures of the collection nearest to a picture. Raises LabError."""
        return self._collection().like(self.encode_images([image])[0], k)

    def relevance(self, image: Image, text: str) -> np.ndarray:
        """(g, g) float32, 0 to 1: how much the likeness to `text` falls when a patch is hidden.

        Source: occlusion, Zeiler & Fergus 2013, https://arxiv.org/abs/1311.2901
        """
        from PIL import Image

        side, grid = self.image_size, RELEVANCE_GRID
        whole = image.convert("RGB").resize((side, side))
        middle = tuple(int(value) for value in np.asarray(whole).reshape(-1, 3).mean(0))
        pictures = [whole]
        edges = [round(n * side / grid) for n in range(grid + 1)]
        for row in range(grid):
            for column in range(grid):
                hidden = whole.copy()
                box = (edges[column], edges[row], edges[column + 1], edges[row + 1])
                hidden.paste(Image.new("RGB", (box[2] - box[0], box[3] - box[1]), middle), box)
                pictures.append(hidden)
        scores = self.encode_images(pictures) @ self.encode_texts([text])[0]
        falls = np.maximum(scores[0] - scores[1:], 0).reshape(grid, grid)
        top = float(falls.max())
        shares: np.ndarray = falls / top if top > 0 else falls
        return shares.astype(np.float32)

    @property
    def _device(self) -> Any:
        return self._model.logit_scale.device

    @property
    def _scale(self) -> float:
        return float(self._model.logit_scale.detach().exp())

    def _collection(self) -> Gallery:
        if self.gallery is None:
            raise LabError(
                f"{self.repo} has no collection of pictures to search.",
                hint="Choose a model that was trained here, or match pictures with texts.",
            )
        return self.gallery

    def _encoded(self, lists: list[list[str]]) -> list[np.ndarray]:
        """The vectors of each list of texts."""
        import torch

        texts = [text for own in lists for text in own]
        tokens = self._tokenizer([" ".join(text.split()) or " " for text in texts])
        tower = getattr(self._model, "text", None)
        padding = getattr(getattr(tower, "config", None), "pad_token_id", None)
        if padding is not None:  # a sentence encoder: padding costs time and changes nothing
            tokens = tokens[:, : max(1, int((tokens != padding).sum(1).max()))]
        with torch.inference_mode():
            found = self._model.encode_text(tokens.to(self._device), normalize=True)
        vectors: np.ndarray = found.float().cpu().numpy()
        return np.split(vectors, np.cumsum([len(own) for own in lists])[:-1])


def load(repo_or_folder: str | Path, revision: str | None = None) -> Matcher:
    """Open a CLIP from the Hub or from a folder. Nothing is unpickled.

    Raises RepoNotFoundError, RevisionNotFoundError, UnsafeWeightsError, LabError.
    """
    return _open(find_model(repo_or_folder, revision))


def load_pulled(pulled: Pulled, *, device: str | None = None) -> Matcher:
    """Open a snapshot that `hub_utils.pull` fetched and checked. device: None: a GPU if any."""
    return _open(Origin.of(pulled), device=device)


def _open(origin: Origin, *, device: str | None = None) -> Matcher:
    import torch

    model, preprocess, tokenizer = open_clip_folder(origin.folder, name=origin.repo)
    return Matcher(
        model.to(device or ("cuda" if torch.cuda.is_available() else "cpu")),
        preprocess,
        tokenizer,
        repo=origin.repo,
        revision=origin.revision,
        gallery=read_gallery(origin.folder),
        away=origin.away,
    )
