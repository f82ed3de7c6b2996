"""The JSON that the official clients expect, made from the store's records. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from .records import CommitInfo, Entry, Ref, RepoRecord, SpaceFacts
from .repo_settings import RepoSettings

APP_FILES = ("app.py", "Dockerfile", "index.html", "streamlit_app.py")


def json_response(
    value: object, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A JSON answer."""
    content = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(content, status, dict(headers or {}), media_type="application/json")


def paged(endpoint: str, request: Request, items: object, cursor: str) -> Response:
    """A JSON answer that links to its next page when there is one."""
    if not cursor:
        return json_response(items)
    kept = [(k, v) for k, v in request.query_params.multi_items() if k != "cursor"]
    query = "&".join(f"{quote(k)}={quote(v, safe='')}" for k, v in [*kept, ("cursor", cursor)])
    url = f"{endpoint}{request.scope['path']}?{query}"
    return json_response(items, headers={"Link": f'<{url}>; rel="next"'})


def repo_shape(record: RepoRecord) -> dict[str, Any]:
    """A repository as listings and infos show it, without its files."""
    shape: dict[str, Any] = {
        "_id": f"{record.key.type}:{record.key.id}",
        "id": record.key.id,
        "author": record.author,
        "sha": record.sha,
        "private": record.private,
        "gated": record.gated,
        "disabled": False,
        "tags": list(record.tags),
        "likes": 0,
        "trendingScore": 0,
        "createdAt": moment(record.created_at),
        "lastModified": moment(record.last_modified),
        "cardData": record.card_data or None,
    }
    if record.key.type == "space":
        return shape | {"sdk": record.sdk}
    return shape | (_model_shape(record) if record.key.type == "model" else {"downloads": 0})


def _model_shape(record: RepoRecord) -> dict[str, Any]:
    shape: dict[str, Any] = {
        "modelId": record.key.id,
        "downloads": 0,
        "pipeline_tag": record.pipeline_tag,
        "library_name": record.library_name,
        "config": record.config,
        "model-index": record.card_data.get("model-index"),
    }
    names = record.config.get("architectures")
    if record.library_name == "transformers" and isinstance(names, list) and names:
        shape["transformersInfo"] = {"auto_model": _auto_model(str(names[0]))}
    return shape


def _auto_model(architecture: str) -> str:
    _, found, task = architecture.rpartition("For")
    return f"AutoModelFor{task}" if found else "AutoModel"


def siblings(entries: Sequence[Entry], *, blobs: bool) -> list[dict[str, Any]]:
    """The files of a repository's info; `blobs` adds sizes and hashes."""
    files = [entry for entry in entries if entry.type == "file"]
    if not blobs:
        return [{"rfilename": entry.path} for entry in files]
    return [
        {"rfilename": e.path, "size": e.size, "blobId": e.oid}
        | ({"lfs": _lfs(e) | {"sha256": e.lfs.sha256}} if e.lfs else {})
        for e in files
    ]


def entry_shape(entry: Entry, *, expand: bool = False) -> dict[str, Any]:
    """A file or folder of a tree."""
    shape: dict[str, Any] = {
        "type": entry.type, "oid": entry.oid, "size": entry.size, "path": entry.path,
    }  # fmt: skip
    if entry.lfs:
        shape["lfs"] = _lfs(entry)
    if expand and entry.last_commit:
        commit = entry.last_commit
        shape["lastCommit"] = {
            "id": commit.oid, "title": commit.title, "date": moment(commit.date),
        }  # fmt: skip
    if expand and entry.type == "file":
        shape["securityFileStatus"] = None
    return shape


def _lfs(entry: Entry) -> dict[str, Any]:
    if entry.lfs is None:
        return {}
    lfs = entry.lfs
    return {"oid": lfs.sha256, "size": lfs.size, "pointerSize": lfs.pointer_size}


def commit_shape(commit: CommitInfo, *, formatted: bool = False) -> dict[str, Any]:
    """A commit of a history."""
    shape: dict[str, Any] = {
        "id": commit.oid,
        "title": commit.title,
        "message": commit.message,
        "authors": [{"user": commit.author}],
        "date": moment(commit.date),
    }
    if formatted:
        shape["formatted"] = {"title": commit.title, "message": commit.message}
    return shape


def ref_shape(ref: Ref) -> dict[str, str]:
    """A branch or a tag."""
    return {"name": ref.name, "ref": ref.ref, "targetCommit": ref.target}


def runtime_shape(
    record: RepoRecord, settings: RepoSettings, files: Sequence[str], facts: SpaceFacts | None
) -> dict[str, Any]:
    """A Space's runtime; `facts` of None: it does not run here, nor did since the Hub started."""
    named = record.card_data.get("app_file")
    has_app = any(name in ((named,) if named else APP_FILES) for name in files)
    space, stage = settings.space, _stage(settings, facts, has_app=has_app)
    shape: dict[str, Any] = {
        "stage": stage,
        "hardware": {
            "current": None if stage == "NO_APP_FILE" else space.hardware,
            "requested": space.hardware,
        },
        "storage": None,
        "gcTimeout": space.sleep_seconds,
        "replicas": {"current": int(stage == "RUNNING"), "requested": 1},
        "devMode": False,
    }
    if facts and stage == facts.stage:
        shape["sha"] = facts.revision or None
        if facts.message:
            shape["errorMessage"] = facts.message
    return shape


def _stage(settings: RepoSettings, facts: SpaceFacts | None, *, has_app: bool) -> str:
    if settings.space.paused:
        return "PAUSED"
    if facts:
        return facts.stage
    if not has_app:
        return "NO_APP_FILE"
    return "RUNNING" if settings.sdk == "static" else "STOPPED"


def moment(date: datetime) -> str:
    """A date as the Hub writes it, in UTC with milliseconds."""
    utc = date.astimezone(timezone.utc)
    return utc.strftime("%Y-%m-%dT%H:%M:%S.") + f"{utc.microsecond // 1000:03d}Z"
