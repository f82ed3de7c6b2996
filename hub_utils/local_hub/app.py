"""The embedded Hub's route table: which method and path is which handler.

Routes see the raw path: `%2F` in a revision or a path stays inside its segment, and handlers
decode what they use (`Call.param`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple, NoReturn

from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from . import (
    routes_account,
    routes_commit,
    routes_contents,
    routes_files,
    routes_git,
    routes_jobs,
    routes_lfs,
    routes_repos,
    routes_space_logs,
    routes_spaces,
)
from .call import MAX_JSON_BYTES, Call, Handler, endpoint
from .errors import NotFound, RepoNotFound
from .pages import page_routes
from .routes_commit import MAX_COMMIT_BYTES
from .routes_git import MAX_REQUEST_BYTES as MAX_GIT_BYTES
from .state import HubState

THREADS = 128


class Row(NamedTuple):
    """A row. `{id}` stands for `{namespace}/{name}`, `{repo}` for an id after each prefix."""

    methods: str
    path: str
    handler: Handler
    max_bytes: int = MAX_JSON_BYTES


def _missing(call: Call) -> NoReturn:  # noqa: ARG001 - every handler has this shape
    raise NotFound("Sorry, we can't find the page you are looking for.")


def _missing_repo(call: Call) -> NoReturn:  # noqa: ARG001 - every handler has this shape
    raise RepoNotFound("Repository not found.")


TABLE = (
    # account
    Row("GET", "/api/whoami-v2", routes_account.whoami),
    Row("GET", "/api/users/{user}/overview", routes_account.user_overview),
    Row("POST", "/api/validate-yaml", routes_account.validate_yaml),
    # repositories
    Row("POST", "/api/repos/create", routes_repos.create),
    Row("DELETE", "/api/repos/delete", routes_repos.delete),
    Row("POST", "/api/repos/move", routes_repos.move),
    # Spaces
    Row("GET", "/api/spaces/hardware", routes_spaces.list_hardware),
    Row("GET POST DELETE", "/api/spaces/{id}/variables", routes_spaces.variables),
    Row("GET POST DELETE", "/api/spaces/{id}/secrets", routes_spaces.secrets),
    Row("GET", "/api/spaces/{id}/runtime", routes_spaces.runtime),
    Row("GET", "/api/spaces/{id}/host", routes_spaces.host),
    Row("GET", "/api/spaces/{id}/logs/{kind}", routes_space_logs.logs),
    Row("POST", "/api/spaces/{id}/pause", routes_spaces.pause),
    Row("POST", "/api/spaces/{id}/restart", routes_spaces.restart),
    Row("POST", "/api/spaces/{id}/sleeptime", routes_spaces.sleep_time),
    Row("POST", "/api/spaces/{id}/hardware", routes_spaces.hardware),
    # Jobs
    Row("GET", "/api/jobs/hardware", routes_spaces.list_hardware),
    Row("GET", "/api/jobs/{namespace}", routes_jobs.listing),
    Row("POST", "/api/jobs/{namespace}", routes_jobs.create),
    Row("GET", "/api/jobs/{namespace}/{job}", routes_jobs.inspect),
    Row("GET", "/api/jobs/{namespace}/{job}/logs", routes_jobs.logs),
    Row("POST", "/api/jobs/{namespace}/{job}/cancel", routes_jobs.cancel),
    # listings and infos
    Row("GET", "/api/{types}", routes_repos.listing),
    Row("GET", "/api/{types}/{id}", routes_repos.info),
    Row("GET", "/api/{types}/{id}/revision/{rev}", routes_repos.info),
    Row("GET", "/api/settings/repositories", routes_repos.owned),
    Row("POST", "/api/{types}/{id}/duplicate", routes_repos.duplicate),
    Row("PUT", "/api/{types}/{id}/settings", routes_repos.update_settings),
    Row("GET", "/api/{types}/{id}/auth-check", routes_repos.auth_check),
    Row("GET", "/api/{types}/{id}/auth-check/write", routes_repos.auth_check),
    # contents
    Row("GET", "/api/{types}/{id}/tree/{rev}", routes_contents.tree),
    Row("GET", "/api/{types}/{id}/tree/{rev}/{path:path}", routes_contents.tree),
    Row("POST", "/api/{types}/{id}/paths-info/{rev}", routes_contents.paths_info),
    Row("GET", "/api/{types}/{id}/commits/{rev}", routes_contents.commits),
    Row("GET", "/api/{types}/{id}/refs", routes_contents.refs),
    Row("POST", "/api/{types}/{id}/branch/{ref}", routes_contents.create_branch),
    Row("DELETE", "/api/{types}/{id}/branch/{ref}", routes_contents.delete_branch),
    Row("POST", "/api/{types}/{id}/tag/{ref}", routes_contents.create_tag),
    Row("DELETE", "/api/{types}/{id}/tag/{ref}", routes_contents.delete_tag),
    Row("POST", "/api/{types}/{id}/super-squash/{ref}", routes_contents.squash),
    Row("GET", "/api/{types}/{id}/discussions", routes_contents.discussions),
    # writing
    Row("POST", "/api/{types}/{id}/preupload/{rev}", routes_commit.preupload),
    Row("POST", "/api/{types}/{id}/commit/{rev}", routes_commit.commit, MAX_COMMIT_BYTES),
    Row("POST", "/api/{types}/{id}/lfs-files/duplicate", routes_lfs.copy_files),
    Row("GET", "/api/{types}/{id}/xet-write-token/{rev}", routes_lfs.refuse_xet),
    Row("GET", "/api/{types}/{id}/xet-read-token/{rev}", routes_lfs.refuse_xet),
    Row("GET POST PUT DELETE", "/api/models/{path:path}", _missing_repo),
    Row("GET POST PUT DELETE", "/api/datasets/{path:path}", _missing_repo),
    Row("GET POST PUT DELETE", "/api/spaces/{path:path}", _missing_repo),
    Row("GET POST PUT DELETE", "/api/{path:path}", _missing),
    # files, large files, git
    Row("GET HEAD", "/{repo}/resolve/{rev}/{path:path}", routes_files.resolve),
    Row("GET HEAD", "/{repo}/raw/{rev}/{path:path}", routes_files.raw),
    Row("POST", "/{repo}.git/info/lfs/objects/batch", routes_lfs.batch),
    Row("POST", "/{repo}.git/info/lfs/objects/verify", routes_lfs.verify),
    Row("GET HEAD", "/lfs/download/{types}/{id}/{sha256}", routes_lfs.download),
    Row("GET", "/{repo}.git/info/refs", routes_git.info_refs),
    Row("GET", "/{repo}/info/refs", routes_git.info_refs),
    Row("POST", "/{repo}.git/git-upload-pack", routes_git.upload_pack, MAX_GIT_BYTES),
    Row("POST", "/{repo}/git-upload-pack", routes_git.upload_pack, MAX_GIT_BYTES),
    Row("POST", "/{repo}.git/git-receive-pack", routes_git.receive_pack),
    Row("POST", "/{repo}/git-receive-pack", routes_git.receive_pack),
    Row("GET HEAD", "/{name}/resolve/{path:path}", _missing_repo),
)


def build_app(state: HubState) -> FastAPI:
    """The server's application, without the network."""
    upload = Route(
        "/lfs/upload/{types}/{namespace}/{name}/{sha256}",
        routes_lfs.upload_endpoint(state),
        methods=["PUT"],
    )
    routes: Sequence[BaseRoute] = [
        upload,
        *(route for row in TABLE for route in _routes(state, row)),
        *page_routes(state),
    ]
    app = FastAPI(
        title="Embedded Hub",
        openapi_url=None,
        routes=list(routes),
        lifespan=lambda _: _while_serving(state),
    )
    app.add_middleware(RawPath)
    return app


@asynccontextmanager
async def _while_serving(state: HubState) -> AsyncIterator[None]:
    """Requests that wait for a seed hold a thread each; leave enough for the others."""
    current_default_thread_limiter().total_tokens = THREADS
    yield
    await run_in_threadpool(state.spaces.close)


class RawPath:
    """Let the router see percent-encoded paths."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope["path"] = scope["raw_path"].decode("ascii", "replace")
        await self.app(scope, receive, send)


def _routes(state: HubState, row: Row) -> Iterator[Route]:
    serve = endpoint(state, row.handler, max_bytes=row.max_bytes)
    prefixes = ("", "datasets/", "spaces/") if "{repo}" in row.path else ("",)
    for prefix in prefixes:
        path = row.path.replace("{repo}", prefix + "{id}").replace("{id}", "{namespace}/{name}")
        yield Route(path, serve, methods=row.methods.split())
