"""The Hub's pages for people: server-rendered, without scripts, readable on a phone.

Handlers are plain functions, so Starlette runs them in threads. Path parameters arrive
percent-encoded (`feat%2Fx` is one segment) and are unquoted here, once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qs

from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Route

from . import page_views as views
from .errors import RepoNotFound
from .page_frame import HERE, Handler, Visit, answer, render
from .page_session import same, sign_in, sign_out
from .records import REPO_TYPES, ListQuery, RepoType, SortKey
from .seed import Seeder
from .shapes import runtime_shape
from .snippets import client_setup
from .space_runner import LOGS

if TYPE_CHECKING:
    from starlette.requests import Request

    from .state import HubState

STATIC = {"site.css": "text/css; charset=utf-8", "mark.svg": "image/svg+xml"}
SORTS: tuple[SortKey, ...] = ("last_modified", "created_at", "id")
PAGE, COMMITS, RECENT = 24, 30, 6
MAX_ENTRIES = 1000  # of a folder that are listed
MAX_FORM = 4096  # bytes
LOG_LINES = 20  # of a Space, on its page


def page_routes(state: HubState) -> list[Route]:
    """Every page. They belong after the API's routes: a repository's address has any name."""

    def page(handler: Handler) -> Callable[[Request], Response]:
        return lambda request: answer(state, request, handler)

    routes = [
        Route("/", page(show_front)),
        Route("/-/{file}", page(send_static)),
        Route("/login", page(show_login)),
        Route("/login", _login_endpoint(state), methods=["POST"]),
        Route("/logout", page(log_out), methods=["POST"]),
        *(Route(f"/{kind}s", page(show_list)) for kind in REPO_TYPES),
    ]
    for prefix in ("/datasets", "/spaces", ""):
        repo = prefix + "/{namespace}/{name}"
        routes += [
            Route(repo, page(show_card)),
            Route(repo + "/tree/{revision}", page(show_tree)),
            Route(repo + "/tree/{revision}/{path:path}", page(show_tree)),
            Route(repo + "/blob/{revision}/{path:path}", page(show_blob)),
            Route(repo + "/commits/{revision}", page(show_commits)),
        ]
    return [*routes, Route("/{path:path}", page(show_nothing))]


def show_nothing(_visit: Visit) -> Response:
    """The friendly page for an address that leads nowhere."""
    raise RepoNotFound("There is no such page.")


# -- pages ---------------------------------------------------------------------------------------


def show_front(visit: Visit) -> Response:
    """What is published here, newest first, by type."""
    query = ListQuery(limit=RECENT, include_private=visit.signed_in)
    store = visit.state.store
    sections = [
        (kind, store.list_repos(kind, query).items, store.count_repos(kind, query))
        for kind in REPO_TYPES
    ]
    setup = client_setup(visit.endpoint())
    return render(visit, "front.html", sections=sections, setup=setup, seeds=_seeds(visit))


def _seeds(visit: Visit) -> Mapping[str, list[Any]]:
    seeder = visit.state.seeder
    status = seeder.status() if isinstance(seeder, Seeder) else ()
    return {
        "waiting": [one for one in status if one.state in ("waiting", "writing")],
        "missing": [one for one in status if one.state in ("skipped", "failed")],
    }


def show_list(visit: Visit) -> Response:
    """All repositories of a type, searched, sorted, filtered by tag, page by page."""
    kind = cast(RepoType, visit.request.url.path.strip("/").removesuffix("s"))
    sort = cast(SortKey, visit.query("sort") if visit.query("sort") in SORTS else SORTS[0])
    query = ListQuery(
        search=visit.query("search")[:200],
        filters=tuple(filter(None, visit.request.query_params.getlist("filter"))),
        sort=sort,
        descending=sort != "id",
        limit=PAGE,
        cursor=visit.query("cursor"),
        include_private=visit.signed_in,
    )
    store = visit.state.store
    by_kind = replace(query, filters=())
    return render(
        visit,
        "list.html",
        kind=kind,
        query=query,
        sorts=SORTS,
        page=store.list_repos(kind, query),
        counts={kind: store.count_repos(kind, by_kind) for kind in REPO_TYPES},
    )


def show_card(visit: Visit) -> Response:
    """A repository's front: card, figures, first rows, how to use it."""
    at = _at(visit, visit.query("revision") or "main")
    view = views.view_card(visit.state.store, at, visit.query("split"))
    space = _space(visit, at) if at.record.key.type == "space" else None
    setup = client_setup(visit.endpoint())
    return _repo(visit, "card.html", at, tab="card", view=view, space=space, setup=setup)


