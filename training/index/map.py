"""A picture of the corpus: a place in the plane for every passage, near ones near each other.

t-SNE arranges up to LANDMARKS passages; every other passage, and every query, goes to the mean of
its nearest ones. A passage that already has a place keeps it, so that a build that changes little
changes little here: only what is new is placed, among what is known.

File: map.parquet with the columns id, text_hash, x, y, in the order of the index. It lies beside
the shards, not in them: a new map leaves their bytes alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

FILE = "map.parquet"
LANDMARKS = 2000  # about 3 seconds of t-SNE on one core
ITERATIONS = 350
PERPLEXITY = 30.0
NEIGHBOURS = 5
SHARPNESS = 0.05  # cosines this far apart differ by a factor e in weight
MIN_KNOWN = 0.5  # share of passages with a place, below which the map is drawn anew
DECIMALS = 4
_BLOCK = 2048  # vectors compared at a time


def project(vectors: np.ndarray, *, seed: int = 0, known: np.ndarray | None = None) -> np.ndarray:
    """Places (n, 2) float32 within [-1, 1] for normalised vectors (n, d), float16 or float32.

    known: (n, 2) places from an earlier map, NaN where there is none.
    """
    places = np.full((len(vectors), 2), np.nan, dtype=np.float32) if known is None else known.copy()
    if not len(vectors):
        return places
    if np.mean(~_missing(places)) < MIN_KNOWN:
        places[:] = np.nan
        chosen = _landmarks(vectors, seed)
        places[chosen] = _fit(_arrange(vectors[chosen].astype(np.float32), seed))
    anchors = _some(np.flatnonzero(~_missing(places)), seed)
    landmarks, there = vectors[anchors].astype(np.float32), places[anchors]
    missing = np.flatnonzero(_missing(places))
    for start in range(0, len(missing), _BLOCK):  # vectors may be many, and mapped from a file
        rows = missing[start : start + _BLOCK]
        places[rows] = place(vectors[rows].astype(np.float32), landmarks, there)
    return np.round(places, DECIMALS)


def place(queries: np.ndarray, vectors: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Places (q, 2) for queries (q, d) among vectors (n, d) that lie at places (n, 2).

    The mean of the nearest, the nearer the heavier. All vectors are normalised.
    """
    cosines = queries @ vectors.T  # (q, n)
    count = min(NEIGHBOURS, cosines.shape[1])
    nearest = np.argpartition(-cosines, count - 1, axis=1)[:, :count]  # (q, k)
    close = np.take_along_axis(cosines, nearest, axis=1)
    weights = np.exp((close - close.max(axis=1, keepdims=True)) / SHARPNESS)
    weights /= weights.sum(axis=1, keepdims=True)
    found: np.ndarray = np.einsum("qk,qkc->qc", weights, places[nearest]).astype(np.float32)
    return found


def write_map(folder: Path, passages: pa.Table, places: np.ndarray) -> Path:
    """Write folder/map.parquet for `passages` with id and text_hash; same places, same bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {"id": passages["id"], "text_hash": passages["text_hash"]}
    table = pa.table({**columns, "x": places[:, 0], "y": places[:, 1]})
    pq.write_table(table, folder / FILE, compression="zstd")
    return folder / FILE


def read_map(
    folder: Path, values: pa.ChunkedArray | Sequence[str], *, column: str = "id"
) -> np.ndarray | None:
    """Places (n, 2) of the passages with these values, NaN where the file has none.

    column: "id", or "text_hash" for passages of another build. None without a readable file: a map
    can be drawn again, and search works without.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(folder / FILE, columns=[column, "x", "y"])
    except (pa.ArrowInvalid, OSError):
        return None
    wanted = values if isinstance(values, pa.ChunkedArray) else pa.array(values, pa.string())
    rows = pc.index_in(wanted, value_set=table[column].combine_chunks())
    found = rows.fill_null(-1).to_numpy().astype(np.int64)
    places = np.full((len(found), 2), np.nan, dtype=np.float32)
    stored = np.column_stack([table["x"].to_numpy(), table["y"].to_numpy()])
    places[found >= 0] = stored[found[found >= 0]]
    return places


def _missing(places: np.ndarray) -> np.ndarray:
    missing: np.ndarray = np.isnan(places).any(axis=1)
    return missing


def _landmarks(vectors: np.ndarray, seed: int) -> np.ndarray:
    """Rows of different vectors: equal ones would only pile up."""
    rows = _some(np.arange(len(vectors)), seed)
    _, first = np.unique(vectors[rows], axis=0, return_index=True)
    return rows[np.sort(first)]


def _some(rows: np.ndarray, seed: int) -> np.ndarray:
    """At most LANDMARKS of `rows`, in their order."""
    if len(rows) <= LANDMARKS:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, LANDMARKS, replace=False))


def _arrange(vectors: np.ndarray, seed: int) -> np.ndarray:
    """Places (m, 2) of different vectors (m, d), in no particular scale."""
    if len(vectors) < 10:  # too few for neighbourhoods
        return _principal(vectors)
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    perplexity = min(PERPLEXITY, (len(vectors) - 1) / 3)
    # One thread: with several, the order of their sums and so the picture differs between runs.
    with threadpool_limits(1):
        model = TSNE(
            init=_principal(vectors) * 1e-4,
            perplexity=perplexity,
            max_iter=ITERATIONS,
            random_state=seed,
            n_jobs=1,
        )
        arranged: np.ndarray = model.fit_transform(vectors)
    return arranged


def _principal(vectors: np.ndarray) -> np.ndarray:
    """The two directions in which the vectors differ most, each with standard deviation 1."""
    centred = vectors - vectors.mean(axis=0)
    _, directions = np.linalg.eigh(centred.T @ centred)
    flat: np.ndarray = centred @ directions[:, :-3:-1]  # the largest two
    if flat.shape[1] < 2:
        flat = np.pad(flat, ((0, 0), (0, 2 - flat.shape[1])))
    spread = flat.std(axis=0)
    scaled = flat / np.where(spread > 1e-6, spread, 1)
    # An eigenvector's sign is the library's whim.
    signs = np.sign(scaled[np.abs(scaled).argmax(axis=0), [0, 1]])
    turned: np.ndarray = (scaled * np.where(signs == 0, 1, signs)).astype(np.float32)
    return turned


def _fit(places: np.ndarray) -> np.ndarray:
    """Shift and scale into [-1, 1], both axes alike."""
    middle = (places.max(axis=0) + places.min(axis=0)) / 2
    centred = places - middle
    fitted: np.ndarray = (centred / max(float(np.abs(centred).max()), 1e-9)).astype(np.float32)
    return fitted
