"""The passages and their vectors in Parquet files, the same bytes for the same content.

    passages = read_shards(folder, manifest)
    passages.table        # id, document, title, text, …, a row each, in the manifest's order
    passages.vectors      # (n, d) float16

`datasets.load_dataset` opens them: the vectors are lists of fixed size.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hub_utils.errors import DataError
from training.index.manifest import Manifest, Shard
from training.shared.files import written

if TYPE_CHECKING:
    import pyarrow as pa

EMBEDDING = "embedding"
ROWS_PER_GROUP = 8192
_HASH_CHARACTERS = 32
_BLOCK_BYTES = 2**20


@dataclass(frozen=True)
class Passages:
    """Passages by row. table: all columns but the vectors; vectors: (n, d) float16."""

    table: pa.Table
    vectors: np.ndarray

    def __len__(self) -> int:
        return int(self.table.num_rows)


def shard_path(number: int, count: int) -> str:
    """Where a shard is in the repository."""
    return f"data/train-{number:05d}-of-{count:05d}.parquet"


def text_hash(embedded: str) -> str:
    """Name of a passage by what is embedded of it: 32 hex characters."""
    return sha256(embedded.encode("utf-8")).hexdigest()[:_HASH_CHARACTERS]


def schema(columns: Mapping[str, str]) -> pa.Schema:
    """The columns of a shard without the vectors. columns: metadata name → type."""
    import pyarrow as pa

    types = {"string": pa.string(), "int64": pa.int64(), "double": pa.float64(), "bool": pa.bool_()}
    text, number = pa.string(), pa.int32()
    fields = [("id", text), ("document", text), ("title", text), ("text", text)]
    fields += [("number", number), ("start", number), ("end", number)]
    fields += [(name, types[kind]) for name, kind in columns.items()]
    fields += [("text_hash", text), ("document_hash", text)]
    return pa.schema(fields)


def write_shard(path: Path, passages: Passages) -> str:
    """Write a shard as one; the SHA-256 of its bytes. Raises LabError if the disk is full."""
    import pyarrow.parquet as pq

    table = _with_vectors(passages)
    texts = [name for name in table.column_names if name != EMBEDDING]
    with written(path) as partial:
        pq.write_table(
            table,
            partial,
            row_group_size=ROWS_PER_GROUP,
            compression={**dict.fromkeys(texts, "zstd"), EMBEDDING: "none"},
            use_dictionary=[name for name in texts if name not in ("id", "text", "text_hash")],
            write_statistics=texts,
            # Storage that keeps chunks by their content then sends only what changed.
            use_content_defined_chunking=True,
        )
        return hash_of(partial)


def read_shard(path: Path, *, dimension: int, columns: Sequence[str] | None = None) -> Passages:
    """One shard; columns: those of the table, None for all. Raises DataError if it is damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        wanted = None if columns is None else [*columns, EMBEDDING]
        table = pq.read_table(path, columns=wanted, partitioning=None)
        vectors = _vectors(table[EMBEDDING], dimension)
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise _damaged(path.name, str(error).splitlines()[0]) from None
    return Passages(table.drop_columns([EMBEDDING]), vectors)


def iterate_shards(folder: Path, manifest: Manifest) -> Iterator[Passages]:
    """The shards one by one, each checked first. Raises DataError for a damaged one."""
    for shard in manifest.shards:
        check(folder, shard)
        passages = read_shard(folder / shard.path, dimension=manifest.encoder.dimension)
        if len(passages) != shard.passages:
            raise _damaged(shard.path, f"{len(passages)} rows, not {shard.passages}")
        yield passages


def read_shards(folder: Path, manifest: Manifest) -> Passages:
    """All passages of an index, checked against its manifest. Raises DataError."""
    import pyarrow as pa

    count = sum(shard.passages for shard in manifest.shards)
    vectors = np.empty((count, manifest.encoder.dimension), np.float16)
    tables, row = [], 0
    for passages in iterate_shards(folder, manifest):
        vectors[row : row + len(passages)] = passages.vectors
        row += len(passages)
        tables.append(passages.table)
    if not tables:
        tables = [schema(manifest.metadata).empty_table()]
    return Passages(pa.concat_tables(tables), vectors)


def check(folder: Path, shard: Shard) -> None:
    """Raises DataError if a shard's file is missing, cut off or not what the manifest says."""
    path = folder / shard.path
    if not path.is_file():
        raise _damaged(shard.path, "it is missing")
    if hash_of(path) != shard.sha256:
        raise _damaged(shard.path, "its SHA-256 is not the manifest's")


def text_hashes(path: Path) -> np.ndarray:
    """The text hash of every row of a shard as (n,) uint64, its first 16 hex characters."""
    import pyarrow.parquet as pq

    column = pq.read_table(path, columns=["text_hash"], partitioning=None)["text_hash"]
    return shortened(column.to_pylist())


def shortened(hashes: Sequence[str]) -> np.ndarray:
    """Text hashes as (n,) uint64: their first 16 hex characters."""
    heads = "".join(text[:16] for text in hashes)
    return np.frombuffer(bytes.fromhex(heads), ">u8").astype(np.uint64)


def hash_of(path: Path) -> str:
    """SHA-256 of a file."""
    digest = sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _with_vectors(passages: Passages) -> pa.Table:
    import pyarrow as pa

    vectors = np.ascontiguousarray(passages.vectors, np.float16)
    lists = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), vectors.shape[1])
    return passages.table.append_column(EMBEDDING, lists)


def _vectors(column: Any, dimension: int) -> np.ndarray:
    pieces = [chunk.flatten().to_numpy(zero_copy_only=False) for chunk in column.chunks]
    flat = np.concatenate(pieces) if pieces else np.empty(0, np.float16)
    return flat.reshape(len(column), dimension)


def _damaged(name: str, reason: str) -> DataError:
    return DataError(
        f"The shard {name} is damaged: {reason}.",
        hint="Download the index again, or build it again.",
    )
