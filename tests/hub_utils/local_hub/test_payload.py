import base64
import json

import pytest

from hub_utils.local_hub.errors import BadRequest, TooLarge
from hub_utils.local_hub.payload import (
    MAX_REGULAR_BYTES,
    AddBytes,
    AddLfs,
    DeleteFile,
    DeleteFolder,
    parse_commit,
)

SHA = "ab" * 32
HEADER = {"key": "header", "value": {"summary": "s", "description": "d"}}


def body(*items):
    return b"\n".join(json.dumps(item).encode() for item in items)


def item(key, **value):
    return {"key": key, "value": value}


def test_every_kind_of_line_becomes_its_operation():
    content = base64.b64encode(b"hi").decode()
    parsed = parse_commit(
        body(
            HEADER,
            item("file", path="a.txt", content=content, encoding="base64"),
            item("lfsFile", path="w.bin", algo="sha256", oid=SHA, size=7),
            item("lfsFile", path="copy.bin", algo="sha256", oid=SHA),
            item("deletedFile", path="old.txt"),
            item("deletedFolder", path="old/"),
        )
        + b"\n\n"
    )
    assert (parsed.summary, parsed.description, parsed.parent) == ("s", "d", None)
    assert parsed.operations == (
        AddBytes("a.txt", b"hi"),
        AddLfs("w.bin", SHA, 7),
        AddLfs("copy.bin", SHA, None),
        DeleteFile("old.txt"),
        DeleteFolder("old"),
    )


def test_parent_commit_is_read_from_the_header():
    header = item("header", summary="s", parentCommit="0" * 40)
    assert parse_commit(body(header)).parent == "0" * 40


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (b"", "no header"),
        (b"{", "Line 1 of the commit is no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"[]", "no key and value"),
        (b'{"key": "header", "value": 3}', "no key and value"),
        (body(HEADER, item("magic", path="a")), "unknown key 'magic'"),
        (body(HEADER, item("file", path="a", content="!!")), "no base64"),
        (body(HEADER, item("file", path="../a", content="")), "no valid path"),
        (body(HEADER, item("file", path=["a"], content="")), "'path' must be text"),
        (body(HEADER, item("lfsFile", path="a", oid="xyz", size=1)), "no sha256"),
        (body(HEADER, item("lfsFile", path="a", oid=7, size=1)), "needs a sha256"),
        (body(HEADER, item("lfsFile", path="a", oid=SHA, size=-1)), "no valid size"),
        (body(HEADER, item("lfsFile", path="a", oid=SHA, size=True)), "no valid size"),
        (body(HEADER, item("lfsFile", path="a", algo="md5", oid=SHA, size=1)), "needs a sha256"),
    ],
)
def test_lines_that_cannot_be_read_are_refused_with_a_sentence(lines, said):
    with pytest.raises(BadRequest, match=said):
        parse_commit(lines)


def test_large_regular_file_is_sent_to_lfs():
    content = "A" * (MAX_REGULAR_BYTES * 4 // 3 + 8)
    with pytest.raises(TooLarge, match="upload it by LFS"):
        parse_commit(body(HEADER, item("file", path="a", content=content)))
