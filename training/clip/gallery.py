"""The collection that a model searches: pictures, captions and vectors in one Parquet file.

It lies beside the weights on the Hub; the card says how `datasets` opens it.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hub_utils.errors import LabError
from training.clip.hubness import ranked
from training.shared.captioned import PictureCorpus, Pictures

if TYPE_CHECKING:
    import pyarrow as pa
    from PIL.Image import Image

FOLDER, FILE = "gallery", "pictures.parquet"
COLUMNS = ("image", "caption", "category", "group", "split")
FAMILIARITY, EMBEDDING = "familiarity", "embedding"


@dataclass(frozen=True)
class Hit:
    """A picture of the collection and the cosine with what was asked, -1 to 1."""

    image: Image
    caption: str
    category: str
    score: float


@dataclass(frozen=True)
class Gallery:
    """n pictures with their vectors, (n, d) float32 of length 1.

    familiarity: (n,) float32, what counts against each when a text is looked for; see hubness.
    """

    pngs: tuple[bytes, ...]
    captions: tuple[str, ...]
    categories: tuple[str, ...]
    groups: tuple[str, ...]
    vectors: np.ndarray
    familiarity: np.ndarray

    def __len__(self) -> int:
        return len(self.pngs)

    def like(self, vector: np.ndarray, k: int) -> list[Hit]:
        """The k pictures nearest to a picture's (d,) vector, nearest first, one of each group."""
        cosines = self.vectors @ vector
        return self._best(cosines, cosines, k)

    def showing(self, vector: np.ndarray, k: int) -> list[Hit]:
        """The k best pictures for a text's (d,) vector, the best first, one of each group."""
        cosines = self.vectors @ vector
        return self._best(ranked(cosines, self.familiarity), cosines, k)

    def _best(self, values: np.ndarray, cosines: np.ndarray, k: int) -> list[Hit]:
        found: list[Hit] = []
        seen: set[str] = set()
        for row in np.argsort(-values, kind="stable"):
            if len(found) >= k:
                break
            if self.groups[row] not in seen:
                seen.add(self.groups[row])
                found.append(self._hit(int(row), float(cosines[row])))
        return found

    def _hit(self, row: int, score: float) -> Hit:
        from PIL import Image

        picture = Image.open(io.BytesIO(self.pngs[row])).convert("RGB")
        return Hit(picture, self.captions[row], self.categories[row], score)

    @cached_property
    def sample(self) -> list[Hit]:
        """Some pictures to try things on, evenly taken."""
        rows = np.linspace(0, len(self) - 1, min(12, len(self)), dtype=int)
        return [self._hit(int(row), 0.0) for row in rows]


def write_gallery(
    corpus: PictureCorpus, vectors: np.ndarray, familiar: np.ndarray, folder: Path
) -> Path:
    """Write all pictures of the corpus with (n, d) vectors as float16 and (n,) familiarity."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    pictures = corpus.all
    splits = ["train"] * len(corpus.train) + ["held out"] * len(corpus.held_out)
    width = vectors.shape[1]
    flat = pa.array(np.ascontiguousarray(vectors, np.float16).ravel())
    columns: dict[str, Any] = {
        "image": [{"bytes": png, "path": f"{n}.png"} for n, png in enumerate(_encoded(pictures))],
        "caption": [captions[0] for captions in pictures.captions],
        "category": list(pictures.categories),
        "group": list(pictures.groups),
        "split": splits,
        FAMILIARITY: np.asarray(familiar, np.float32),
        EMBEDDING: pa.FixedSizeListArray.from_arrays(flat, width),
    }
    table = pa.table(columns).replace_schema_metadata({"huggingface": _features(width)})
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, folder / FILE, compression="zstd")
    return folder / FILE


def read_gallery(folder: Path) -> Gallery | None:
    """What `write_gallery` wrote into folder/gallery; None where there is none. Raises LabError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / FOLDER / FILE
    if not path.is_file():
        return None
    try:
        known = FAMILIARITY in pq.read_schema(path).names  # it came later
        columns = [*COLUMNS, *([FAMILIARITY] if known else []), EMBEDDING]
        table = pq.read_table(path, columns=columns)
    except (pa.ArrowException, OSError, KeyError) as error:
        first = (str(error).splitlines() or ["damaged"])[0]
        raise LabError(
            f"The pictures of this model cannot be read ({first}).", hint="Publish it again."
        ) from error
    embedding = table[EMBEDDING].combine_chunks()
    width = embedding.type.list_size
    vectors = embedding.flatten().to_numpy(zero_copy_only=False).reshape(-1, width)
    vectors = vectors.astype(np.float32)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)
    return Gallery(
        pngs=tuple(image["bytes"] for image in table["image"].to_pylist()),
        captions=tuple(table["caption"].to_pylist()),
        categories=tuple(table["category"].to_pylist()),
        groups=tuple(table["group"].to_pylist()),
        vectors=vectors,
        familiarity=_familiarity(table),
    )


def _familiarity(table: pa.Table) -> np.ndarray:
    """(n,) float32; nothing counts against a picture of a gallery that was published without."""
    if FAMILIARITY not in table.column_names:
        return np.zeros(len(table), np.float32)
    return np.asarray(table[FAMILIARITY].to_numpy(), np.float32)


def _encoded(pictures: Pictures) -> list[bytes]:
    """Every picture on white as PNG."""
    from PIL import Image

    from training.shared.images import WHITE, on_background

    found = []
    for pixels in pictures.rgba:
        content = io.BytesIO()
        on_background(Image.fromarray(pixels, "RGBA"), WHITE).save(content, "PNG")
        found.append(content.getvalue())
    return found


def _features(width: int) -> str:
    """What the datasets library reads of the columns."""
    import json

    text = {"dtype": "string", "_type": "Value"}
    number = {"dtype": "float32", "_type": "Value"}
    vector = {"dtype": "float16", "_type": "Value"}
    features = {
        "image": {"_type": "Image"},
        **dict.fromkeys(COLUMNS[1:], text),
        FAMILIARITY: number,
        EMBEDDING: {"feature": vector, "length": width, "_type": "List"},
    }
    return json.dumps({"info": {"features": features}})
