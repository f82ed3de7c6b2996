"""Which back end answers, and where it comes from: the setting LAB_SEARCH_STORE by name.

"auto" goes by size, as measured (docs/benchmarks.md): comparing all costs least for a small
corpus, a graph for a middling one, lists of rounded vectors for a large one.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from hub_utils.errors import LabError
from training.index.cache import Cache
from training.index.stores import chroma, faiss
from training.index.stores.base import Vectors, VectorStore
from training.index.stores.exact import ExactStore

AUTO = ((20_000, "exact"), (200_000, "chroma"))  # (vectors up to here, store)
AUTO_LARGE = "faiss-ivfpq"


@dataclass(frozen=True)
class Kind:
    """A store that is kept in the cache."""

    settings: dict[str, Any]  # a store made with others is built again
    fill: Callable[[Vectors, Path], None]
    open: Callable[[Vectors, Path], VectorStore]
    changing: str = ""  # file that opening may change


def _faiss(name: str) -> Kind:
    settings = {
        name: getattr(faiss, name)
        for name in ("NEIGHBOURS", "BUILD_WIDTH", "SMALL", "TRAINED_ON", "ROUNDS")
    }
    return Kind(settings, partial(faiss.fill, name), partial(faiss.open_faiss, name))


KINDS: dict[str, Kind] = {
    "chroma": Kind(chroma.GRAPH, chroma.fill, chroma.open_chroma, chroma.DATABASE),
    **{name: _faiss(name) for name in faiss.MAKERS},
}
NAMES = ("auto", "exact", *KINDS)


def chosen(name: str, count: int) -> str:
    """The store's name for `count` vectors. Raises LabError for one that there is not."""
    if name not in NAMES:
        near = difflib.get_close_matches(name, NAMES, n=1)
        guess = f" Did you mean {near[0]!r}?" if near else ""
        raise LabError(
            f"There is no vector store {name!r}.{guess}", hint=f"Use {', '.join(NAMES)}."
        )
    if name != "auto":
        return name
    return next((store for limit, store in AUTO if count <= limit), AUTO_LARGE)


def open_store(
    cache: Cache, name: str, vectors: Vectors, *, chroma_url: str | None = None
) -> VectorStore:
    """A back end over (n, d) `vectors`, from the cache or built into it.

    chroma_url: a Chroma server that is used in place of the embedded one. Raises LabError.
    """
    name = chosen(name, len(vectors))
    if name == "exact" or not len(vectors):
        return ExactStore(vectors)
    if name == "chroma" and chroma_url:
        return chroma.connect_chroma(chroma_url, vectors, stamp=cache.stamp, repo=cache.repo)
    kind = KINDS[name]
    return cache.entry(
        name,
        {**kind.settings, "shape": list(vectors.shape)},
        fill=partial(kind.fill, vectors),
        open=partial(kind.open, vectors),
        changing=kind.changing,
    )
