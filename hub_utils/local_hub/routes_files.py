"""GET and HEAD of files at a revision: resolve (contents) and raw (what git keeps)."""

from __future__ import annotations

from starlette.responses import Response

from .call import Call
from .errors import EntryNotFound
from .files import content_type, disposition, file_response
from .paths import check_path, shown
from .records import Entry, RepoKey


def resolve(call: Call) -> Response:
    """GET, HEAD /{prefix}ID/resolve/REV/PATH."""
    key, sha, entry = _find(call)
    store = call.state.store
    headers = _headers(entry, sha)
    if entry.lfs is None:
        headers["ETag"] = f'"{entry.oid}"'
        return file_response(call.request, store.blob(key, entry.oid), entry.size, headers)
    path = store.local_path(key, entry)
    etag = f'"{entry.lfs.sha256}"'
    headers |= {"ETag": etag, "X-Linked-Etag": etag, "X-Linked-Size": str(entry.size)}
    return file_response(call.request, path or b"", entry.size, headers)


def raw(call: Call) -> Response:
    """GET, HEAD /{prefix}ID/raw/REV/PATH: a large file's pointer instead of its bytes."""
    key, sha, entry = _find(call)
    content = call.state.store.blob(key, entry.oid)
    headers = _headers(entry, sha) | {"ETag": f'"{entry.oid}"'}
    return file_response(call.request, content, len(content), headers)


def _find(call: Call) -> tuple[RepoKey, str, Entry]:
    key = call.readable(contents=True).key
    sha = call.state.store.resolve(key, call.param("rev"))
    path = call.param("path")
    try:
        entry = call.state.store.entry(key, sha, check_path(path))
    except EntryNotFound as error:
        raise EntryNotFound(str(error), commit=sha) from error
    if entry.type == "directory":
        raise EntryNotFound(f"{shown(path)} is a folder.", commit=sha)
    return key, sha, entry


def _headers(entry: Entry, sha: str) -> dict[str, str]:
    return {
        "X-Repo-Commit": sha,
        "Content-Type": content_type(entry.path),
        "Content-Disposition": disposition(entry.path),
        "Access-Control-Expose-Headers": "X-Repo-Commit, X-Linked-Etag, X-Linked-Size, ETag",
    }
