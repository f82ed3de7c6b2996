import hashlib

import pytest

from hub_utils.local_hub.errors import DiskFull, UploadMismatch
from hub_utils.local_hub.lfs import LfsStore, parse_pointer, pointer

CONTENT = b"weights" * 1000
SHA = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def objects(tmp_path):
    return LfsStore(tmp_path / "lfs")


def files_in(objects):
    return sorted(p for p in objects.root.rglob("*") if p.is_file())


def test_finished_object_is_there_whole(objects):
    with objects.writer(SHA, len(CONTENT)) as writer:
        writer.write(CONTENT[:10])
        writer.write(memoryview(CONTENT)[10:])
        writer.finish()
    assert objects.path(SHA).read_bytes() == CONTENT
    assert objects.size(SHA) == len(CONTENT)
    assert files_in(objects) == [objects.path(SHA)]


@pytest.mark.parametrize(
    ("sha256", "size", "content"),
    [
        ("0" * 64, len(CONTENT), CONTENT),
        (SHA, len(CONTENT) + 1, CONTENT),
        (SHA, len(CONTENT) - 1, CONTENT),
        (SHA, len(CONTENT), CONTENT[:-1] + b"X"),
    ],
    ids=["hash", "too short", "too long", "bytes"],
)
def test_object_that_is_not_what_was_announced_leaves_nothing(objects, sha256, size, content):
    with objects.writer(sha256, size) as writer, pytest.raises(UploadMismatch):  # noqa: PT012
        writer.write(content)
        writer.finish()
    assert files_in(objects) == []


def test_upload_that_stops_halfway_leaves_nothing(objects):
    with objects.writer(SHA, len(CONTENT)) as writer:
        writer.write(CONTENT[:10])
    assert files_in(objects) == []


def test_opening_the_store_sweeps_half_written_objects(objects):
    (objects.incoming / "half").write_bytes(b"x")
    assert files_in(LfsStore(objects.root)) == []


def test_bound_on_bytes_refuses_what_does_not_fit(tmp_path):
    objects = LfsStore(tmp_path / "lfs", max_bytes=len(CONTENT))
    with objects.writer(SHA, len(CONTENT)) as writer:
        writer.write(CONTENT)
        writer.finish()
    with pytest.raises(DiskFull, match="at most"):
        objects.writer("1" * 64, 1)


def test_adding_a_local_file_twice_keeps_one_object(objects, tmp_path):
    source = tmp_path / "w.bin"
    source.write_bytes(CONTENT)
    assert objects.add(source) == objects.add(source) == (SHA, len(CONTENT))
    assert files_in(objects) == [objects.path(SHA)]


def test_pointer_reads_back():
    assert parse_pointer(pointer(SHA, 5)) == (SHA, 5)


@pytest.mark.parametrize("blob", [b"", b"text", pointer(SHA, 5) + b"x", pointer("z" * 64, 5)])
def test_what_is_no_pointer_is_a_file(blob):
    assert parse_pointer(blob) is None
