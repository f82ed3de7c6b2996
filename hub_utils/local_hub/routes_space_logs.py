"""What a Space says, as server-sent events: {"data": a line, "timestamp": when}."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from email.utils import formatdate

from anyio import sleep
from starlette.responses import Response, StreamingResponse

from .call import Call
from .errors import NotFound
from .paths import shown
from .shapes import moment
from .space_log import LogLine, SpaceLog
from .space_runner import LOGS

POLL_S = 0.1
KEEP_ALIVE_S = 30.0  # well above the 5 s of silence after which a client that does not follow stops


def logs(call: Call) -> Response:
    """GET /api/spaces/ID/logs/build and …/run: what there is, then more until it ends."""
    key, kind = call.writable(), call.param("kind")
    if kind not in LOGS:
        raise NotFound(f"There is no log {shown(kind)}; there are build and run.")
    log = call.state.spaces.log(key, kind)
    return StreamingResponse(
        _events(log, call.state.spaces.ending),
        media_type="text/event-stream",
        headers=fresh(),
    )


def fresh() -> dict[str, str]:
    """Headers of a log: a client that does not follow it stops at a line newer than the date."""
    return {"Cache-Control": "no-cache", "Date": formatdate(usegmt=True)}


async def _events(log: SpaceLog | None, ending: Callable[[], bool]) -> AsyncIterator[str]:
    if log is None:
        return
    seen, quiet_s = 0, 0.0
    while True:
        last = log.closed or ending()  # asked before reading: nothing comes after it
        lines, seen = log.after(seen)
        for line in lines:
            yield _event(line)
        if last:
            return
        quiet_s = 0.0 if lines else quiet_s + POLL_S
        if quiet_s >= KEEP_ALIVE_S:
            quiet_s = 0.0
            yield "data:\n\n"
        await sleep(POLL_S)


def _event(line: LogLine) -> str:
    event = {"data": line.text, "timestamp": moment(line.said_at)}
    return f"data: {json.dumps(event, ensure_ascii=False)}\n\n"
