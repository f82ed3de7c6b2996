"""Building and building again: what is embedded, what is kept, what is gone."""

import json
import shutil
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest

from hub_utils.errors import DataError, LabError, SettingsError
from tests.faults import room_for
from tests.training.index.conftest import Documents, make_rows
from training.index.build import build, clear
from training.index.config import IndexConfig
from training.index.documents import Document
from training.index.encoder import load_encoder
from training.index.manifest import read
from training.index.passages import cut
from training.index.shards import read_shards
from training.shared.files import alone_in
from training.shared.progress import Progress

CONFIG = IndexConfig(overlap_tokens=8, shards=8)


@pytest.fixture(scope="module")
def encoder(tiny_encoder):
    return load_encoder(tiny_encoder, repo="lab/tiny-encoder", revision="a" * 40)


@pytest.fixture(scope="module")
def items():
    return [document(row) for row in make_rows(60)]


def document(row):
    metadata = {"topic": row["topic"], "year": row["year"]}
    return Document(id=row["id"], title=row["title"], text=row["text"], metadata=metadata)


@pytest.fixture(scope="module")
def make(encoder):
    """Build the index of these documents in a folder."""

    def make_index(items: Iterable, output, *, config=CONFIG, encoder=encoder, **more):
        more.setdefault("previous", None)
        progress = Progress("index", output, quiet=True)
        return build(
            Documents(list(items)), encoder, config, output=output, progress=progress, **more
        )

    return make_index


@pytest.fixture(scope="module")
def first(make, items, tmp_path_factory):
    """The index of all documents."""
    return make(items, tmp_path_factory.mktemp("first"))


@pytest.fixture
def asked(encoder, monkeypatch):
    """The texts of every call of the encoder."""
    calls, encode = [], encoder.encode
    monkeypatch.setattr(
        encoder, "encode", lambda texts, **more: (calls.append(texts), encode(texts, **more))[1]
    )
    return calls


def contents(built):
    """Shard path → bytes."""
    return {shard.path: (built.folder / shard.path).read_bytes() for shard in built.manifest.shards}


def different(one, other):
    """Paths of shards that are not the same in both."""
    left, right = contents(one), contents(other)
    return sorted(path for path in left.keys() | right.keys() if left.get(path) != right.get(path))


def test_every_passage_is_there_with_its_place_its_metadata_and_its_vector(first, items, encoder):
    passages = read_shards(first.folder, first.manifest)
    rows = passages.table.to_pylist()
    by_id = {item.id: item for item in items}
    expected = {
        passage.id: passage
        for item in items
        for passage in cut([item], encoder.tokenizer, max_tokens=64, overlap_tokens=8)[0]
    }
    assert {row["id"] for row in rows} == expected.keys()
    for row in rows:
        item, passage = by_id[row["document"]], expected[row["id"]]
        assert row["text"] == item.text[row["start"] : row["end"]]
        assert (row["title"], row["number"]) == (item.title, passage.number)
        assert (row["topic"], row["year"]) == (item.metadata["topic"], item.metadata["year"])
    vectors = encoder.encode([expected[row["id"]].embedded for row in rows])
    np.testing.assert_allclose(passages.vectors, vectors, atol=2e-3)


def test_the_manifest_counts_what_is_there(first, items):
    manifest = read(first.folder)
    assert manifest == first.manifest
    assert manifest.counts.documents == len(items)
    assert manifest.counts.passages == sum(shard.passages for shard in manifest.shards)
    assert first.embedded == manifest.counts.passages - manifest.counts.duplicates
    assert (first.reused, first.removed) == (0, 0)
    assert first.passages_per_second > 0
    assert manifest.encoder.repo == "lab/tiny-encoder"
    assert manifest.metadata == {"topic": "string", "year": "int64"}


def test_rows_stand_by_document_and_number_in_each_shard(first):
    for shard in first.manifest.shards:
        one = replace(first.manifest, shards=(shard,))
        rows = read_shards(first.folder, one).table.to_pylist()
        places = [(row["document"], row["number"]) for row in rows]
        assert places == sorted(places)


def test_the_order_of_reading_changes_no_byte(make, first, items, tmp_path):
    assert different(make(items[::-1], tmp_path), first) == []


def test_building_again_embeds_nothing_and_changes_no_byte(make, first, items, tmp_path):
    again = make(items, tmp_path, previous=first.folder)
    assert again.embedded == 0
    assert again.reused == first.manifest.counts.passages
    assert again.removed == 0
    assert different(again, first) == []
    assert again.manifest == first.manifest


