"""Repositories as wholes: create, delete, move, settings, info, listings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from starlette.responses import Response

from .call import PLURALS, Call, is_on
from .errors import BadRequest, NotFound, RepoExists
from .paths import repo_key, shown
from .records import REPO_TYPES, ListQuery, RepoKey, RepoRecord, RepoType, SortKey
from .repo_settings import RepoSettings
from .routes_spaces import app_url, keep_secrets, space_settings
from .shapes import json_response, moment, paged, repo_shape, runtime_shape, siblings
from .weight_facts import count_parameters

MAX_PAGE = 1000
_SORTS: Mapping[str, SortKey] = {
    "lastModified": "last_modified", "last_modified": "last_modified", "createdAt": "created_at",
    "created_at": "created_at", "downloads": "downloads", "likes": "likes", "id": "id",
    "likes7d": "trending_score", "trendingScore": "trending_score", "trending": "trending_score",
    "mainSize": "last_modified", "trending_score": "trending_score",
}  # fmt: skip
_SDKS = ("gradio", "streamlit", "docker", "static")


def create(call: Call) -> Response:
    """POST /api/repos/create."""
    call.require_owner()
    body = call.json()
    key = _body_key(call, body)
    sdk = body.get("sdk")
    if key.type == "space" and sdk not in _SDKS:
        raise BadRequest(f"sdk={shown(str(sdk))} is unknown; use one of {', '.join(_SDKS)}.")
    private = _wants_private(body, default=False)
    url = {"url": f"{call.endpoint}/{key.url_path}", "name": key.id, "id": key.id}
    try:
        call.state.store.create_repo(key, private=private, sdk=sdk if key.type == "space" else None)
    except RepoExists as error:
        headers = {"X-Error-Message": str(error)}
        return json_response(url | {"error": str(error)}, status=409, headers=headers)
    if key.type == "space":
        space = space_settings(body)
        call.state.store.update_settings(key, lambda now: replace(now, space=space))
        keep_secrets(call, key, body)
    return json_response(url)


def delete(call: Call) -> Response:
    """DELETE /api/repos/delete."""
    call.require_owner()
    key = _body_key(call, call.json())
    call.state.store.delete_repo(key)
    if key.type == "space":
        call.state.spaces.forget(key)
    return json_response({})


def move(call: Call) -> Response:
    """POST /api/repos/move."""
    call.require_owner()
    body = call.json()
    kind = str(body.get("type") or "model")
    old, new = (_parse_id(kind, str(body.get(name))) for name in ("fromRepo", "toRepo"))
    call.state.store.move_repo(old, new)
    if old.type == "space":
        call.state.spaces.forget(old)
    return json_response({"url": f"{call.endpoint}/{new.url_path}"})


def update_settings(call: Call) -> Response:
    """PUT /api/T/ID/settings."""
    key, body = call.writable(), call.json()

    def change(now: RepoSettings) -> RepoSettings:
        gated = body.get("gated", now.gated)
        if gated not in ("auto", "manual", False):
            raise BadRequest(f"gated={shown(str(gated))} is unknown; use auto, manual or false.")
        return replace(now, private=_wants_private(body, default=now.private), gated=gated)

    record = call.state.store.update_settings(key, change)
    return json_response({"private": record.private, "gated": record.gated})


def duplicate(call: Call) -> Response:
    """POST /api/T/ID/duplicate."""
    call.require_owner()
    source, body = call.readable(), call.json()
    target = _parse_id(source.key.type, str(body.get("repository") or ""))
    private = _wants_private(body, default=source.private)
    url = f"{call.endpoint}/{target.url_path}"
    try:
        call.state.store.duplicate_repo(source.key, target, private=private)
    except RepoExists as error:
        return json_response({"url": url, "error": str(error)}, status=409)
    if target.type == "space":
        call.state.store.update_settings(
            target, lambda now: replace(now, space=space_settings(body, now.space))
        )
        keep_secrets(call, target, body)
    return json_response({"url": url})


def owned(call: Call) -> Response:
    """GET /api/settings/repositories: the owner's repositories and what they weigh."""
    call.require_owner()
    store, query = call.state.store, ListQuery(author=call.state.user, limit=MAX_PAGE)
    records = [
        record
        for kind in REPO_TYPES
        for record in store.list_repos(kind, replace(query, include_private=True)).items
    ]
    sizes = [sum(e.size for e in store.tree(r.key, r.sha, recursive=True)) for r in records]
    shapes = [
        {
            "id": record.key.id,
            "type": record.key.type,
            "updatedAt": moment(record.last_modified),
            "visibility": "private" if record.private else "public",
            "storage": size,
            "storagePercent": size / max(sum(sizes), 1),
        }
        for record, size in zip(records, sizes, strict=True)
    ]
    return json_response(shapes)


