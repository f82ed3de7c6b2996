"""Writing small: which files go where (preupload), and the commit itself."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from .call import Call
from .errors import BadRequest, EntryNotFound, NotSupported
from .git_objects import BRANCHES
from .paths import check_path, shown
from .payload import parse_commit
from .records import Entry, RepoKey
from .shapes import json_response
from .upload_rules import ignore_rule, large_rule

MAX_COMMIT_BYTES = 300_000_000  # of NDJSON, which carries small files only
MAX_PREUPLOAD_FILES = 5000


def preupload(call: Call) -> Response:
    """POST /api/T/ID/preupload/REV: LFS or git, ignored or not, and what is there already."""
    key, body = call.writable(), call.json()
    files = body.get("files")
    if not isinstance(files, list) or len(files) > MAX_PREUPLOAD_FILES:
        raise BadRequest(f'"files" must be a list of at most {MAX_PREUPLOAD_FILES:,} files.')
    if not all(isinstance(file, dict) for file in files):
        raise BadRequest('"files" must hold objects with path, size and sample.')
    sha = call.state.store.resolve(key, call.param("rev"))
    paths = [check_path(str(file.get("path") or "")) for file in files]
    known = {entry.path: entry for entry in call.state.store.entries(key, sha, paths)}
    is_large = large_rule(_text_file(call, key, sha, ".gitattributes"))
    ignore = body.get("gitIgnore")
    text = str(ignore).encode() if ignore else _text_file(call, key, sha, ".gitignore")
    is_ignored = ignore_rule(text)
    answer = [
        {
            "path": path,
            "uploadMode": "lfs" if is_large(path, _size(file), _sample(file)) else "regular",
            "shouldIgnore": is_ignored(path),
            "oid": _content_id(known.get(path)),
        }
        for path, file in zip(paths, files, strict=True)
    ]
    return json_response({"files": answer, "commitOid": sha})


def commit(call: Call) -> Response:
    """POST /api/T/ID/commit/REV."""
    key = call.writable()
    if call.flag("create_pr"):
        raise NotSupported(
            "The embedded Hub has no pull requests: make a branch and commit to that instead."
        )
    request = parse_commit(call.body)
    oid = call.state.store.commit(
        key,
        call.param("rev"),
        request.operations,
        summary=request.summary,
        description=request.description,
        author=call.state.user,
        parent=request.parent,
    )
    if key.type == "space" and call.param("rev").removeprefix(BRANCHES) == "main":
        call.state.spaces.changed(key, endpoint=call.endpoint)
    url = f"{call.endpoint}/{key.url_path}/commit/{oid}"
    return json_response({"success": True, "commitOid": oid, "commitUrl": url, "hookOutput": ""})


def _content_id(entry: Entry | None) -> str | None:
    if entry is None or entry.type == "directory":
        return None
    return entry.lfs.sha256 if entry.lfs else entry.oid


def _sample(file: Mapping[str, Any]) -> bytes:
    try:
        return base64.b64decode(str(file.get("sample") or ""), validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadRequest(f"The sample of {shown(str(file.get('path')))} is no base64.") from error


def _size(file: Mapping[str, Any]) -> int:
    size = file.get("size", 0)
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise BadRequest(f"{shown(str(file.get('path')))} has no valid size.")
    return size


def _text_file(call: Call, key: RepoKey, revision: str, path: str) -> bytes:
    try:
        return call.state.store.read(key, revision, path)
    except EntryNotFound:
        return b""