def test_a_changed_document_touches_its_shard_alone(make, first, items, tmp_path):
    changed = [*items]
    changed[7] = replace(items[7], text=f"A new start of the story. {items[7].text}")
    again = make(changed, tmp_path / "a", previous=first.folder)
    assert len(different(again, first)) == 1
    assert 1 <= again.embedded <= 2
    assert 1 <= again.removed <= 2
    anew = make(changed, tmp_path / "b")
    assert again.manifest.counts == anew.manifest.counts
    whole, pieced = (read_shards(b.folder, b.manifest) for b in (anew, again))
    assert pieced.table.equals(whole.table)
    np.testing.assert_allclose(pieced.vectors, whole.vectors, atol=2e-3)


def test_what_is_new_in_several_shards_is_embedded_together(
    make, first, items, asked, tmp_path, monkeypatch
):
    changed = [
        replace(item, text=f"{item.text} At last, puck {n}.") for n, item in enumerate(items)
    ]
    again = make([*changed[::5], *items[1:5]], tmp_path / "few", previous=first.folder)
    assert len(asked) == 1
    assert len(different(again, first)) > 2
    assert again.embedded == len(asked[0])
    monkeypatch.setattr("training.index.fill.MOST_ROWS", 1)
    pieced = make([*changed[::5], *items[1:5]], tmp_path / "each", previous=first.folder)
    assert len(asked) > 2
    assert (pieced.embedded, pieced.reused) == (again.embedded, again.reused)
    np.testing.assert_allclose(
        *(read_shards(b.folder, b.manifest).vectors for b in (again, pieced)), atol=2e-3
    )


def test_documents_that_went_are_removed_and_new_ones_come(make, first, items, tmp_path):
    new = replace(items[0], id="new", text="Bread of another kind, with salt.")
    again = make([*items[5:], new], tmp_path, previous=first.folder)
    table = read_shards(again.folder, again.manifest).table
    documents = set(table["document"].to_pylist())
    assert documents == {item.id for item in [*items[5:], new]}
    assert again.embedded == 1
    assert again.removed == first.manifest.counts.passages - again.manifest.counts.passages + 1
    assert again.reused == again.manifest.counts.passages - 1


def test_only_metadata_that_changed_embeds_nothing(make, first, items, tmp_path):
    changed = [*items]
    changed[3] = replace(items[3], metadata={"topic": "other", "year": 2001})
    again = make(changed, tmp_path, previous=first.folder)
    assert again.embedded == 0
    assert len(different(again, first)) == 1
    rows = read_shards(again.folder, again.manifest).table.to_pylist()
    years = {row["year"] for row in rows if row["document"] == items[3].id}
    assert years == {2001}


def test_a_new_metadata_column_embeds_nothing(make, first, items, tmp_path):
    changed = [replace(item, metadata={**item.metadata, "read": True}) for item in items]
    again = make(changed, tmp_path, previous=first.folder)
    assert again.embedded == 0
    assert again.manifest.metadata == {"read": "bool", "topic": "string", "year": "int64"}


def test_another_number_of_shards_embeds_nothing(make, first, items, tmp_path):
    again = make(items, tmp_path, previous=first.folder, config=replace(CONFIG, shards=2))
    assert again.embedded == 0
    assert [shard.places for shard in again.manifest.shards] == [2, 2]
    ours, before = (read_shards(b.folder, b.manifest) for b in (again, first))
    order = {id: row for row, id in enumerate(before.table["id"].to_pylist())}
    rows = [order[id] for id in ours.table["id"].to_pylist()]
    np.testing.assert_array_equal(ours.vectors, before.vectors[rows])


def test_another_cut_embeds_only_texts_that_are_new(make, first, items, tmp_path):
    again = make(items, tmp_path, previous=first.folder, config=replace(CONFIG, max_tokens=48))
    assert again.reused > 0
    assert again.embedded > 0
    assert again.reused + again.embedded == again.manifest.counts.passages
    assert again.manifest.chunking.max_tokens == 48


def test_another_revision_of_the_encoder_embeds_everything(
    make, first, items, tmp_path, tiny_encoder
):
    other = load_encoder(tiny_encoder, repo="lab/tiny-encoder", revision="b" * 40)
    again = make(items, tmp_path, previous=first.folder, encoder=other)
    assert (again.embedded, again.reused) == (first.embedded, 0)
    assert again.manifest.encoder.revision == "b" * 40


def test_the_same_text_is_embedded_once_in_whatever_shard_it_is(make, first, items, tmp_path):
    copies = [replace(item, id=f"copy-{item.id}") for item in items]
    built = make([*items, *copies], tmp_path)
    assert built.manifest.counts.passages == 2 * first.manifest.counts.passages
    assert built.embedded == first.embedded
    assert built.manifest.counts.duplicates >= first.manifest.counts.passages
    passages = read_shards(built.folder, built.manifest)
    seen = {}
    for name, vector in zip(passages.table["text_hash"].to_pylist(), passages.vectors, strict=True):
        np.testing.assert_array_equal(seen.setdefault(name, vector), vector)


