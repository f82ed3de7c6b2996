"""Jobs, as clients of Hugging Face Jobs know them: recorded, listed and cancelled, never run."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from starlette.responses import Response

from .call import Call
from .durable import write_durably
from .errors import BadRequest, NotFound
from .paths import check_name, shown
from .routes_space_logs import fresh
from .shapes import json_response, moment

NOT_RUN = "Recorded. The embedded Hub runs no jobs: submit it to the real Hub to have it run."
_ID = re.compile(r"[0-9a-f]{24}")
_FLAVOR = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
MAX_JOBS = 200  # kept; the oldest make room


def create(call: Call) -> Response:
    """POST /api/jobs/NAMESPACE: what would be run. Secrets are kept by name only."""
    call.require_owner()
    namespace, body = check_name(call.param("namespace")), call.json()
    shape = _job(namespace, body, user=call.state.user)
    folder = _folder(call, namespace)
    folder.mkdir(parents=True, exist_ok=True)
    for path in _newest_first(folder)[MAX_JOBS - 1 :]:
        path.unlink()
    _write(folder, shape)
    return json_response(shape)


def listing(call: Call) -> Response:
    """GET /api/jobs/NAMESPACE?stage&label, the newest first."""
    call.require_owner()
    query = call.request.query_params
    stages, labels = query.getlist("stage"), query.getlist("label")
    found = []
    for path in _newest_first(_folder(call, check_name(call.param("namespace")))):
        shape = _read(path)
        has = {f"{key}={value}" for key, value in shape["labels"].items()}
        if has.issuperset(labels) and (not stages or shape["status"]["stage"] in stages):
            found.append(shape)
    return json_response(found)


def inspect(call: Call) -> Response:
    """GET /api/jobs/NAMESPACE/JOB."""
    return json_response(_read(_path(call)))


def cancel(call: Call) -> Response:
    """POST /api/jobs/NAMESPACE/JOB/cancel."""
    path = _path(call)
    shape = _read(path)
    shape["status"] = {"stage": "CANCELED", "message": None}
    shape["finishedAt"] = moment(datetime.now(timezone.utc))
    _write(path.parent, shape)
    return json_response(shape)


def logs(call: Call) -> Response:
    """GET /api/jobs/NAMESPACE/JOB/logs: one line, since nothing ran."""
    event = {"data": NOT_RUN, "timestamp": _read(_path(call))["createdAt"]}
    body = f"data: {json.dumps(event)}\n\n"
    return Response(body, media_type="text/event-stream", headers=fresh())


def _job(namespace: str, body: Mapping[str, Any], *, user: str) -> dict[str, Any]:
    image, command, flavor = body.get("dockerImage"), body.get("command"), body.get("flavor")
    if not (isinstance(image, str) or isinstance(body.get("spaceId"), str)):
        raise BadRequest("A job needs a dockerImage or a spaceId.")
    if not isinstance(command, list) or not all(isinstance(word, str) for word in command):
        raise BadRequest("The command of a job is a list of words.")
    if not isinstance(flavor, str) or not _FLAVOR.fullmatch(flavor):
        raise BadRequest(f"{shown(str(flavor))} is no hardware.")
    return {
        "id": secrets.token_hex(12),
        "createdAt": moment(datetime.now(timezone.utc)),
        "startedAt": None,
        "finishedAt": None,
        "dockerImage": image,
        "spaceId": body.get("spaceId"),
        "command": command,
        "arguments": _list(body, "arguments"),
        "environment": _object(body, "environment"),
        "secrets": sorted(_object(body, "secrets")),
        "flavor": flavor,
        "timeout": body.get("timeoutSeconds"),
        "labels": _object(body, "labels"),
        "volumes": _list(body, "volumes"),
        "status": {"stage": "SCHEDULING", "message": NOT_RUN},
        "owner": {"id": namespace, "name": namespace, "type": "user"},
        "initiator": {"type": "user", "id": user, "name": user},
    }


def _list(body: Mapping[str, Any], name: str) -> list[Any]:
    value = body.get(name) or []
    if not isinstance(value, list):
        raise BadRequest(f"The {name} of a job are a list.")
    return value


def _object(body: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = body.get(name) or {}
    if not isinstance(value, dict):
        raise BadRequest(f"The {name} of a job are a JSON object.")
    return value


def _folder(call: Call, namespace: str) -> Path:
    return call.state.store.root / "jobs" / namespace


def _path(call: Call) -> Path:
    call.require_owner()
    name = call.param("job")
    path = _folder(call, check_name(call.param("namespace"))) / f"{name}.json"
    if not _ID.fullmatch(name) or not path.exists():
        raise NotFound(f"There is no job {shown(name)}.")
    return path


def _newest_first(folder: Path) -> list[Path]:
    found = folder.glob("*.json") if folder.is_dir() else ()
    return sorted(found, key=lambda path: path.stat().st_mtime_ns, reverse=True)


def _read(path: Path) -> dict[str, Any]:
    shape: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return shape


def _write(folder: Path, shape: Mapping[str, Any]) -> None:
    content = json.dumps(shape, indent=1).encode()
    write_durably(folder / f"{shape['id']}.json", content, mode=0o600)
