"""Every setting of the lab, and the only place that reads the environment.

Settings.from_env() for the program, Settings.from_env({...}) for a test, Settings.table() for the
README.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from hub_utils.errors import InvalidNameError, SettingsError
from hub_utils.names import RepoId, check_name

if TYPE_CHECKING:
    from typing import Self

DEFAULT_HUB_ROOT = Path(".lab/hub")
DEFAULT_PORT = 7860
DEFAULT_NAMESPACE = "lab"
DEFAULT_QUEUE = 64
DEFAULT_UPLOAD_MB = 20
MAX_COUNT = 100_000
SEARCH_STORES = ("chroma", "exact", "faiss-flat", "faiss-hnsw", "faiss-ivfpq", "auto")

# Name, default and meaning; what a reader of the README sees, in this order.
_TABLE: tuple[tuple[str, str, str], ...] = (
    ("HF_TOKEN", "none", "A write token; with it and no `HF_ENDPOINT` the lab uses the real Hub."),
    (
        "HF_ENDPOINT",
        "none",
        "The address of a Hub; without it and without a token: the embedded one.",
    ),
    ("HF_HOME", "`.lab/cache` with the embedded Hub", "Where downloaded revisions are cached."),
    (
        "LAB_SPACE_TOKEN",
        "none",
        "A read token that `deploy` stores as the Space's secret, for private models.",
    ),
    ("LAB_NAMESPACE", "the token's user", "The user or organisation that the lab publishes under."),
    ("LAB_HUB_ROOT", "`.lab/hub`", "The folder of the embedded Hub."),
    (
        "LAB_TABS",
        "all",
        "The tabs of the page, as `classify`, several with commas; only their models are loaded.",
    ),
    (
        "LAB_MODELS",
        "none",
        "Which repository a tab serves, as `classify=ticket-router`, several with commas.",
    ),
    (
        "LAB_REVISIONS",
        "none",
        "Revisions to serve, as `repo=revision`, several with commas; wins over the page's pins.",
    ),
    (
        "LAB_SEARCH_STORE",
        "`chroma`",
        "Where search looks for the nearest vectors: `chroma`, `exact`, `faiss-flat`, "
        "`faiss-hnsw`, `faiss-ivfpq`, or `auto` by size.",
    ),
    (
        "CHROMA_URL",
        "none",
        "A Chroma server, as `http://127.0.0.1:8000`, in place of the embedded Chroma.",
    ),
    (
        "LAB_PORT",
        "`GRADIO_SERVER_PORT`, `7860`",
        "The port of the page; `0` takes a free one.",
    ),
    (
        "LAB_READ_ONLY",
        "`0`, in a Space `1`",
        "`1` takes training, publishing and pinning off the page.",
    ),
    (
        "LAB_AUTH",
        "none",
        "Who may sign in: `name:password`, several with commas, or a file with one a line.",
    ),
    ("LAB_QUEUE", "`64`", "How many calls may wait for each model; more are told to come back."),
    ("LAB_RATE_LIMIT", "`0`, no limit", "Calls a minute that one client may make."),
    ("LAB_MAX_UPLOAD_MB", "`20`", "The largest file that the page takes, in megabytes."),
)
_TEST_NAMES = ("LAB_TEST_TOKEN",)
_YES, _NO = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")


@dataclass(frozen=True)
class Settings:
    """The lab's settings, checked. Make them with `from_env`."""

    endpoint: str | None = None
    token: str | None = field(default=None, repr=False)
    hf_home: Path | None = None
    namespace: str | None = None
    hub_root: Path = DEFAULT_HUB_ROOT
    revisions: Mapping[str, str] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)
    tabs: tuple[str, ...] = ()  # none: all; tabs.registry checks them
    search_store: str = SEARCH_STORES[0]
    chroma_url: str | None = None
    port: int = DEFAULT_PORT
    read_only: bool = False
    space_token: str | None = field(default=None, repr=False)
    in_space: bool = False  # running as a Space of the real Hub
    users: Mapping[str, str] = field(default_factory=dict, repr=False)  # name → password
    queue: int = DEFAULT_QUEUE  # waiting calls of each model
    rate_limit: int = 0  # calls a minute and client; 0: no limit
    max_upload_mb: int = DEFAULT_UPLOAD_MB

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Self:
        """Read `env`. Raises SettingsError naming the variable, its value and the fix."""
        _refuse_misspelt(env)
        return cls(
            endpoint=_address(env, "HF_ENDPOINT", of="a Hub", example="http://127.0.0.1:7861"),
            token=_token(env, "HF_TOKEN"),
            hf_home=Path(env["HF_HOME"]).expanduser() if env.get("HF_HOME") else None,
            namespace=_namespace(env),
            hub_root=Path(env.get("LAB_HUB_ROOT") or DEFAULT_HUB_ROOT).expanduser(),
            revisions=_pairs(env, "LAB_REVISIONS", example="lab/reuters-classifier=main"),
            models=_models(env),
            tabs=tuple(dict.fromkeys(_items(env, "LAB_TABS"))),
            search_store=_search_store(env),
            chroma_url=_address(
                env, "CHROMA_URL", of="a Chroma server", example="http://127.0.0.1:8000"
            ),
            port=_port(env),
            read_only=_flag(env, "LAB_READ_ONLY", default=bool(env.get("SPACE_ID"))),
            space_token=_token(env, "LAB_SPACE_TOKEN"),
            in_space=bool(env.get("SPACE_ID")),
            users=_users(env),
            queue=_count(env, "LAB_QUEUE", default=DEFAULT_QUEUE, least=1),
            rate_limit=_count(env, "LAB_RATE_LIMIT", default=0),
            max_upload_mb=_count(env, "LAB_MAX_UPLOAD_MB", default=DEFAULT_UPLOAD_MB, least=1),
        )

    @staticmethod
    def table() -> tuple[tuple[str, str, str], ...]:
        """(variable, default, meaning) of every setting, for the README."""
        return _TABLE