def _space(visit: Visit, at: views.At) -> Mapping[str, Any]:
    settings = visit.state.store.settings(at.record.key)
    spaces, key = visit.state.spaces, at.record.key
    files = [entry.path for entry in visit.state.store.tree(key, at.sha)]
    facts = spaces.facts(key)
    runtime = runtime_shape(at.record, settings, files, facts)
    logs = {kind: spaces.log(key, kind) for kind in LOGS} if visit.signed_in else {}
    return {
        "stage": runtime["stage"],
        "problem": runtime.get("errorMessage", ""),
        "url": facts.url if facts else "",
        "logs": {kind: log.tail(LOG_LINES) for kind, log in logs.items() if log},
        "hardware": settings.space.hardware,
        "variables": sorted(settings.space.variables),
        "secrets": sorted(settings.space.secrets) if visit.signed_in else [],
    }


def show_tree(visit: Visit) -> Response:
    """A folder's files, with sizes and last commits."""
    at, path = _at(visit, visit.param("revision")), visit.param("path").strip("/")
    entries = visit.state.store.tree(at.record.key, at.sha, path, expand=True)
    entries = sorted(entries, key=lambda entry: (entry.type == "file", entry.path))
    shown = entries[:MAX_ENTRIES]
    newest = visit.state.store.commits(at.record.key, at.sha, limit=1)
    facts = {"path": path, "entries": shown, "total": len(entries), "newest": newest}
    return _repo(visit, "tree.html", at, tab="files", **facts)


def show_blob(visit: Visit) -> Response:
    """One file: its text, picture, first rows or tensors."""
    at, path = _at(visit, visit.param("revision")), visit.param("path")
    view = views.view_blob(visit.state.store, at, path)
    return _repo(visit, "blob.html", at, tab="files", path=path, view=view)


def show_commits(visit: Visit) -> Response:
    """The history that leads to a revision."""
    at = _at(visit, visit.param("revision"))
    skip = int(visit.query("skip")) if re.fullmatch("[0-9]{1,7}", visit.query("skip")) else 0
    commits = visit.state.store.commits(at.record.key, at.sha, skip=skip, limit=COMMITS + 1)
    older = skip + COMMITS if len(commits) > COMMITS else None
    newer = max(0, skip - COMMITS) if skip else None
    shown = commits[:COMMITS]
    return _repo(visit, "commits.html", at, tab="commits", commits=shown, older=older, newer=newer)


def _at(visit: Visit, revision: str) -> views.At:
    return views.at_revision(visit.state.store, visit.record(), revision)


def _repo(visit: Visit, template: str, at: views.At, **facts: Any) -> Response:
    refs = visit.state.store.refs(at.record.key)
    branches, tags = views.ref_names(refs.branches), views.ref_names(refs.tags)
    return render(visit, template, at=at, branches=branches, ref_tags=tags, **facts)


# -- signing in ----------------------------------------------------------------------------------


def show_login(visit: Visit) -> Response:
    """The form that takes the token."""
    return render(visit, "login.html", wrong=False)


def _login_endpoint(state: HubState) -> Callable[[Request], Any]:
    async def log_in(request: Request) -> Response:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_FORM:
                break
        given = parse_qs(body[:MAX_FORM].decode("utf-8", "replace")).get("token", [""])[0].strip()
        return answer(state, request, lambda visit: _log_in(visit, given))

    return log_in


def _log_in(visit: Visit, given: str) -> Response:
    if not same(given, visit.state.token):
        return render(visit, "login.html", status=403, wrong=True)
    response = RedirectResponse("/", status_code=303)
    sign_in(response, visit.state.token)
    return response


def log_out(_visit: Visit) -> Response:
    """Forget who is looking."""
    response = RedirectResponse("/", status_code=303)
    sign_out(response)
    return response


# -- rendering -----------------------------------------------------------------------------------


def send_static(visit: Visit) -> Response:
    """The style sheet and the mark."""
    name = visit.param("file")
    if name not in STATIC:
        raise RepoNotFound("There is no such file.")
    headers = {"Cache-Control": "public, max-age=86400"}
    return FileResponse(HERE / "static" / name, media_type=STATIC[name], headers=headers)
