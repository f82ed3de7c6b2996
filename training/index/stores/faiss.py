"""Faiss: three indexes for large corpora, in one file each.

| store | holds | for |
|---|---|---|
| faiss-flat | float16, all compared | exact figures in half the memory |
| faiss-hnsw | float16 and a graph | the fastest answers, slow to build |
| faiss-ivfpq | 4 bits for two numbers, in lists | a million vectors in about 110 MB |

IVF-PQ looks into the lists nearest to the query, ranks their members by rounded vectors
(fast-scan: André, Kermarrec and Le Scouarnec 2015), and CANDIDATES of them again exactly.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from training.index.stores.approximate import ApproximateStore
from training.index.stores.base import Floats, Rows, Vectors

FILE = "index.faiss"
BLOCK = 50_000  # vectors widened to float32 at a time: 77 MB of 384
NEIGHBOURS = 32  # links of a vector in the graph
BUILD_WIDTH, SEARCH_WIDTH = 128, 400  # HNSW's efConstruction and efSearch
CANDIDATES = 400  # of IVF-PQ, at least; rounding orders near vectors badly
# Rounded vectors that a query is compared with: 40,000 take a millisecond.
SCANNED, SCANNED_SHARE = 100_000, 1 / 16  # the larger of a number and a share of all
TRAINED_ON = 40  # vectors a list, to find the lists' centres
SMALL = 5_000  # vectors that need no lists
ROUNDS = 8  # of k-means


class FaissStore(ApproximateStore):
    """A Faiss index over (n, d) `vectors`."""

    def __init__(self, name: str, index: Any, vectors: Vectors) -> None:
        super().__init__(vectors)
        self.name, self._index = name, index
        self._options, self._least = _search_options(index)

    def _candidates(self, queries: Floats, count: int) -> Rows:
        wanted = min(max(count, self._least), len(self._vectors))
        _, rows = self._index.search(queries, wanted, params=self._options)
        found: Rows = rows
        return found


def fill(name: str, vectors: Vectors, folder: Path) -> None:
    """Build an index of `vectors` into `folder`."""
    import faiss

    index = MAKERS[name](vectors)
    for _, block in _blocks(vectors):
        index.add(block)
    faiss.write_index(index, str(folder / FILE))


def open_faiss(name: str, vectors: Vectors, folder: Path) -> FaissStore:
    """Open what `fill` wrote. Raises ValueError if it does not fit the vectors."""
    import faiss

    try:
        index = faiss.read_index(str(folder / FILE))
    except RuntimeError as error:
        raise ValueError(f"Faiss cannot read {FILE}") from error
    if (index.ntotal, index.d) != vectors.shape:
        raise ValueError(f"{FILE} holds {index.ntotal} vectors of {index.d} numbers")
    return FaissStore(name, index, vectors)


def _flat(vectors: Vectors) -> Any:
    faiss = _library()
    half, product = faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
    return faiss.IndexScalarQuantizer(vectors.shape[1], half, product)


def _hnsw(vectors: Vectors) -> Any:
    faiss = _library()
    half, product = faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
    index = faiss.IndexHNSWSQ(vectors.shape[1], half, NEIGHBOURS, product)
    index.hnsw.efConstruction = BUILD_WIDTH
    index.train(np.zeros((1, vectors.shape[1]), np.float32))  # float16 learns nothing
    return index


def _ivfpq(vectors: Vectors) -> Any:
    """Lists of some sqrt(n) / 2 vectors; two numbers of a vector in 4 bits."""
    faiss = _library()
    count, dimension = vectors.shape
    if count < SMALL or dimension % 2:
        return _flat(vectors)
    lists = 2 ** round(np.log2(2 * np.sqrt(count)))
    product = faiss.METRIC_INNER_PRODUCT
    index = faiss.index_factory(dimension, f"IVF{lists},PQ{dimension // 2}x4fs", product)
    index.cp.niter, index.cp.max_points_per_centroid = ROUNDS, TRAINED_ON
    index.cp.min_points_per_centroid = 1  # say nothing about few vectors
    chosen = np.random.default_rng(0).choice(count, min(count, TRAINED_ON * lists), replace=False)
    index.train(np.asarray(vectors[np.sort(chosen)], np.float32))
    return index


MAKERS: dict[str, Callable[[Vectors], Any]] = {
    "faiss-flat": _flat,
    "faiss-hnsw": _hnsw,
    "faiss-ivfpq": _ivfpq,
}


def _search_options(index: Any) -> tuple[Any, int]:
    """(what a search is told, how many candidates it is asked for at least)."""
    faiss = _library()
    if isinstance(index, faiss.IndexHNSW):
        return faiss.SearchParametersHNSW(efSearch=SEARCH_WIDTH), 1
    if isinstance(index, faiss.IndexIVF):
        share = max(SCANNED_SHARE, SCANNED / max(1, index.ntotal))
        probed = min(index.nlist, math.ceil(share * index.nlist))
        return faiss.SearchParametersIVF(nprobe=probed), CANDIDATES
    return None, 1


def _library() -> Any:
    """Faiss, whose stubs lack half of it."""
    import faiss

    return faiss


def _blocks(vectors: Vectors) -> Iterator[tuple[int, Floats]]:
    """(first row, block of float32 vectors), end to end."""
    for start in range(0, len(vectors), BLOCK):
        yield start, np.ascontiguousarray(vectors[start : start + BLOCK], np.float32)
