import json
from dataclasses import dataclass, replace

import pytest

from hub_utils.errors import DataError
from training.index.manifest import (
    Chunking,
    Counts,
    EncoderFacts,
    Manifest,
    Shard,
    Source,
    read,
    require_encoder,
    write,
)

REVISION = "a" * 40


@dataclass(frozen=True)
class Encoder:
    repo: str = "lab/encoder"
    revision: str = REVISION
    dimension: int = 32


def manifest():
    return Manifest(
        encoder=EncoderFacts("lab/encoder", REVISION, 32, True, 64),
        chunking=Chunking(64, 8),
        counts=Counts(2, 3, 1),
        shards=(Shard("data/train-00000-of-00001.parquet", 2, 3, "0" * 64, "1" * 64),),
        source=Source("letters.jsonl"),
        metadata={"topic": "string", "year": "int64"},
        keyword={"path": "keyword"},
        command="python -m training index",
        versions={"torch": "2"},
    )


def test_what_was_written_is_read(tmp_path):
    write(tmp_path, manifest())
    assert read(tmp_path) == manifest()


def test_the_same_manifest_is_the_same_bytes(tmp_path):
    first = write(tmp_path / "a", manifest()).read_bytes()
    assert write(tmp_path / "b", manifest()).read_bytes() == first


def test_a_folder_without_one_is_no_index(tmp_path):
    with pytest.raises(DataError, match=r"is no index: it has no manifest\.json"):
        read(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": 1}', "null"])
def test_a_damaged_one_is_a_sentence(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(DataError, match=r"manifest\.json is damaged"):
        read(tmp_path)


def test_a_later_format_is_refused(tmp_path):
    write(tmp_path, replace(manifest(), format=2))
    with pytest.raises(DataError, match="format 2; this version reads format 1"):
        read(tmp_path)


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "data/../../x.parquet", "a.parquet"])
def test_a_shard_outside_the_data_folder_is_refused(tmp_path, path):
    content = json.loads(write(tmp_path, manifest()).read_text())
    content["shards"][0]["path"] = path
    (tmp_path / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match="is no shard's path"):
        read(tmp_path)


def test_a_shard_knows_its_place():
    shard = Shard("data/train-00003-of-00016.parquet", 2, 3, "", "")
    assert (shard.number, shard.places) == (3, 16)


def test_the_encoder_it_was_made_with_is_accepted():
    require_encoder(manifest(), Encoder())


def test_another_revision_of_the_encoder_is_refused_with_both_named():
    other = "b" * 40
    with pytest.raises(DataError) as caught:
        require_encoder(manifest(), Encoder(revision=other))
    assert REVISION in str(caught.value)
    assert other in str(caught.value)
    assert "Load that revision" in caught.value.hint


def test_vectors_of_another_size_are_refused():
    with pytest.raises(DataError, match="have 32 numbers, those of lab/encoder 64"):
        require_encoder(manifest(), Encoder(dimension=64))
