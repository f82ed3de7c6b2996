"""From a finished run to a repository: the folder's files, the push, pieces of the card."""

from __future__ import annotations

import html
import json
import re
import shutil
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub_utils.names import RepoId
from training.shared.progress import Progress

if TYPE_CHECKING:
    from hub_utils.connection import Hub

# Control characters, and those that turn the direction of a text.
_INVISIBLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_MARKUP = re.compile(r"([\\`*_\[\]|~$])")
_LINE_START = re.compile(r"^(\d*)([#+=.)-])")  # headings, lists, rules


def empty(folder: Path) -> None:
    """Make `folder` an empty one."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Figures for programs."""
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", "utf-8")


def versions(libraries: Iterable[str]) -> dict[str, str]:
    """The installed version of each library."""
    return {name: version(name) for name in libraries}


def table_cell(text: str) -> str:
    """`text` on one line, safe inside a Markdown table."""
    return " ".join(text.replace("|", "\\|").split())


def plain_markdown(text: str) -> str:
    """Any text as Markdown that shows it letter by letter: no tag, link, picture or heading.

    Line ends stay line ends, and spaces at the start of a line stay.
    """
    lines = [_plain_line(line) for line in text.split("\n")]
    # A backslash at its end breaks a line inside a paragraph.
    return "\n".join(
        f"{line}\\" if line and after else line
        for line, after in zip(lines, [*lines[1:], ""], strict=True)
    )


def _plain_line(line: str) -> str:
    line = _INVISIBLE.sub("", line.replace("\t", "    ")).rstrip()
    text = line.lstrip(" ")
    escaped = html.escape(text, quote=False)
    escaped = _MARKUP.sub(r"\\\1", escaped).replace("://", "\\://")
    escaped = _LINE_START.sub(r"\1\\\2", escaped)
    return "&nbsp;" * (len(line) - len(text)) + escaped


def publish(
    folder: Path, repo: RepoId, *, hub: Hub | None, message: str, progress: Progress
) -> dict[str, str | None]:
    """Push the folder, unless `hub` is None; where it is then, for the run's figures."""
    revision, url = None, None
    if hub is not None:
        from hub_utils.push import push_folder

        progress.say("publish", f"{repo} on {hub.endpoint}")
        pushed = push_folder(folder, repo, hub=hub, message=message)
        revision, url = pushed.revision, pushed.url
    progress.say("done", f"{repo}: {url or folder}")
    return {"revision": revision, "url": url, "folder": str(folder)}