def auth_check(call: Call) -> Response:
    """GET /api/T/ID/auth-check[/write]."""
    call.readable(contents=True)
    if call.request.scope["path"].endswith("/write"):
        call.require_owner()
    return json_response({})


def info(call: Call) -> Response:
    """GET /api/T/ID[/revision/REV]."""
    record = call.readable()
    store, key = call.state.store, record.key
    sha = store.resolve(key, call.param("rev")) if call.param("rev") else record.sha
    shape = repo_shape(record) | {"sha": sha}
    entries = store.tree(key, sha, recursive=True)
    shape["siblings"] = siblings(entries, blobs=call.flag("blobs"))
    shape["usedStorage"] = sum(entry.size for entry in entries)
    if key.type == "model":
        shape["safetensors"] = count_parameters(entries, store.stored_path)
    if key.type == "space":
        names = [entry.path for entry in entries]
        facts = call.state.spaces.facts(key)
        shape["runtime"] = runtime_shape(record, store.settings(key), names, facts)
        shape["host"] = app_url(call, key)
        shape["subdomain"] = key.id.replace("/", "-").lower()
    if call.flag("securityStatus"):
        shape["securityRepoStatus"] = {"scansDone": False, "filesWithIssues": []}
    return json_response(_expanded(shape, _expand(call)))


def listing(call: Call) -> Response:
    """GET /api/T: one page; the Link header leads to the next."""
    if call.kind not in PLURALS:
        raise NotFound("Sorry, we can't find the page you are looking for.")
    page = call.state.store.list_repos(cast(RepoType, call.kind[:-1]), _query(call))
    shapes = [_listed(call, record) for record in page.items]
    return paged(call.endpoint, call.request, shapes, page.next_cursor)


def _wants_private(body: Mapping[str, Any], *, default: bool) -> bool:
    visibility = body.get("visibility")
    if visibility not in (None, "public", "private"):
        raise BadRequest(f"visibility={shown(str(visibility))} is unknown; use public or private.")
    return visibility == "private" if visibility else is_on(body.get("private", default))


def _listed(call: Call, record: RepoRecord) -> dict[str, Any]:
    shape, names = repo_shape(record), _expand(call)
    full = call.flag("full")
    if not (full or call.flag("cardData") or names):
        shape.pop("cardData")
    if not (full or call.flag("config") or names):
        shape.pop("config", None)
    shape.pop("model-index", None)
    if full or "siblings" in names:
        entries = call.state.store.tree(record.key, record.sha, recursive=True)
        shape["siblings"] = siblings(entries, blobs=False)
    if "runtime" in names and record.key.type == "space":
        settings = call.state.store.settings(record.key)
        names_there = [entry.path for entry in call.state.store.tree(record.key, record.sha)]
        facts = call.state.spaces.facts(record.key)
        shape["runtime"] = runtime_shape(record, settings, names_there, facts)
    return _expanded(shape, names)


def _expanded(shape: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    if not names:
        return shape
    return {name: shape.get(name) for name in ("_id", "id", *names)}


def _expand(call: Call) -> list[str]:
    query = call.request.query_params
    return [*query.getlist("expand"), *query.getlist("expand[]")]


def _query(call: Call) -> ListQuery:
    query = call.request.query_params
    filters = [tag for text in query.getlist("filter") for tag in text.split(",")]
    filters += [f"{name}:{query[name]}" for name in ("dataset", "license") if query.get(name)]
    if query.get("library"):
        filters.append(query["library"])
    return ListQuery(
        search=query.get("search", ""),
        author=query.get("author", ""),
        filters=tuple(tag for tag in filters if tag),
        pipeline_tag=query.get("pipeline_tag", ""),
        sort=_SORTS.get(query.get("sort", ""), "last_modified"),
        descending=query.get("direction", "-1") != "1",
        limit=max(1, call.number("limit", MAX_PAGE, at_most=MAX_PAGE)),
        cursor=query.get("cursor", ""),
        include_private=call.caller.owner,
    )


def _body_key(call: Call, body: Mapping[str, Any]) -> RepoKey:
    namespace = str(body.get("organization") or call.state.user)
    name = str(body.get("name") or "")
    if "/" in name:
        namespace, _, name = name.partition("/")
    return repo_key(str(body.get("type") or "model"), namespace, name)


def _parse_id(kind: str, text: str) -> RepoKey:
    namespace, _, name = text.partition("/")
    return repo_key(kind, namespace, name)
