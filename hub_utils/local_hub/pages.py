"""The Hub's pages for people: server-rendered, without scripts, readable on a phone.

Handlers are plain functions, so Starlette runs them in threads. Path parameters arrive
percent-encoded (`feat%2Fx` is one segment) and are unquoted here, once.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qs, quote, unquote, urlencode

from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from . import page_views as views
from .errors import BadRequest, EntryNotFound, HubError, RepoNotFound, RevisionNotFound
from .page_session import is_signed_in, remember_language, same, sign_in, sign_out, words_of
from .paths import repo_key
from .records import REPO_TYPES, ListQuery, RepoRecord, RepoType, SortKey
from .seed import Seeder
from .shapes import runtime_shape
from .snippets import client_setup
from .words import LANGUAGES, Words

if TYPE_CHECKING:
    from jinja2 import Environment
    from starlette.requests import Request

    from .state import HubState

logger = logging.getLogger(__name__)

HERE = Path(__file__).parent
STATIC = {"site.css": "text/css; charset=utf-8", "mark.svg": "image/svg+xml"}
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache, private",
    "Vary": "Cookie, Accept-Language, Authorization",
}
SORTS: tuple[SortKey, ...] = ("last_modified", "created_at", "id")
PAGE, COMMITS, RECENT = 24, 30, 6
MAX_ENTRIES = 1000  # of a folder that are listed
MAX_FORM = 4096  # bytes


@dataclass(frozen=True)
class Visit:
    """One request to a page: who, where, in which language."""

    state: HubState
    request: Request
    signed_in: bool
    words: Words

    def param(self, name: str) -> str:
        return unquote(self.request.path_params.get(name, ""))

    def query(self, name: str) -> str:
        return self.request.query_params.get(name, "")

    def url_with(self, **changes: str) -> str:
        """This page's address with some query parameters changed; empty ones go."""
        query = dict(self.request.query_params) | changes
        kept = urlencode({name: value for name, value in query.items() if value})
        # Encoded as it came; a second leading slash would make it another site's address.
        path = "/" + quote(self.request.scope["path"].lstrip("/"), safe="/%:@!$&'()*+,;=~")
        return f"{path}?{kept}" if kept else path

    def endpoint(self) -> str:
        return self.state.endpoint or str(self.request.base_url).rstrip("/")

    def record(self) -> RepoRecord:
        """The repository of this address, if it may be seen.

        Raises:
            RepoNotFound: it is not there, or private and the visitor is not signed in.
        """
        kind = self.request.scope.get("path", "/").split("/")[1]
        kind = kind if kind in ("datasets", "spaces") else "models"
        key = repo_key(kind, self.param("namespace"), self.param("name"))
        self.state.seeder.wait_for(key)
        record = self.state.store.get_repo(key)
        if record.private and not self.signed_in:
            raise RepoNotFound(f"Repository not found: {key}.")
        return record


Handler = Callable[[Visit], Response]


def page_routes(state: HubState) -> list[Route]:
    """Every page. They belong after the API's routes: a repository's address has any name."""

    def page(handler: Handler) -> Callable[[Request], Response]:
        return lambda request: _answer(state, request, handler)

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


def _answer(state: HubState, request: Request, handler: Handler) -> Response:
    visit = Visit(state, request, is_signed_in(request, state.token), words_of(request))
    try:
        response = handler(visit)
    except HubError as error:
        response = _error_page(visit, error)
    except Exception:
        logger.exception("a page failed")
        lead = visit.words("failed")
        response = _render(visit, "error.html", status=500, lead=lead, home="")
    remember_language(request, response, visit.words)
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


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
    return _render(visit, "front.html", sections=sections, setup=setup, seeds=_seeds(visit))


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
    return _render(
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
    files = [entry.path for entry in visit.state.store.tree(at.record.key, at.sha)]
    return {
        "stage": runtime_shape(settings, files)["stage"],
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
    return _render(visit, template, at=at, branches=branches, ref_tags=tags, **facts)


# -- signing in ----------------------------------------------------------------------------------


def show_login(visit: Visit) -> Response:
    """The form that takes the token."""
    return _render(visit, "login.html", wrong=False)


def _login_endpoint(state: HubState) -> Callable[[Request], Any]:
    async def log_in(request: Request) -> Response:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_FORM:
                break
        given = parse_qs(body[:MAX_FORM].decode("utf-8", "replace")).get("token", [""])[0].strip()
        return _answer(state, request, lambda visit: _log_in(visit, given))

    return log_in


def _log_in(visit: Visit, given: str) -> Response:
    if not same(given, visit.state.token):
        return _render(visit, "login.html", status=403, wrong=True)
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


def _error_page(visit: Visit, error: HubError) -> Response:
    words, name = visit.words, visit.param("path") or visit.param("revision")
    lead, home = words("not_found_lead"), ""
    if isinstance(error, (RevisionNotFound, EntryNotFound)):
        key = "revision_missing" if isinstance(error, RevisionNotFound) else "entry_missing"
        lead = words(key, name=name or visit.query("revision"))
        home = f"/{visit.record().key.url_path}"
    elif not isinstance(error, (RepoNotFound, BadRequest)):
        lead = str(error)
    return _render(visit, "error.html", status=error.status, lead=lead, home=home)


def _render(visit: Visit, template: str, *, status: int = 200, **facts: Any) -> Response:
    html = (
        environment()
        .get_template(template)
        .render(
            t=visit.words,
            visit=visit,
            signed_in=visit.signed_in,
            languages=LANGUAGES,
            style_version=_style_version(),
            repo_types=REPO_TYPES,
            **facts,
        )
    )
    return HTMLResponse(html, status_code=status)


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Jinja with autoescape: whatever a repository says is text, but for the sanitised card."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["size"] = views.size_text
    made.filters["count"] = views.count_text
    made.globals["folder_steps"] = views.folder_steps
    return made


@lru_cache(maxsize=1)
def _style_version() -> str:
    return hashlib.sha256((HERE / "static" / "site.css").read_bytes()).hexdigest()[:12]
