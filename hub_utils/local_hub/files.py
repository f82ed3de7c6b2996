"""Send bytes: ranges, validators and types, from memory or from the disk."""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from .errors import RangeNotSatisfiable

_CHUNK_BYTES = 1 << 20
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
# Whatever a file says of itself, a browser must not run it on the Hub's own pages.
_SAFETY = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
}


def file_response(
    request: Request, source: Path | bytes, size: int, headers: Mapping[str, str]
) -> Response:
    """Answer GET or HEAD for `size` bytes; `headers` must have the ETag.

    Raises:
        RangeNotSatisfiable: none of the asked bytes exists.
    """
    common = {"Accept-Ranges": "bytes", **_SAFETY, **headers}
    if _matches(request.headers.get("if-none-match", ""), common["ETag"]):
        return Response(status_code=304, headers=common)
    wanted = _wanted(request, size, common["ETag"])
    start, stop = wanted or (0, size)
    common["Content-Length"] = str(stop - start)
    if wanted:
        common["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    status = 206 if wanted else 200
    if request.method == "HEAD":
        return Response(status_code=status, headers=common)
    if isinstance(source, bytes):
        return Response(source[start:stop], status, common)
    return StreamingResponse(_read(source, start, stop), status, common)


def content_type(path: str) -> str:
    """A file's type by its name; markup and scripts become plain text."""
    kind, encoding = mimetypes.guess_type(path)
    if kind is None or encoding is not None:
        return "application/octet-stream"
    if kind.startswith("text/") or kind in ("application/json", "application/javascript"):
        return "application/json" if kind.endswith("json") else "text/plain; charset=utf-8"
    return kind if kind.startswith(("image/", "audio/", "video/")) else "application/octet-stream"


def disposition(path: str) -> str:
    """The header that names the file when it is saved."""
    name = path.rpartition("/")[2]
    plain = re.sub(r'[^ -~]|["\\]', "_", name)
    return f"inline; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def parse_range(header: str, size: int) -> tuple[int, int] | None:
    """First and past-the-last byte of one range; None when the whole file is to be sent.

    Raises:
        RangeNotSatisfiable: the range starts after the end.
    """
    match = _RANGE.fullmatch(header.replace(" ", ""))
    if match is None or not (match[1] or match[2]):
        return None  # several ranges, or another unit: sending it all is allowed
    if match[1]:
        start = int(match[1])
        stop = min(int(match[2]) + 1, size) if match[2] else size
        if match[2] and int(match[2]) < start:
            return None
    else:
        start, stop = max(size - int(match[2]), 0), size
    if start >= stop:
        raise RangeNotSatisfiable(f"The file has only {size:,} bytes.", size)
    return start, stop


def _wanted(request: Request, size: int, etag: str) -> tuple[int, int] | None:
    header = request.headers.get("range", "")
    unchanged = request.headers.get("if-range", etag) == etag
    return parse_range(header, size) if header and unchanged else None


def _matches(header: str, etag: str) -> bool:
    tags = {tag.strip().removeprefix("W/") for tag in header.split(",")}
    return etag in tags or "*" in tags


def _read(path: Path, start: int, stop: int) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as file:
        file.seek(start)
        while start < stop and (chunk := file.read(min(_CHUNK_BYTES, stop - start))):
            start += len(chunk)
            yield chunk
