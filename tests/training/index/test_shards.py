"""The files of passages: deterministic, checked, opened by stock libraries."""

import datasets
import numpy as np
import pyarrow as pa
import pytest

from hub_utils.errors import DataError
from training.index.manifest import Chunking, Counts, EncoderFacts, Manifest, Shard, Source
from training.index.shards import (
    Passages,
    check,
    hash_of,
    read_shard,
    read_shards,
    schema,
    shard_path,
    shortened,
    text_hash,
    text_hashes,
    write_shard,
)

DIMENSION = 8
COLUMNS = {"topic": "string", "year": "int64"}


def passages(count, *, first=0):
    numbers = range(first, first + count)
    cells = {
        "id": [f"d#{n}" for n in numbers],
        "document": ["d"] * count,
        "title": ["Title"] * count,
        "text": [f"text {n}" for n in numbers],
        "number": list(numbers),
        "start": [10 * n for n in numbers],
        "end": [10 * n + 9 for n in numbers],
        "topic": ["space" if n % 2 else None for n in numbers],
        "year": [1990 + n for n in numbers],
        "text_hash": [text_hash(f"text {n}") for n in numbers],
        "document_hash": ["0" * 32] * count,
    }
    vectors = np.random.default_rng(first).normal(size=(count, DIMENSION)).astype(np.float16)
    return Passages(pa.table(cells, schema=schema(COLUMNS)), vectors)


def index(folder, *parts):
    """A folder with these shards and its manifest."""
    shards = []
    for number, part in enumerate(parts):
        path = shard_path(number, len(parts))
        sha256 = write_shard(folder / path, part)
        shards.append(Shard(path, 1, len(part), sha256, ""))
    return Manifest(
        encoder=EncoderFacts("lab/encoder", "a" * 40, DIMENSION, True, 64),
        chunking=Chunking(64, 8),
        counts=Counts(1, sum(map(len, parts)), 0),
        shards=tuple(shards),
        source=Source("d"),
        metadata=COLUMNS,
    )


def test_rows_and_vectors_come_back_in_the_manifests_order(tmp_path):
    first, second = passages(5), passages(3, first=5)
    read = read_shards(tmp_path, index(tmp_path, first, second))
    assert read.table["id"].to_pylist() == [f"d#{n}" for n in range(8)]
    assert read.vectors.dtype == np.float16
    np.testing.assert_array_equal(read.vectors, np.concatenate([first.vectors, second.vectors]))
    assert read.table.schema.equals(schema(COLUMNS))


def test_the_same_passages_are_the_same_bytes(tmp_path):
    write_shard(tmp_path / "a.parquet", passages(50))
    write_shard(tmp_path / "b.parquet", passages(50))
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_the_datasets_library_reads_vectors_as_lists_of_fixed_size(tmp_path):
    index(tmp_path, passages(5), passages(3, first=5))
    rows = datasets.load_dataset(
        "parquet", data_files=str(tmp_path / "data/*.parquet"), cache_dir=str(tmp_path / "cache")
    )["train"]
    assert rows.features["embedding"] == datasets.List(datasets.Value("float16"), length=DIMENSION)
    vectors = np.asarray(rows.with_format("numpy")["embedding"][:])
    expected = np.concatenate([passages(5).vectors, passages(3, first=5).vectors])
    np.testing.assert_array_equal(vectors, expected)


@pytest.mark.parametrize("damage", ["cut", "changed", "missing"])
def test_a_damaged_shard_is_named_before_anything_is_used(tmp_path, damage):
    manifest = index(tmp_path, passages(5), passages(5, first=5))
    path = tmp_path / manifest.shards[1].path
    content = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "changed":
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    else:
        path.unlink()
    with pytest.raises(DataError, match=r"train-00001-of-00002\.parquet is damaged") as caught:
        read_shards(tmp_path, manifest)
    assert "Download the index again" in caught.value.hint


def test_a_file_that_is_no_parquet_is_a_sentence(tmp_path):
    (tmp_path / "x.parquet").write_bytes(b"<html>not found</html>")
    with pytest.raises(DataError, match=r"x\.parquet is damaged"):
        read_shard(tmp_path / "x.parquet", dimension=DIMENSION)


def test_vectors_of_another_size_are_damage(tmp_path):
    write_shard(tmp_path / "x.parquet", passages(5))
    with pytest.raises(DataError, match="is damaged"):
        read_shard(tmp_path / "x.parquet", dimension=DIMENSION + 1)


def test_a_row_too_few_is_damage_even_if_the_hash_fits(tmp_path):
    manifest = index(tmp_path, passages(5))
    path = tmp_path / manifest.shards[0].path
    sha256 = write_shard(path, passages(4))
    lying = Shard(manifest.shards[0].path, 1, 5, sha256, "")
    check(tmp_path, lying)
    with pytest.raises(DataError, match="4 rows, not 5"):
        read_shards(tmp_path, Manifest(**{**vars(manifest), "shards": (lying,)}))


def test_an_index_without_passages_reads_as_an_empty_one(tmp_path):
    read = read_shards(tmp_path, index(tmp_path, passages(0)))
    assert len(read) == 0
    assert read.vectors.shape == (0, DIMENSION)


def test_text_hashes_are_read_as_numbers_that_compare_like_them(tmp_path):
    part = passages(20)
    write_shard(tmp_path / "x.parquet", part)
    numbers = text_hashes(tmp_path / "x.parquet")
    hashes = part.table["text_hash"].to_pylist()
    np.testing.assert_array_equal(numbers, shortened(hashes))
    assert [f"{number:016x}" for number in numbers.tolist()] == [text[:16] for text in hashes]
    assert hash_of(tmp_path / "x.parquet") == hash_of(tmp_path / "x.parquet")
