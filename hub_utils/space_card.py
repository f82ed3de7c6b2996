"""The front matter of a Space's card: which fields the Hub documents, and what each may hold.

    content = read_front_matter(text, where=path)   raises BundleError naming field, value and fix

The Hub answers a wrong field with a page that says "configuration error", after the upload. This
says it before, in a sentence. A new field is a row in FIELDS.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from hub_utils.errors import BundleError, InvalidNameError
from hub_utils.names import RepoId

COLORS = ("red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray")
SDKS = ("gradio", "docker", "static")
FLAVORS = (
    *("cpu-basic", "cpu-upgrade", "zero-a10g", "t4-small", "t4-medium", "l4x1", "l4x4"),
    *("l40sx1", "l40sx4", "l40sx8", "a10g-small", "a10g-large", "a10g-largex2", "a10g-largex4"),
    *("a100-large", "a100x4", "a100x8"),
)
HEADERS = (
    "cross-origin-embedder-policy", "cross-origin-opener-policy", "cross-origin-resource-policy",
)  # fmt: skip
MAX_DESCRIPTION = 60  # characters of short_description
MAX_PRELOADED = 10  # repositories
MAX_LOGIN_MINUTES = 43_200

Check = Callable[[Any], str]  # what is expected; empty if the value is that


def read_front_matter(text: str, *, where: Path) -> dict[str, Any]:
    """The checked front matter of a card. `where` is its file, for the sentence."""
    import yaml

    from hub_utils.cards import split_card

    try:
        content = yaml.safe_load(split_card(text)[0])
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" in line {mark.line + 2}" if mark else ""  # the first line is ---
        raise BundleError(
            f"The front matter of {where} is not YAML{line}.",
            hint="Correct it; quote texts with a colon or a #.",
        ) from error
    if not isinstance(content, dict):
        raise BundleError(
            f"{where} has no front matter.", hint="Begin it with --- lines, as spaces/lab does."
        )
    check_front_matter(content, where=where)
    return content


def check_front_matter(content: Mapping[str, Any], *, where: Path) -> None:
    """Raise BundleError for the first field that the Hub does not know, or whose value is wrong.

    A field without a value counts as not there.
    """
    for name, value in content.items():
        if name not in FIELDS:
            near = difflib.get_close_matches(str(name), FIELDS, n=1)
            raise BundleError(
                f"{where} has {str(name)!r} in its front matter, which is no field of a Space.",
                hint=f"Did you mean {near[0]}?" if near else "Remove it.",
            )
        expected = FIELDS[name](value) if value is not None else ""
        if expected:
            raise BundleError(f"{where} has {name}: {_shown(value)}.", hint=f"Write {expected}.")


def _text(value: Any) -> str:
    return "" if isinstance(value, str) and value.strip() else "some text"


def _flag(value: Any) -> str:
    return "" if isinstance(value, bool) else "true or false"


def _whole(least: int, most: int) -> Check:
    def check(value: Any) -> str:
        whole = isinstance(value, int) and not isinstance(value, bool)
        return "" if whole and least <= value <= most else f"a number from {least} to {most}"

    return check


def _one_of(*allowed: str) -> Check:
    def check(value: Any) -> str:
        if value in allowed:
            return ""
        near = difflib.get_close_matches(str(value), allowed, n=1)
        return near[0] if near else f"one of {', '.join(allowed)}"

    return check


def _like(pattern: str, example: str) -> Check:
    """A text of that form. A number is none: YAML reads 3.10 as 3.1."""

    def check(value: Any) -> str:
        right = isinstance(value, str) and re.fullmatch(pattern, value)
        return "" if right else f"it in quotes, like {example!r}"

    return check


def _list_of(check_one: Check, what: str, *, most: int | None = None) -> Check:
    def check(value: Any) -> str:
        if not isinstance(value, list) or any(check_one(item) for item in value):
            return f"a list of {what}, one a line after a -"
        too_many = most is not None and len(value) > most
        return f"at most {most} lines" if too_many else ""

    return check


def _emoji(value: Any) -> str:
    kinds = [unicodedata.category(character) for character in value] if _is_text(value) else []
    picture = any(kind in ("So", "Me") for kind in kinds)  # a symbol, or a keycap
    return "" if picture and not any(kind[0] in "LZ" for kind in kinds) else "one emoji"


def _described(value: Any) -> str:
    short = _is_text(value) and len(value) <= MAX_DESCRIPTION
    return "" if short else f"a text of at most {MAX_DESCRIPTION} characters"


def _path_inside(value: Any) -> str:
    inside = (
        _is_text(value) and not value.startswith("/") and ".." not in PurePosixPath(value).parts
    )
    return "" if inside else "a path inside the Space, like app.py"


def _repository(value: Any) -> str:
    try:
        RepoId.parse(str(value), namespace="any")
    except InvalidNameError:
        return "an id"
    return "" if isinstance(value, str) else "an id"


def _preloaded(value: Any) -> str:
    parts = value.split(" ") if isinstance(value, str) else []
    right = 1 <= len(parts) <= 3 and all(parts) and not _repository(parts[0])
    pinned = len(parts) < 3 or re.fullmatch(r"[0-9a-f]{40}", parts[2])
    return "" if right and pinned else "a repository"


def _headers(value: Any) -> str:
    right = isinstance(value, dict) and all(
        str(name).lower() in HEADERS and isinstance(text, str) for name, text in value.items()
    )
    return "" if right else f"a mapping with texts for {', '.join(HEADERS)}"


def _organisations(value: Any) -> str:
    return _text(value) and _list_of(_text, "organisations")(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _shown(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 80 else f"{text[:80]}…"


_ids = _list_of(_repository, "ids of repositories")
_tags = _list_of(_text, "texts")

# What the Hub's configuration reference documents, and license, which every card may have.
FIELDS: Mapping[str, Check] = {
    "title": _text,
    "emoji": _emoji,
    "colorFrom": _one_of(*COLORS),
    "colorTo": _one_of(*COLORS),
    "sdk": _one_of(*SDKS),
    "sdk_version": _like(r"\d+\.\d+(\.\d+)?[a-z0-9.]*", "6.31.0"),
    "python_version": _like(r"3\.\d{1,2}(\.\d{1,2})?", "3.12"),
    "suggested_hardware": _one_of(*FLAVORS),
    "suggested_storage": _one_of("small", "medium", "large"),
    "app_file": _path_inside,
    "app_build_command": _text,
    "app_port": _whole(1, 65_535),
    "base_path": _like(r"/\S*", "/docs"),
    "fullWidth": _flag,
    "header": _one_of("default", "mini"),
    "short_description": _described,
    "models": _ids,
    "datasets": _ids,
    "tags": _tags,
    "thumbnail": _like(r"https?://\S+|[\w./-]+", "https://example.com/picture.png"),
    "pinned": _flag,
    "hf_oauth": _flag,
    "hf_oauth_scopes": _list_of(_like(r"[a-z-]+", "email"), "scopes"),
    "hf_oauth_expiration_minutes": _whole(1, MAX_LOGIN_MINUTES),
    "hf_oauth_authorized_org": _organisations,
    "disable_embedding": _flag,
    "startup_duration_timeout": _like(r"\d+(\.\d+)? ?(s|m|h|seconds?|minutes?|hours?)", "30m"),
    "custom_headers": _headers,
    "preload_from_hub": _list_of(_preloaded, "REPOSITORY FILE,FILE COMMIT", most=MAX_PRELOADED),
    "license": _text,
}
