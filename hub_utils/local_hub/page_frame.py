"""The frame of every page: who is looking, security headers, templates, friendly errors."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlencode

from starlette.responses import HTMLResponse, Response

from . import page_views as views
from .errors import BadRequest, EntryNotFound, HubError, RepoNotFound, RevisionNotFound
from .page_session import is_signed_in, remember_language, words_of
from .paths import repo_key
from .records import REPO_TYPES, RepoRecord
from .words import LANGUAGES, Words

if TYPE_CHECKING:
    from jinja2 import Environment
    from starlette.requests import Request

    from .state import HubState

logger = logging.getLogger(__name__)

HERE = Path(__file__).parent
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


def answer(state: HubState, request: Request, handler: Handler) -> Response:
    """A handler's page in its frame; what it raises becomes a page of its own."""
    visit = Visit(state, request, is_signed_in(request, state.token), words_of(request))
    try:
        response = handler(visit)
    except HubError as error:
        response = _error_page(visit, error)
    except Exception:
        logger.exception("a page failed")
        lead = visit.words("failed")
        response = render(visit, "error.html", status=500, lead=lead, home="")
    remember_language(request, response, visit.words)
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _error_page(visit: Visit, error: HubError) -> Response:
    words, name = visit.words, visit.param("path") or visit.param("revision")
    lead, home = words("not_found_lead"), ""
    if isinstance(error, (RevisionNotFound, EntryNotFound)):
        key = "revision_missing" if isinstance(error, RevisionNotFound) else "entry_missing"
        lead = words(key, name=name or visit.query("revision"))
        home = f"/{visit.record().key.url_path}"
    elif not isinstance(error, (RepoNotFound, BadRequest)):
        lead = str(error)
    return render(visit, "error.html", status=error.status, lead=lead, home=home)


def render(visit: Visit, template: str, *, status: int = 200, **facts: Any) -> Response:
    """A template, filled."""
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
