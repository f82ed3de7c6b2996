"""`git clone` and `git fetch` over smart HTTP, answered by dulwich. Pushing is by the API."""

from __future__ import annotations

import io
import tempfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from dulwich.errors import GitProtocolError
from dulwich.protocol import ReceivableProtocol
from dulwich.repo import Repo
from dulwich.server import BackendRepo, DictBackend, UploadPackHandler
from starlette.responses import Response, StreamingResponse

from .call import Call
from .errors import BadRequest, NotSupported, TooLarge

MAX_REQUEST_BYTES = 32_000_000
_IN_MEMORY_BYTES, _CHUNK_BYTES = 1 << 24, 1 << 20
_NO_CACHE = {"Cache-Control": "no-cache, max-age=0, must-revalidate"}


def info_refs(call: Call) -> Response:
    """GET ID[.git]/info/refs?service=git-upload-pack."""
    service = call.request.query_params.get("service", "")
    if service == "git-receive-pack":
        call.require_owner()
        receive_pack(call)
    if service != "git-upload-pack":
        raise BadRequest("This Hub speaks the smart protocol of git only; use git 1.6.6 or newer.")
    output = _serve(call, b"", advertise=True)
    return _streamed(output, "application/x-git-upload-pack-advertisement")


def upload_pack(call: Call) -> Response:
    """POST ID[.git]/git-upload-pack."""
    output = _serve(call, _plain_body(call), advertise=False)
    return _streamed(output, "application/x-git-upload-pack-result")


def receive_pack(call: Call) -> Response:  # noqa: ARG001 - every handler has this shape
    """POST ID[.git]/git-receive-pack: refused with the way that works."""
    raise NotSupported("git push is not served here: use `hf upload` or HfApi.upload_folder.")


def _serve(call: Call, body: bytes, *, advertise: bool) -> BinaryIO:
    repo_path = call.state.store.repo(call.readable(contents=True).key).path
    output = _spool()
    with Repo(str(repo_path)) as repo:
        repos: dict[str, BackendRepo] = {"/": repo}
        protocol = ReceivableProtocol(io.BytesIO(body).read, output.write)
        handler = UploadPackHandler(
            DictBackend(repos), ["/"], protocol, stateless_rpc=True, advertise_refs=advertise
        )
        if advertise:
            protocol.write_pkt_line(b"# service=git-upload-pack")
            protocol.write_pkt_line(None)
        try:
            handler.handle()
        except GitProtocolError as error:
            raise BadRequest(f"git: {error}") from error
    output.seek(0)
    return output


def _spool() -> BinaryIO:
    # Closed by _streamed, once the last byte is sent.
    return tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # type: ignore[return-value]


def _plain_body(call: Call) -> bytes:
    if call.request.headers.get("content-encoding") != "gzip":
        return call.body
    unzip = zlib.decompressobj(wbits=31)
    try:
        body = unzip.decompress(call.body, MAX_REQUEST_BYTES)
    except zlib.error as error:
        raise BadRequest("The body is no gzip.") from error
    if unzip.unconsumed_tail:
        raise TooLarge(f"The request unzips to more than {MAX_REQUEST_BYTES:,} bytes.")
    return body


def _streamed(output: BinaryIO, media_type: str) -> Response:
    def chunks() -> Iterator[bytes]:
        with output:
            while chunk := output.read(_CHUNK_BYTES):
                yield chunk

    return StreamingResponse(chunks(), headers=_NO_CACHE, media_type=media_type)
