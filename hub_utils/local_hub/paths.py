"""Names and paths from outside, checked before anything touches the disk. Pure."""

from __future__ import annotations

import re

from .errors import BadRequest
from .records import REPO_TYPES, RepoKey

MAX_NAME, MAX_PATH, MAX_SEGMENT = 96, 1024, 255
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_BAD_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//")
_HEX = re.compile(r"[0-9a-f]{7,40}")


def repo_key(repo_type: str, namespace: str, name: str) -> RepoKey:
    """A checked key; `repo_type` is singular or plural.

    Raises:
        BadRequest: the type is unknown, or a part of the id is not a name.
    """
    kind = repo_type.removesuffix("s")
    if kind not in REPO_TYPES:
        raise BadRequest(f"{shown(repo_type)} is no repository type; use model, dataset or space.")
    return RepoKey(kind, f"{check_name(namespace)}/{check_name(name)}")


def check_name(name: str) -> str:
    """A namespace or a repository's name, unchanged.

    Raises:
        BadRequest: letters, digits, `-`, `_` and `.` only; no `..`, `--`, `.git` or `.ipynb` end.
    """
    bad_end = name.lower().endswith((".git", ".ipynb"))
    if not _NAME.fullmatch(name) or len(name) > MAX_NAME or bad_end or ".." in name or "--" in name:
        raise BadRequest(
            f"{shown(name)} is no valid name: use up to {MAX_NAME} letters, digits, '-', '_' and "
            "'.', without '--' or '..', not starting or ending with '-' or '.', nor ending in "
            "'.git' or '.ipynb'."
        )
    return name


def check_path(path: str) -> str:
    """A file's or folder's path inside a repository, without a trailing slash.

    Raises:
        BadRequest: absolute, empty, too long, or with a part that git or a disk could misread.
    """
    clean = path.removesuffix("/")
    parts = clean.split("/")
    if _CONTROL.search(path) or "\\" in path or len(path.encode("utf-8", "replace")) > MAX_PATH:
        raise BadRequest(f"{shown(path)} is no valid path: no control characters or backslashes.")
    if not clean or any(part in ("", ".", "..") or _is_git(part) for part in parts):
        raise BadRequest(
            f"{shown(path)} is no valid path: it must be relative, without '.', '..' or '.git'."
        )
    if any(len(part.encode("utf-8", "replace")) > MAX_SEGMENT for part in parts):
        raise BadRequest(f"{shown(path)} has a part longer than {MAX_SEGMENT} bytes.")
    return _utf8(clean)


def _is_git(part: str) -> bool:
    # Windows and macOS also read these as .git, see git's verify_path.
    return part.lower().rstrip(". ") in (".git", "git~1")


def check_ref_name(name: str) -> str:
    """A new branch's or tag's name, by the rules of git-check-ref-format.

    Raises:
        BadRequest: git could not store it, or it would read as a commit.
    """
    parts = name.split("/")
    bad = any(not p or p[0] in ".-" or p.endswith((".lock", ".")) for p in parts)
    if bad or _BAD_REF.search(name) or name == "@" or len(name.encode("utf-8", "replace")) > 200:
        raise BadRequest(f"{shown(name)} is no valid branch or tag name.")
    if name.startswith("refs/") or re.fullmatch(r"[0-9a-f]{40}", name) or name == "HEAD":
        raise BadRequest(f"{shown(name)} is reserved; choose another branch or tag name.")
    return _utf8(name)


def is_commit_like(revision: str) -> bool:
    """Whether a revision could be a commit's id or the start of one."""
    return bool(_HEX.fullmatch(revision))


def is_sha256(text: object) -> bool:
    """Whether a text is a SHA-256 in lower-case hex."""
    return isinstance(text, str) and bool(re.fullmatch(r"[0-9a-f]{64}", text))


def shown(text: str) -> str:
    """Input made safe to echo: quoted, shortened, without control characters."""
    clean = _CONTROL.sub("�", text).encode("utf-8", "replace").decode("utf-8")
    return f"'{clean[:80]}…'" if len(clean) > 80 else f"'{clean}'"


def _utf8(text: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise BadRequest(f"{shown(text)} is not valid Unicode.") from error
    return text
