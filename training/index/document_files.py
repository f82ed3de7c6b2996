"""A file as a document: plain text, Markdown, HTML, PDF."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath

from training.index.documents import Document

Tell = Callable[[str], None]

_HEADING = re.compile(r"^#{1,6}[ \t]+(.+?)[ \t#]*$", re.MULTILINE)
_CHARSET = re.compile(rb"<meta[^>]{0,100}?charset\s*=\s*[\"']?([\w-]{1,40})", re.IGNORECASE)
_SPACES = re.compile(r"[ \t\r\f\v]+")
_BLANK_LINES = re.compile(r" ?\n[ \n]*\n ?")
# Elements whose contents nobody reads, and those that stand on lines of their own.
_UNREAD = {"script", "style", "noscript", "template", "svg", "head"}
_BLOCKS = {
    "address", "article", "aside", "blockquote", "dd", "div", "dl", "dt", "figcaption", "figure",
    "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav", "ol",
    "p", "pre", "section", "table", "tr", "ul",
}  # fmt: skip


class _UnreadableError(Exception):
    """Why a file has no text for us."""


def read_file(path: Path, name: str, tell: Tell) -> Iterator[Document]:
    """The document in a file, or none, with the reason told. `name`: its path in the folder."""
    try:
        title, text = _READERS[path.suffix.lower()](path)
    except (_UnreadableError, OSError) as error:
        tell(f"{name} was left out: {getattr(error, 'strerror', None) or error}.")
        return
    folder = PurePosixPath(name).parent.as_posix()
    metadata: dict[str, str | int | float | bool] = {} if folder == "." else {"folder": folder}
    yield Document(id=name, title=title or path.stem, text=text, metadata=metadata)


def _plain(path: Path) -> tuple[str, str]:
    return "", _decoded(path.read_bytes())


def _markdown(path: Path) -> tuple[str, str]:
    text = _decoded(path.read_bytes())
    heading = _HEADING.search(text)
    return (heading[1] if heading else ""), text


def _html(path: Path) -> tuple[str, str]:
    content = path.read_bytes()
    charset = _CHARSET.search(content[:2048])
    page = _Page()
    page.feed(_decoded(content, charset[1].decode("ascii") if charset else "utf-8"))
    page.close()
    return page.title, page.text


def _pdf(path: Path) -> tuple[str, str]:
    from pypdf import PdfReader

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            reader = PdfReader(path)
            locked = reader.is_encrypted and not reader.decrypt("")
            pages = [] if locked else [page.extract_text() for page in reader.pages]
            title = "" if locked else str((reader.metadata and reader.metadata.title) or "")
        except Exception as error:  # a broken PDF fails in any way there is
            raise _UnreadableError("it is no PDF that can be read") from error
    if locked:
        raise _UnreadableError("it is locked with a password")
    text = "\n\n".join(page.strip() for page in pages if page.strip())
    if not text:
        raise _UnreadableError("the PDF has no text; scanned pages must go through OCR first")
    return title.strip(), text


def _decoded(content: bytes, encoding: str = "utf-8") -> str:
    try:
        text = content.decode("utf-8-sig" if encoding.lower() == "utf-8" else encoding)
    except (UnicodeDecodeError, LookupError):
        raise _UnreadableError(f"it is not {encoding} text") from None
    if "\0" in text:
        raise _UnreadableError("it is binary")
    return text.replace("\r\n", "\n")


class _Page(HTMLParser):
    """Collects what a reader of the page would see."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._pieces: list[str] = []
        self._title: list[str] = []
        self._unread = 0
        self._in_title = False

    def handle_starttag(self, tag: str, _attributes: list[tuple[str, str | None]]) -> None:
        """Enter an element."""
        self._in_title = tag == "title"
        self._unread += tag in _UNREAD
        if tag in _BLOCKS:
            self._pieces.append("\n\n")
        elif tag == "br":
            self._pieces.append("\n")

    def handle_endtag(self, tag: str) -> None:
        """Leave an element."""
        self._in_title = False
        if tag in _UNREAD and self._unread:
            self._unread -= 1
        if tag in _BLOCKS:
            self._pieces.append("\n\n")

    def handle_data(self, data: str) -> None:
        """Text: line ends in the source are spaces on the page."""
        if self._in_title:
            self._title.append(data)
        elif not self._unread:
            self._pieces.append(data.replace("\n", " "))

    @property
    def title(self) -> str:
        """The page's title on one line."""
        return " ".join("".join(self._title).split())

    @property
    def text(self) -> str:
        """The text, paragraphs apart by an empty line."""
        text = _SPACES.sub(" ", "".join(self._pieces))
        return _BLANK_LINES.sub("\n\n", text).strip()


_READERS: dict[str, Callable[[Path], tuple[str, str]]] = {
    ".txt": _plain,
    ".md": _markdown,
    ".html": _html,
    ".htm": _html,
    ".pdf": _pdf,
}
