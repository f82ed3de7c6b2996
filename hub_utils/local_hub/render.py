"""A card's Markdown to HTML that is safe to show: what cannot do harm is kept, all else dropped.

nh3 keeps a short list of tags and attributes; `_link_filter` then decides every address. Relative
ones lead into the repository, pictures from elsewhere are not fetched, and nothing runs: the pages'
Content Security Policy forbids scripts and inline styles even if something slipped through.
"""

from __future__ import annotations

import posixpath
import re
from copy import deepcopy
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

import nh3
from markdown_it import MarkdownIt

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from markdown_it.token import Token

MAX_CARD = 400_000  # characters; what comes after is cut
ID_PREFIX = "card-"
_FRONT_MATTER = re.compile(r"\A\ufeff?---[ \t]*\r?\n.*?^---[ \t]*\r?$\n?", re.DOTALL | re.MULTILINE)
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_TAGS = nh3.ALLOWED_TAGS - {"area", "map", "article", "aside", "footer", "header", "nav", "hgroup"}
_DROPPED_WITH_CONTENT = {
    "script",
    "style",
    "iframe",
    "object",
    "noscript",
    "template",
    "svg",
    "math",
}
_ALIGN = re.compile(r"text-align:(left|right|center)")


@lru_cache(maxsize=64)
def card_html(text: str, *, files_url: str, pages_url: str) -> str:
    """A card without its front matter as sanitised HTML.

    `files_url` is where relative pictures are served from (…/resolve/REV), `pages_url` where
    relative links lead (…/blob/REV).
    """
    body = _FRONT_MATTER.sub("", text, count=1)[:MAX_CARD]
    return nh3.clean(
        _markdown(body, files_url),
        tags=_TAGS,
        clean_content_tags=_DROPPED_WITH_CONTENT,
        attributes=_attributes(),
        attribute_filter=_link_filter(files_url, pages_url),
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
        id_prefix=ID_PREFIX,
    )


def _attributes() -> dict[str, set[str]]:
    allowed = deepcopy(nh3.ALLOWED_ATTRIBUTES)
    allowed["code"] = {"class"}
    for heading in _HEADINGS:
        allowed[heading] = {"id", "align"}
    for block in ("p", "div"):
        allowed[block] = {"align"}
    return allowed


def _markdown(text: str, files_url: str) -> str:
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    tokens = parser.parse(text)
    _add_heading_ids(tokens)
    for token in tokens:
        _drop_distant_pictures(token, files_url)
        found = _ALIGN.search(str(token.attrGet("style") or ""))
        if found:  # inline styles are forbidden; the attribute says the same
            token.attrs = {"align": found[1]}
    return str(parser.renderer.render(tokens, parser.options, {}))


def _add_heading_ids(tokens: Sequence[Token]) -> None:
    seen: dict[str, int] = {}
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open":
            slug = re.sub(r"[^\w\- ]", "", inline.content.lower()).strip().replace(" ", "-")
            count = seen[slug] = seen.get(slug, -1) + 1
            opening.attrSet("id", f"{slug}-{count}" if count else slug)


def _drop_distant_pictures(token: Token, files_url: str) -> None:
    """A picture that is not in the repository (a badge, say) becomes its description."""
    for child in token.children or ():
        if child.type == "image" and _inside(files_url, str(child.attrs.get("src", ""))) is None:
            child.type, child.tag, child.children = "text", "", None


def _link_filter(files_url: str, pages_url: str) -> Callable[[str, str, str], str | None]:
    """nh3's attribute filter: returns the attribute's value, or None to drop the attribute."""

    def decide(_tag: str, attribute: str, value: str) -> str | None:
        if attribute == "src":
            return _inside(files_url, value)
        if attribute == "href":
            return _link(pages_url, value)
        if attribute == "class":
            return value if re.fullmatch(r"language-[\w+#.-]{1,40}", value) else None
        return value

    return decide


def _link(base: str, value: str) -> str | None:
    if value.startswith("#"):
        return f"#{ID_PREFIX}{value[1:]}"
    try:
        parts = urlsplit(value)
    except ValueError:
        return None
    if parts.scheme or parts.netloc:
        return value if parts.scheme in ("http", "https", "mailto") else None
    return value if value.startswith("/") else _inside(base, value)


def _inside(base: str, relative: str) -> str | None:
    """A relative address below a base, None when it is not relative or climbs out."""
    try:
        parts = urlsplit(relative.strip())
    except ValueError:
        return None
    path = posixpath.normpath(unquote(parts.path)) if parts.path else ""
    if parts.scheme or parts.netloc or not path or path.startswith(("/", "..", "\\")):
        return None
    return f"{base}/{quote(path)}"
