"""The commit request's body: NDJSON lines to operations. Pure, nothing is stored here.

Each line is `{"key": …, "value": {…}}` with key header, file, lfsFile, deletedFile, deletedFolder.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .errors import BadRequest, TooLarge
from .paths import check_path, is_sha256, shown

MAX_REGULAR_BYTES = 10_000_000  # larger contents travel through LFS
MAX_SUMMARY = 500


@dataclass(frozen=True)
class AddBytes:
    """Put these bytes at a path, as a git blob."""

    path: str
    content: bytes


@dataclass(frozen=True)
class AddLfs:
    """Put an object of the LFS store at a path; a size of None is looked up there (a copy)."""

    path: str
    sha256: str
    size: int | None = None


@dataclass(frozen=True)
class CopyLfs:
    """Put the file of `source` at `path`; `revision` defaults to the branch's head."""

    source: str
    path: str
    revision: str | None = None


@dataclass(frozen=True)
class DeleteFile:
    """Take a file away."""

    path: str


@dataclass(frozen=True)
class DeleteFolder:
    """Take a folder away, with all that is in it."""

    path: str


Operation = AddBytes | AddLfs | CopyLfs | DeleteFile | DeleteFolder


@dataclass(frozen=True)
class CommitRequest:
    """A parsed body: what to change, what to call it, and on what it must be based."""

    summary: str
    description: str
    parent: str | None
    operations: tuple[Operation, ...]


def parse_commit(body: bytes) -> CommitRequest:
    """Read an NDJSON body.

    Raises:
        BadRequest: a line that cannot be read, a bad path, or no header.
        TooLarge: a regular file above MAX_REGULAR_BYTES.
    """
    header: Mapping[str, Any] | None = None
    operations: list[Operation] = []
    for number, line in enumerate(body.split(b"\n"), 1):
        if not line.strip():
            continue
        key, value = _parse_line(line, number)
        if key == "header":
            header = value
        else:
            operations.append(_parse_operation(key, value, number))
    if header is None:
        raise BadRequest("The commit has no header line.")
    return CommitRequest(
        summary=_text(header, "summary")[:MAX_SUMMARY],
        description=_text(header, "description"),
        parent=_text(header, "parentCommit") or None,
        operations=tuple(operations),
    )


def _parse_line(line: bytes, number: int) -> tuple[str, Mapping[str, Any]]:
    try:
        item = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"Line {number} of the commit is no JSON.") from error
    if not isinstance(item, dict) or not isinstance(item.get("value"), dict):
        raise BadRequest(f"Line {number} of the commit has no key and value.")
    return str(item.get("key")), item["value"]


def _parse_operation(key: str, value: Mapping[str, Any], number: int) -> Operation:
    parser = _PARSERS.get(key)
    if parser is None:
        raise BadRequest(f"Line {number} of the commit has the unknown key {shown(key)}.")
    return parser(check_path(_text(value, "path")), value)


def _parse_file(path: str, value: Mapping[str, Any]) -> AddBytes:
    content = _text(value, "content")
    if len(content) > MAX_REGULAR_BYTES * 4 // 3 + 4:
        raise TooLarge(f"{shown(path)} is above {MAX_REGULAR_BYTES:,} bytes; upload it by LFS.")
    if value.get("encoding", "base64") != "base64":
        return AddBytes(path, content.encode("utf-8", "surrogatepass"))
    try:
        return AddBytes(path, base64.b64decode(content, validate=True))
    except (binascii.Error, ValueError) as error:
        raise BadRequest(f"The content of {shown(path)} is no base64.") from error


def _parse_lfs(path: str, value: Mapping[str, Any]) -> AddLfs:
    sha256, size = value.get("oid"), value.get("size")
    if value.get("algo", "sha256") != "sha256" or not isinstance(sha256, str):
        raise BadRequest(f"The LFS file {shown(path)} needs a sha256 as its oid.")
    if not is_sha256(sha256):
        raise BadRequest(f"The LFS file {shown(path)} has the oid {shown(sha256)}, no sha256.")
    if size is not None and (not isinstance(size, int) or isinstance(size, bool) or size < 0):
        raise BadRequest(f"The LFS file {shown(path)} has no valid size.")
    return AddLfs(path, sha256, size)


def _text(value: Mapping[str, Any], name: str) -> str:
    text = value.get(name) or ""
    if not isinstance(text, str):
        raise BadRequest(f"'{name}' must be text.")
    return text


_PARSERS: Mapping[str, Callable[[str, Mapping[str, Any]], Operation]] = {
    "file": _parse_file,
    "lfsFile": _parse_lfs,
    "deletedFile": lambda path, _: DeleteFile(path),
    "deletedFolder": lambda path, _: DeleteFolder(path),
}
