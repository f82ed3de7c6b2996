"""Which files travel through LFS and which are ignored, by the repository's own rules. Pure."""

from __future__ import annotations

import codecs
import io
from collections.abc import Callable

from dulwich.attrs import GitAttributes, Pattern, parse_git_attributes
from dulwich.ignore import IgnoreFilter, read_ignore_patterns

from .payload import MAX_REGULAR_BYTES

LargeRule = Callable[[str, int, bytes], bool]


def large_rule(gitattributes: bytes) -> LargeRule:
    """Whether a file of this path, size in bytes and first bytes goes to LFS.

    `.gitattributes` decides first; then size; then whether it is text, as git cannot compare
    binary contents.
    """
    parsed = parse_git_attributes(io.BytesIO(gitattributes))
    attributes = GitAttributes([(Pattern(pattern), values) for pattern, values in parsed])

    def is_large(path: str, size: int, sample: bytes) -> bool:
        rule = attributes.match_path(path.encode()).get(b"filter")
        return rule == b"lfs" or size > MAX_REGULAR_BYTES or not is_text(sample)

    return is_large


def ignore_rule(gitignore: bytes) -> Callable[[str], bool]:
    """Whether `.gitignore` leaves a path out."""
    ignored = IgnoreFilter(read_ignore_patterns(io.BytesIO(gitignore)))
    return lambda path: bool(ignored.is_ignored(path))


def is_text(sample: bytes) -> bool:
    """Whether the first bytes of a file read as text; a letter cut at their end is fine."""
    if b"\0" in sample:
        return False
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        return False
    return True
