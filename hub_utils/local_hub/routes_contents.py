"""What is in a repository: trees, paths, commits, branches, tags."""

from __future__ import annotations

from urllib.parse import parse_qs

from starlette.responses import Response

from .call import Call, is_on
from .errors import BadRequest
from .shapes import commit_shape, entry_shape, json_response, paged, ref_shape

TREE_PAGE, COMMITS_PAGE, MAX_PATHS = 1000, 1000, 10_000


def tree(call: Call) -> Response:
    """GET /api/T/ID/tree/REV[/PATH]: one page of entries."""
    key = call.readable().key
    expand = call.flag("expand")
    entries = call.state.store.tree(
        key,
        call.param("rev"),
        call.param("path"),
        recursive=call.flag("recursive"),
        expand=expand,
    )
    start = call.number("cursor", 0, at_most=10**9)
    limit = max(1, call.number("limit", TREE_PAGE, at_most=10 * TREE_PAGE))
    cursor = str(start + limit) if start + limit < len(entries) else ""
    shapes = [entry_shape(entry, expand=expand) for entry in entries[start : start + limit]]
    return paged(call.endpoint, call.request, shapes, cursor)


def paths_info(call: Call) -> Response:
    """POST /api/T/ID/paths-info/REV: the entries at some paths, missing ones left out."""
    key = call.readable().key
    paths, expand = _paths(call)
    if len(paths) > MAX_PATHS:
        raise BadRequest(f"Ask for at most {MAX_PATHS:,} paths at once, not {len(paths):,}.")
    entries = call.state.store.entries(key, call.param("rev"), paths, expand=expand)
    return json_response([entry_shape(entry, expand=expand) for entry in entries])


def commits(call: Call) -> Response:
    """GET /api/T/ID/commits/REV: newest first."""
    key = call.readable().key
    page = call.number("p", 0, at_most=10**6)
    limit = max(1, call.number("limit", COMMITS_PAGE, at_most=COMMITS_PAGE))
    skip = call.number("cursor", page * limit, at_most=10**9)
    found = call.state.store.commits(key, call.param("rev"), skip=skip, limit=limit + 1)
    formatted = "formatted" in call.request.query_params.getlist("expand[]")
    shapes = [commit_shape(commit, formatted=formatted) for commit in found[:limit]]
    return paged(
        call.endpoint, call.request, shapes, str(skip + limit) if len(found) > limit else ""
    )


def refs(call: Call) -> Response:
    """GET /api/T/ID/refs."""
    found = call.state.store.refs(call.readable().key)
    shape: dict[str, object] = {
        "branches": [ref_shape(ref) for ref in found.branches],
        "tags": [ref_shape(ref) for ref in found.tags],
        "converts": [],
    }
    if call.flag("include_prs"):
        shape["pullRequests"] = []
    return json_response(shape)


def create_branch(call: Call) -> Response:
    """POST /api/T/ID/branch/B."""
    key, body = call.writable(), call.json()
    call.state.store.create_branch(key, call.param("ref"), str(body.get("startingPoint") or "main"))
    return json_response({})


def delete_branch(call: Call) -> Response:
    """DELETE /api/T/ID/branch/B."""
    call.state.store.delete_branch(call.writable(), call.param("ref"))
    return json_response({})


def create_tag(call: Call) -> Response:
    """POST /api/T/ID/tag/REV."""
    key, body = call.writable(), call.json()
    name, message = str(body.get("tag") or ""), str(body.get("message") or "")
    call.state.store.create_tag(key, name, call.param("ref"), message)
    return json_response({})


def delete_tag(call: Call) -> Response:
    """DELETE /api/T/ID/tag/TAG."""
    call.state.store.delete_tag(call.writable(), call.param("ref"))
    return json_response({})


def squash(call: Call) -> Response:
    """POST /api/T/ID/super-squash/B: one commit instead of a history."""
    key, body = call.writable(), call.json()
    message = str(body.get("message") or "Super-squash history")
    call.state.store.squash(key, call.param("ref"), message, author=call.state.user)
    return json_response({})


def discussions(call: Call) -> Response:
    """GET /api/T/ID/discussions: the embedded Hub has none."""
    call.readable()
    return json_response({"discussions": [], "count": 0, "start": 0, "numClosedDiscussions": 0})


def _paths(call: Call) -> tuple[list[str], bool]:
    if "json" in call.request.headers.get("content-type", ""):
        body = call.json()
        paths, expand = body.get("paths"), is_on(body.get("expand"))
        if not isinstance(paths, list):
            raise BadRequest('"paths" must be a list of paths.')
        return [str(path) for path in paths], expand
    try:
        form = parse_qs(call.body.decode("utf-8"), keep_blank_values=True, max_num_fields=20_000)
    except ValueError as error:
        raise BadRequest("The form cannot be read.") from error
    return form.get("paths", []), is_on(form.get("expand", [""])[0])
