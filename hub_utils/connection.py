"""Decide which Hub to talk to, start the embedded one if it is that, and set what clients read.

Call `connect(Settings.from_env())` before anything imports huggingface_hub: its endpoint and its
cache are fixed at import.

| settings | the Hub |
|---|---|
| a token, no endpoint; or running as a Space | the real one |
| an endpoint | that one |
| neither | the embedded one, started when it does not run |
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from hub_utils import embedded
from hub_utils.atomic import read_json, write_json
from hub_utils.errors import AccessError, LabError
from hub_utils.names import RepoId, RepoType
from hub_utils.settings import DEFAULT_NAMESPACE, Settings

if TYPE_CHECKING:
    from huggingface_hub import HfApi

REAL_ENDPOINT = "https://huggingface.co"
REQUEST_TIMEOUT_S = 10.0
_LOOPBACK = ("127.0.0.1", "::1", "localhost")

# Endpoints that this process exported: an embedded Hub may come back on another port.
_exported: set[str] = set()


@dataclass(frozen=True)
class Hub:
    """A Hub and who we are there. Pass it to push_folder, pull and the rest."""

    endpoint: str
    token: str | None = field(repr=False)
    namespace: str
    embedded: bool
    cache: Path | None = None  # where snapshots are kept; None: the library's own place
    root: Path | None = None  # the embedded Hub's folder

    @cached_property
    def api(self) -> HfApi:
        """The official client, bound to this endpoint and this token."""
        from huggingface_hub import HfApi

        return HfApi(endpoint=self.endpoint, token=self.token or False)

    @property
    def private_by_default(self) -> bool:
        """Whether new repositories are private: everywhere but on this machine."""
        return urlsplit(self.endpoint).hostname not in _LOOPBACK

    def repo(self, name: str, type: RepoType = "model") -> RepoId:
        """A repository by "namespace/name", or by a name in our own namespace."""
        return RepoId.parse(name, type=type, namespace=self.namespace)

    def url(self, repo: RepoId) -> str:
        """The page of `repo`."""
        return f"{self.endpoint}/{repo.path}"

    def ensure(self) -> Hub:
        """This Hub; an embedded one that has ended starts again, on the same port if possible."""
        if self.root is None:
            return self
        server = embedded.use(self.root)
        if server.endpoint == self.endpoint:
            return self
        return _export(replace(self, endpoint=server.endpoint))


def connect(settings: Settings) -> Hub:
    """The Hub that `settings` mean, ready to use; sets the environment that clients read.

    A Hub that does not answer is no error here: what is cached can still be served. Raises
    AccessError for a refused token and HubUnavailableError if the embedded Hub cannot start.
    """
    hub = _embedded(settings) if _means_embedded(settings) else _remote(settings)
    _refuse_early_import(hub)
    _export(hub)
    return hub if hub.embedded or settings.namespace else _with_own_namespace(hub)


def _means_embedded(settings: Settings) -> bool:
    if settings.endpoint is None:
        # A Space that serves public models needs no token, and has no embedded Hub with it.
        return settings.token is None and not settings.in_space
    # A process started by one that uses the embedded Hub inherits its endpoint.
    return settings.endpoint == embedded.last_endpoint(settings.hub_root)


def _embedded(settings: Settings) -> Hub:
    root = settings.hub_root.resolve()
    server = embedded.use(root)
    home = settings.hf_home or root.parent / "cache"
    return Hub(
        endpoint=server.endpoint,
        token=settings.token or server.token,
        namespace=settings.namespace or server.user,
        embedded=True,
        cache=home.resolve() / "hub",
        root=root,
    )


def _remote(settings: Settings) -> Hub:
    return Hub(
        endpoint=settings.endpoint or REAL_ENDPOINT,
        token=settings.token,
        namespace=settings.namespace or DEFAULT_NAMESPACE,
        embedded=False,
    )


def _refuse_early_import(hub: Hub) -> None:
    constants = sys.modules.get("huggingface_hub.constants")
    imported = getattr(constants, "ENDPOINT", hub.endpoint)
    if imported != hub.endpoint and imported not in _exported:
        raise LabError(
            f"huggingface_hub was imported before connect() and is bound to {imported}, "
            f"not to {hub.endpoint}.",
            hint="Call hub_utils.connection.connect() before importing it, or set HF_ENDPOINT.",
        )


def _export(hub: Hub) -> Hub:
    """Set what huggingface_hub, transformers and datasets read, here and in our subprocesses."""
    _exported.add(hub.endpoint)
    os.environ["HF_ENDPOINT"] = hub.endpoint
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    if hub.token:
        os.environ["HF_TOKEN"] = hub.token
    else:  # never send a token that was stored for another Hub
        os.environ.pop("HF_TOKEN", None)
        os.environ["HF_HUB_DISABLE_IMPLICIT_TOKEN"] = "1"  # noqa: S105 - not a password
    if hub.endpoint != REAL_ENDPOINT:
        os.environ["HF_HUB_DISABLE_XET"] = "1"
    if hub.cache:
        os.environ["HF_HOME"] = str(hub.cache.parent)
        os.environ["HF_HUB_CACHE"] = str(hub.cache)
    if hub.root:
        os.environ["LAB_HUB_ROOT"] = str(hub.root)
    if not hub.private_by_default:
        _go_round_proxies()
    return hub


def _go_round_proxies() -> None:
    for name in ("NO_PROXY", "no_proxy"):
        hosts = [host for host in os.environ.get(name, "").split(",") if host]
        os.environ[name] = ",".join(dict.fromkeys([*hosts, *_LOOPBACK]))


def _with_own_namespace(hub: Hub) -> Hub:
    """`hub` with the namespace of its token, or with the one remembered while the Hub is away."""
    from huggingface_hub import constants

    memory = Path(constants.HF_HOME) / "lab-namespace.json"
    remembered = read_json(memory)
    name = _whoami(hub) if hub.token else None
    if name is None:
        name = remembered.get(hub.endpoint)
        return replace(hub, namespace=name) if isinstance(name, str) else hub
    if remembered.get(hub.endpoint) != name:
        write_json(memory, {**remembered, hub.endpoint: name})
    return replace(hub, namespace=name)


def _whoami(hub: Hub) -> str | None:
    """The token's user; None if the Hub is away. Raises AccessError if it refuses the token."""
    import httpx2
    from huggingface_hub import get_session

    try:
        response = get_session().get(
            f"{hub.endpoint}/api/whoami-v2",
            headers={"Authorization": f"Bearer {hub.token}"},
            timeout=REQUEST_TIMEOUT_S,
        )
    except (httpx2.HTTPError, OSError):
        return None
    if response.status_code in (401, 403):
        raise AccessError(f"{hub.endpoint} refuses the token in HF_TOKEN.")
    try:
        name = response.json().get("name") if response.is_success else None
    except (ValueError, AttributeError):
        return None
    return name if isinstance(name, str) else None
