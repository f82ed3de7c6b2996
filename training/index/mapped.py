"""The passages of an index in files that are mapped, not read: opening costs no memory.

rows.arrow has the columns, vectors.f16 the vectors (n, d), both in published order.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from training.index.shards import Passages, iterate_shards, schema

if TYPE_CHECKING:
    from training.index.cache import Cache
    from training.index.manifest import Manifest

ROWS, VECTORS = "rows.arrow", "vectors.f16"


def open_passages(cache: Cache, folder: Path, manifest: Manifest) -> Passages:
    """The passages of the index in `folder`, mapped from the cache.

    Raises DataError for a damaged shard, where they are not in the cache yet.
    """
    return cache.entry(
        "passages",
        {"passages": manifest.counts.passages, "dimension": manifest.encoder.dimension},
        fill=lambda place: _write(place, folder, manifest),
        open=lambda place: _map(place, manifest),
    )


def _write(place: Path, folder: Path, manifest: Manifest) -> None:
    """Shard after shard, each checked against the manifest."""
    import pyarrow as pa

    columns = schema(manifest.metadata)
    with (place / VECTORS).open("wb") as vectors, pa.ipc.new_file(place / ROWS, columns) as rows:
        for passages in iterate_shards(folder, manifest):
            rows.write_table(passages.table.select(columns.names).cast(columns))
            vectors.write(np.asarray(passages.vectors, np.float16).tobytes())


def _map(place: Path, manifest: Manifest) -> Passages:
    import pyarrow as pa

    table = pa.ipc.open_file(pa.memory_map(str(place / ROWS))).read_all()
    shape = (table.num_rows, manifest.encoder.dimension)
    if not table.num_rows:
        return Passages(table, np.empty(shape, np.float16))
    return Passages(table, np.memmap(place / VECTORS, np.float16, "r", shape=shape))
