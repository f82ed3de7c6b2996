"""Large files: the LFS batch, signed upload and download links, verify, copy between repositories.

An upload link carries no token, so it is signed: for one object of one size in one repository,
until it expires. "Already stored" is said only of what this very repository has: knowing a
hash neither reveals nor opens another repository's object.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from .auth import check_link, signed_link
from .call import Call, error_response
from .errors import BadRequest, NotFound
from .files import file_response
from .lfs import LfsWriter
from .paths import is_sha256, repo_key, shown
from .records import RepoKey
from .shapes import json_response
from .state import HubState

MAX_OBJECTS, MAX_OBJECT_BYTES = 1000, 1 << 40
_BUFFER_BYTES = 1 << 22
_TYPE = "application/vnd.git-lfs+json"


def batch(call: Call) -> Response:
    """POST /{prefix}ID.git/info/lfs/objects/batch."""
    body = call.json()
    operation, objects = body.get("operation"), body.get("objects")
    if operation not in ("upload", "download") or not isinstance(objects, list):
        raise BadRequest('The batch needs an operation, "upload" or "download", and objects.')
    if len(objects) > MAX_OBJECTS or body.get("hash_algo", "sha256") != "sha256":
        raise BadRequest(f"A batch has at most {MAX_OBJECTS:,} objects, hashed by sha256.")
    upload = operation == "upload"
    key = call.writable() if upload else call.readable(contents=True).key
    describe = _upload_actions if upload else _download_actions
    answers = [describe(call, key, *_checked(item)) for item in objects]
    headers = {"Content-Type": _TYPE}
    return json_response(
        {"transfer": "basic", "objects": answers, "hash_algo": "sha256"}, headers=headers
    )


def verify(call: Call) -> Response:
    """POST /{prefix}ID.git/info/lfs/objects/verify: whether an upload arrived whole."""
    key = call.writable()
    sha256, size = _checked(call.json())
    if not call.state.store.has_lfs(key, sha256) or call.state.store.lfs.size(sha256) != size:
        raise NotFound(f"The object {sha256} of {size:,} bytes is not stored for {key}.")
    return json_response({})


def copy_files(call: Call) -> Response:
    """POST /api/T/ID/lfs-files/duplicate: let another repository use this one's objects."""
    call.require_owner()
    source, body = call.readable(contents=True).key, call.json()
    target, files = body.get("target"), body.get("files")
    if not isinstance(target, dict) or not isinstance(files, list):
        raise BadRequest("A copy needs a target and files.")
    namespace, _, name = str(target.get("name") or "").partition("/")
    key = call.state.store.get_repo(repo_key(str(target.get("type")), namespace, name)).key
    hashes = [str(f.get("sha256")) for f in files if isinstance(f, dict)]
    done = {h: call.state.store.copy_lfs(source, key, h) for h in hashes}
    failed = [{"sha256": h, "error": "not found"} for h, copied in done.items() if not copied]
    return json_response({"failed": failed, "succeeded": [h for h, ok in done.items() if ok]})


def refuse_xet(call: Call) -> Response:
    """GET /api/T/ID/xet-{read,write}-token/REV: the way past Xet, in words."""
    call.readable()
    raise BadRequest(
        "The embedded Hub does not speak Xet: set HF_HUB_DISABLE_XET=1 in the environment before "
        "huggingface_hub is imported, and try again."
    )


def download(call: Call) -> Response:
    """GET a signed download link, as git-lfs does."""
    key, sha256 = _linked(call.request)
    size = check_link(call.state, "download", key, sha256, call.request)
    if not call.state.store.has_lfs(key, sha256):
        raise NotFound("This object is not stored any more.")
    path = call.state.store.lfs.path(sha256)
    return file_response(call.request, path, size, {"ETag": f'"{sha256}"'})


def upload_endpoint(state: HubState) -> Callable[[Request], Awaitable[Response]]:
    """PUT a signed upload link: hash and write in a thread while the next bytes arrive."""

    async def upload(request: Request) -> Response:
        try:
            key, sha256 = _linked(request)
            size = check_link(state, "upload", key, sha256, request)
            with await run_in_threadpool(state.store.upload, key, sha256, size) as writer:
                await _receive(request, writer)
                await run_in_threadpool(state.store.finish_upload, key, sha256, writer)
        except ClientDisconnect:
            return Response(status_code=499)
        except Exception as error:
            return error_response(error, signed_in=True)
        return Response(headers={"ETag": f'"{sha256}"'})

    return upload


async def _receive(request: Request, writer: LfsWriter) -> None:
    buffer, writing = bytearray(), asyncio.create_task(_nothing())
    try:
        async for chunk in request.stream():
            buffer += chunk
            if len(buffer) >= _BUFFER_BYTES:
                await writing
                writing = asyncio.create_task(run_in_threadpool(writer.write, buffer))
                buffer = bytearray()
    finally:
        await writing
    if buffer:
        await run_in_threadpool(writer.write, buffer)


async def _nothing() -> None:
    """A write that is already done."""


def _upload_actions(call: Call, key: RepoKey, sha256: str, size: int) -> dict[str, Any]:
    stored = call.state.store.has_lfs(key, sha256) and call.state.store.lfs.size(sha256) == size
    answer: dict[str, Any] = {"oid": sha256, "size": size}
    if size > MAX_OBJECT_BYTES:
        return answer | {"error": {"code": 413, "message": "The object is too large."}}
    if not stored:
        prefix = f"{call.endpoint}/{key.url_path}.git/info/lfs/objects"
        answer["actions"] = {
            "upload": {"href": signed_link(call.state, call.endpoint, "upload", key, sha256, size)},
            "verify": {"href": f"{prefix}/verify"},
        }
    return answer


def _download_actions(call: Call, key: RepoKey, sha256: str, size: int) -> dict[str, Any]:
    stored = call.state.store.lfs.size(sha256)
    answer: dict[str, Any] = {"oid": sha256, "size": size}
    if stored is None or not call.state.store.has_lfs(key, sha256):
        return answer | {"error": {"code": 404, "message": "The object does not exist."}}
    link = signed_link(call.state, call.endpoint, "download", key, sha256, stored)
    return answer | {"size": stored, "actions": {"download": {"href": link}}}


def _checked(item: object) -> tuple[str, int]:
    if not isinstance(item, Mapping) or not is_sha256(item.get("oid")):
        raise BadRequest("An object needs a sha256 in lower-case hex as its oid.")
    size = item.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise BadRequest("An object needs a size in bytes.")
    return item["oid"], size


def _linked(request: Request) -> tuple[RepoKey, str]:
    params = request.path_params
    sha256 = str(params["sha256"])
    if not is_sha256(sha256):
        raise BadRequest(f"{shown(sha256)} is no sha256.")
    return repo_key(params["types"], params["namespace"], params["name"]), sha256