def _refuse_misspelt(env: Mapping[str, str]) -> None:
    known = [name for name, _, _ in _TABLE if name.startswith("LAB_")]
    for name in env:
        if not name.startswith("LAB_") or name in known or name in _TEST_NAMES:
            continue
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
        if near:
            raise SettingsError(f"{name} is not a setting.", hint=f"Did you mean {near[0]}?")


def _address(env: Mapping[str, str], name: str, *, of: str, example: str) -> str | None:
    value = env.get(name, "").strip().rstrip("/")
    if not value:
        return None
    parts = urlsplit(value)
    if parts.username or parts.password:
        raise SettingsError(
            f"{name} carries a user or password.",
            hint="Leave it out of the address: tokens and logins have variables of their own.",
        )
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise SettingsError(
            f"{name}={value!r} is not the address of {of}.",
            hint=f"Write it as {example}, or unset it.",
        )
    return value


def _search_store(env: Mapping[str, str]) -> str:
    value = env.get("LAB_SEARCH_STORE", "").strip().lower() or SEARCH_STORES[0]
    if value not in SEARCH_STORES:
        raise SettingsError(
            f"LAB_SEARCH_STORE={value!r} is no vector store.",
            hint=f"Use one of: {', '.join(SEARCH_STORES)}.",
        )
    return value


def _token(env: Mapping[str, str], name: str) -> str | None:
    value = env.get(name, "").strip()
    if any(not character.isprintable() or character.isspace() for character in value):
        # The value itself stays out of the sentence: it is a secret.
        raise SettingsError(
            f"{name} contains a space or a line break.", hint="Copy the token again, on one line."
        )
    return value or None


