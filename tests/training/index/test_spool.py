"""Documents on their way into shards."""

import json

import pytest

from hub_utils.errors import DataError
from tests.training.index.conftest import Documents
from training.index import spool
from training.index.config import MAX_SHARDS
from training.index.documents import Document


def document(place, **metadata):
    return Document(id=f"d{place}", title="T", text=f"text {place}", metadata=metadata)


def all_entries(folder, shards):
    return [entry for n in range(shards) for entry in spool.entries(folder, n, shards)]


def test_every_document_comes_back_from_one_shard(tmp_path):
    items = [document(n, topic="a\tb\nc", year=n) for n in range(100)]
    spooled = spool.spread(Documents(items), tmp_path)
    for shards in (1, 4, MAX_SHARDS):
        entries = all_entries(tmp_path, shards)
        assert sorted(e.id for e in entries) == sorted(d.id for d in items)
    found = {entry.id: entry.document() for entry in entries}
    assert found["d7"] == items[7]
    assert spooled.documents == 100
    assert spooled.columns == {"topic": "string", "year": "int64"}
    assert spool.complete(tmp_path) == spooled


def test_the_order_of_reading_changes_nothing(tmp_path):
    items = [document(n) for n in range(30)]
    spool.spread(Documents(items), tmp_path / "a")
    spool.spread(Documents(items[::-1]), tmp_path / "b")
    for number in range(4):
        first = spool.entries(tmp_path / "a", number, 4)
        assert first == spool.entries(tmp_path / "b", number, 4)


def test_a_changed_document_changes_the_content_of_one_shard(tmp_path):
    items = [document(n) for n in range(60)]
    spool.spread(Documents(items), tmp_path / "a")
    items[11] = Document(id="d11", title="T", text="another", metadata={})
    spool.spread(Documents(items), tmp_path / "b")
    contents = [
        [spool.content(spool.entries(tmp_path / side, n, 8)) for n in range(8)] for side in "ab"
    ]
    changed = [n for n in range(8) if contents[0][n] != contents[1][n]]
    assert changed == [spool.bucket("d11") * 8 // MAX_SHARDS]


def test_an_id_that_comes_twice_is_refused(tmp_path):
    spool.spread(Documents([document(1), document(2), document(1)]), tmp_path)
    with pytest.raises(DataError, match="Two documents have the id 'd1'") as caught:
        all_entries(tmp_path, 1)
    assert "--id-column" in caught.value.hint


def test_no_documents_is_a_sentence_with_what_was_wrong(tmp_path):
    with pytest.raises(DataError, match=r"letters\.jsonl holds no document") as caught:
        spool.spread(Documents([], problems=["scan.pdf has no text."]), tmp_path)
    assert caught.value.hint == "scan.pdf has no text."
    assert spool.complete(tmp_path) is None


def test_metadata_of_several_types_gets_one_that_holds_all(tmp_path):
    items = [
        document(0, a=1, b=True, c=1, d="x", e=2**70, g=1),
        document(1, a=2.5, b=False, c="x", d="y", e=0.5, f=3),
    ]
    columns = spool.spread(Documents(items), tmp_path).columns
    expected = {"a": "double", "b": "bool", "c": "string", "d": "string", "e": "double"}
    assert columns == {**expected, "f": "int64", "g": "int64"}


def test_metadata_named_like_a_column_of_the_index_gets_an_underscore(tmp_path):
    spooled = spool.spread(Documents([document(0, number=3, embedding="x")]), tmp_path)
    assert spooled.columns == {"embedding_": "string", "number_": "int64"}
    assert spooled.names == {"embedding_": "embedding", "number_": "number"}


def test_half_a_surrogate_pair_does_not_stop_the_build(tmp_path):
    broken = Document(id="d", title="", text="half \ud83d a pair", metadata={})
    spool.spread(Documents([broken]), tmp_path)
    assert spool.entries(tmp_path, 0, 1)[0].document().text == "half ? a pair"


def test_memory_holds_only_what_is_about_to_be_written(tmp_path, monkeypatch):
    monkeypatch.setattr(spool, "FLUSH_BYTES", 200)
    spool.spread(Documents([document(n) for n in range(100)]), tmp_path)
    assert len(all_entries(tmp_path, 2)) == 100


def test_a_spool_that_was_not_finished_is_none(tmp_path):
    spool.spread(Documents([document(1)]), tmp_path)
    (tmp_path / spool.FILE).write_text(json.dumps({})[:-1])
    assert spool.complete(tmp_path) is None


@pytest.mark.parametrize(
    ("megabytes", "shards"), [(0.001, 1), (1, 1), (1.1, 2), (14, 16), (36, 64), (10**6, MAX_SHARDS)]
)
def test_shards_follow_the_size(megabytes, shards):
    assert spool.shards_for(int(megabytes * 2**20)) == shards


def test_the_number_of_shards_stays_while_it_is_about_right():
    size = 14 * 2**20
    assert spool.shards_for(size, previous=16) == 16
    assert spool.shards_for(2 * size, previous=16) == 16
    assert spool.shards_for(size // 2, previous=16) == 16
    assert spool.shards_for(5 * size, previous=16) == 128
    assert spool.shards_for(size // 5, previous=16) == 4
