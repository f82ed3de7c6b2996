"""A JSON file is whole or not there."""

import pytest

from hub_utils.atomic import read_json, write_json


def test_what_was_written_is_read(tmp_path):
    write_json(tmp_path / "deep" / "a.json", {"b": [1, "ü"]})
    assert read_json(tmp_path / "deep" / "a.json") == {"b": [1, "ü"]}


def test_a_write_that_fails_leaves_the_old_content_and_nothing_else(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"old": True})
    with pytest.raises(TypeError):
        write_json(path, {"new": object()})
    assert read_json(path) == {"old": True}
    assert [item.name for item in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.parametrize("content", [b"", b"[1]", b"{", b"\xff\xfe"])
def test_what_is_no_object_reads_as_empty(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    assert read_json(tmp_path / "a.json") == {}
    assert read_json(tmp_path / "none.json") == {}