def _namespace(env: Mapping[str, str]) -> str | None:
    value = env.get("LAB_NAMESPACE", "").strip()
    try:
        return check_name(value, what="namespace") if value else None
    except InvalidNameError as error:
        raise SettingsError(f"LAB_NAMESPACE: {error}", hint=error.hint) from error


def _pairs(env: Mapping[str, str], name: str, *, example: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for item in _items(env, name):
        key, equals, value = (part.strip() for part in item.partition("="))
        if not (key and equals and value):
            raise SettingsError(
                f"{name} has {item!r}, which is not KEY=VALUE.",
                hint=f"Write it as {name}={example}, several with commas.",
            )
        pairs[key] = value
    return pairs


def _items(env: Mapping[str, str], name: str) -> list[str]:
    return [item for part in env.get(name, "").split(",") if (item := part.strip())]


def _models(env: Mapping[str, str]) -> dict[str, str]:
    models = _pairs(env, "LAB_MODELS", example="classify=ticket-router")
    for tab, repo in models.items():
        _check_repo(f"LAB_MODELS has {tab}={repo}", repo)
    return models


def _check_repo(where: str, repo: str) -> None:
    try:
        RepoId.parse(repo, namespace=DEFAULT_NAMESPACE)
    except InvalidNameError as error:
        raise SettingsError(f"{where}: {error}", hint=error.hint) from error


def _port(env: Mapping[str, str]) -> int:
    # What runs a Space tells its app the port by Gradio's own variable.
    given = env.get("LAB_PORT", "").strip() or env.get("GRADIO_SERVER_PORT", "").strip()
    value = given or str(DEFAULT_PORT)
    if not value.isascii() or not value.isdigit() or int(value) > 65535:
        raise SettingsError(
            f"LAB_PORT={value!r} is not a port.", hint="Use a number from 1 to 65535, or 0 for any."
        )
    return int(value)


def _count(env: Mapping[str, str], name: str, *, default: int, least: int = 0) -> int:
    value = env.get(name, "").strip() or str(default)
    if not value.isascii() or not value.isdigit() or not least <= int(value[:9]) <= MAX_COUNT:
        raise SettingsError(
            f"{name}={value!r} is not a number that can be used.",
            hint=f"Use a whole number from {least} to {MAX_COUNT}.",
        )
    return int(value)


def _users(env: Mapping[str, str]) -> dict[str, str]:
    value = env.get("LAB_AUTH", "").strip()
    if not value:
        return {}
    pairs = value.split(",") if ":" in value else _lines(value)
    users: dict[str, str] = {}
    for number, pair in enumerate(filter(None, (pair.strip() for pair in pairs)), 1):
        name, colon, password = (part.strip() for part in pair.partition(":"))
        if not (name and colon and password) or name in users:
            # Neither is quoted: what is wrong may be a password.
            raise SettingsError(
                f"LAB_AUTH: entry {number} is not name:password, or its name is there twice.",
                hint="Write it as LAB_AUTH=ada:a-long-password, or one a line in a file.",
            )
        users[name] = password
    if not users:
        # Not an open page: whoever set LAB_AUTH means to close it.
        raise SettingsError(
            "LAB_AUTH names nobody who may sign in.", hint="Add a line such as ada:a-long-password."
        )
    return users


def _lines(path: str) -> list[str]:
    try:
        lines = Path(path).expanduser().read_text("utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise SettingsError(
            "LAB_AUTH is neither name:password nor a file that can be read.",
            hint="Write it as LAB_AUTH=ada:a-long-password, or give the path of a file.",
        ) from error
    return [line for line in lines if not line.lstrip().startswith("#")]


def _flag(env: Mapping[str, str], name: str, *, default: bool) -> bool:
    value = env.get(name)
    if value is None:
        return default
    if value.strip().lower() not in _YES + _NO:
        raise SettingsError(f"{name}={value!r} is neither yes nor no.", hint="Use 1 or 0.")
    return value.strip().lower() in _YES