def test_a_damaged_shard_of_the_earlier_index_is_built_again(make, first, items, tmp_path, capsys):
    damaged = tmp_path / "damaged"
    shutil.copytree(first.folder, damaged)
    shard = first.manifest.shards[2]
    (damaged / shard.path).write_bytes(b"half a download")
    again = make(items, tmp_path / "out", previous=damaged)
    assert 0 < again.embedded <= shard.passages
    assert again.reused == first.manifest.counts.passages - shard.passages
    assert (
        read_shards(again.folder, again.manifest).table.num_rows == again.manifest.counts.passages
    )


def test_a_folder_that_is_no_index_is_no_obstacle(make, first, items, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "manifest.json").write_text("{}")
    assert make(items, tmp_path / "out", previous=tmp_path / "other").embedded == first.embedded


def test_building_in_the_same_folder_takes_what_is_there(make, items, tmp_path):
    built = make(items[:20], tmp_path)
    again = make(items[:21], tmp_path, previous=built.folder)
    assert again.folder == built.folder
    assert again.reused == built.manifest.counts.passages
    clear(tmp_path)
    assert (
        read_shards(again.folder, again.manifest).table.num_rows == again.manifest.counts.passages
    )


def test_a_build_that_broke_off_is_resumed_without_reading_again(make, first, items, tmp_path):
    built = make(items, tmp_path)
    lost = built.manifest.shards[3]
    (tmp_path / "shards" / f"{lost.number:05d}.json").unlink()
    shutil.rmtree(built.folder)
    resumed = make([], tmp_path, resume=True)
    assert different(resumed, first) == []
    assert resumed.manifest == first.manifest


def test_resuming_with_other_settings_is_refused(make, items, tmp_path):
    make(items[:10], tmp_path)
    with pytest.raises(SettingsError, match="The run to resume has chunking") as caught:
        make([], tmp_path, resume=True, config=replace(CONFIG, max_tokens=32))
    assert "without --resume" in caught.value.hint


def test_without_resume_a_build_starts_over(make, items, tmp_path):
    make(items[:10], tmp_path)
    assert make(items[:5], tmp_path).manifest.counts.documents == 5


def test_a_folder_in_which_another_builds_is_refused(make, items, tmp_path):
    with alone_in(tmp_path), pytest.raises(LabError, match="works in"):
        make(items, tmp_path)
    assert not (tmp_path / "repository").exists()


def test_documents_without_text_are_a_sentence(make, tmp_path):
    with pytest.raises(DataError, match=r"letters\.jsonl holds no"):
        make([Document(id="a", title="", text="", metadata={})], tmp_path)


def test_progress_tells_the_time_left(items, encoder, tmp_path, monkeypatch):
    monkeypatch.setattr("training.shared.progress.FILE_INTERVAL_S", 0.0)
    seen = []
    progress = Progress("index", tmp_path)
    tell = progress.update
    progress.update = lambda **said: (tell(**said), seen.append(said))
    build(Documents(items), encoder, CONFIG, output=tmp_path, previous=None, progress=progress)
    assert seen[-1]["step"] == seen[-1]["steps"] == 8
    assert seen[-1]["seconds_left"] == 0
    assert all(said["seconds_left"] >= 0 for said in seen[-4:])
    assert json.loads((tmp_path / "progress.json").read_text())["phase"] == "embed"


def test_the_encoder_gets_texts_of_like_length_together(first, items, encoder, asked, tmp_path):
    progress = Progress("index", tmp_path, quiet=True)
    build(Documents(items), encoder, CONFIG, output=tmp_path, previous=None, progress=progress)
    for texts in asked:
        assert [len(text) for text in texts] == sorted(map(len, texts))
    assert sum(map(len, asked)) == first.embedded


def test_a_full_disk_is_a_sentence_and_the_build_goes_on_when_there_is_room(
    make, first, items, tmp_path
):
    whole = contents(first)
    size = min(len(content) for content in whole.values())
    with room_for(size), pytest.raises(LabError, match="The disk is full") as caught:
        make(items, tmp_path)
    assert "--resume" in caught.value.hint
    assert not list(tmp_path.rglob("*.partial"))
    assert not (tmp_path / "repository").exists()
    for path in (tmp_path / "shards").rglob("*.parquet"):
        assert path.read_bytes() == whole[path.relative_to(tmp_path / "shards").as_posix()]
    assert different(make([], tmp_path, resume=True), first) == []


def test_a_disk_that_is_full_before_the_documents_are_read_is_the_same_sentence(
    make, items, tmp_path
):
    with room_for(100), pytest.raises(LabError, match="The disk is full"):
        make(items, tmp_path)
