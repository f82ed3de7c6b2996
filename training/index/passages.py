"""Cut documents into passages that an encoder reads whole.

A passage ends where a paragraph does, else a sentence, else a word, and repeats a little of the one
before, so that what stands across a cut is found too. What is embedded is the title and the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from training.index.documents import Document

TITLE_SHARE = 4  # a title may take a quarter of the window
_PARAGRAPH = re.compile(r"\n[ \t\r]*\n\s*")
_SENTENCE = re.compile(r"[.!?…]+[\"'”’)\]]*\s+|[。！？…]+[”’」』）]*\s*")
_WORD = re.compile(r"\s+")


@dataclass(frozen=True)
class Passage:
    """A piece of a document: text == document.text[start:end]."""

    id: str  # document#number
    document: str
    title: str
    text: str
    number: int  # in its document, from 0
    start: int  # characters
    end: int

    @property
    def embedded(self) -> str:
        """What an encoder is given."""
        return f"{self.title}\n{self.text}" if self.title else self.text


def cut(
    document: Document, tokenizer: Any, *, max_tokens: int, overlap_tokens: int
) -> list[Passage]:
    """The passages of a document, none above `max_tokens` with special tokens and title.

    tokenizer: a fast one of transformers. overlap_tokens: repeated of the passage before, at most.
    """
    window = max_tokens - tokenizer.num_special_tokens_to_add()
    title = _short(document.title, tokenizer, max(1, window // TITLE_SHARE))
    if title:
        window -= len(_ids(f"{title}\n", tokenizer))
    text = _Text(document.text, tokenizer)
    pieces = text.pieces(max(1, window), min(overlap_tokens, window // 2))
    return [
        Passage(f"{document.id}#{n}", document.id, title, document.text[a:b], n, a, b)
        for n, (a, b) in enumerate(pieces)
    ]


class _Text:
    """A text by its tokens, and where it may be cut."""

    def __init__(self, text: str, tokenizer: Any) -> None:
        self._text, self._tokenizer = text, tokenizer
        encoded = tokenizer(
            text, add_special_tokens=False, return_offsets_mapping=True, verbose=False
        )
        offsets = np.asarray(encoded["offset_mapping"], np.int64).reshape(-1, 2)
        self._starts = offsets[:, 0]  # (n,) characters, ascending
        # Tokens before which a piece may end, the best kind of place first.
        patterns = (_PARAGRAPH, _SENTENCE, _WORD)
        self._breaks = [self._tokens_after(pattern) for pattern in patterns]

    def pieces(self, window: int, overlap: int) -> list[tuple[int, int]]:
        """(start, end) in characters of pieces of at most `window` tokens, without outer space."""
        found, at = [], 0
        while at < len(self._starts):
            stop = self._fitting(at, self._stop(at, window), window)
            piece = self._stripped(self._place(at), self._place(stop))
            if piece[0] < piece[1]:
                found.append(piece)
            if stop >= len(self._starts):
                break
            at = self._next(at, stop, overlap)
        return found

    def _tokens_after(self, pattern: re.Pattern[str]) -> np.ndarray:
        ends = [match.end() for match in pattern.finditer(self._text)]
        return np.unique(np.searchsorted(self._starts, np.asarray(ends, np.int64)))

    def _place(self, token: int) -> int:
        """Where a token begins; the first takes what stands before it, too."""
        if token >= len(self._starts):
            return len(self._text)
        return int(self._starts[token]) if token else 0

    def _stop(self, at: int, window: int) -> int:
        """The token before which a piece that starts at `at` ends: a good place, half full."""
        limit = at + window
        if limit >= len(self._starts):
            return len(self._starts)
        for places in self._breaks:
            before = int(np.searchsorted(places, limit, "right"))
            if before and places[before - 1] > at + window // 2:
                return int(places[before - 1])
        return limit

    def _fitting(self, at: int, stop: int, window: int) -> int:
        """`stop`, or earlier: a piece by itself may come to more tokens than inside the text."""
        while stop - at > 1:
            start, end = self._stripped(self._place(at), self._place(stop))
            excess = len(_ids(self._text[start:end], self._tokenizer)) - window
            if excess <= 0:
                return stop
            stop = max(at + 1, stop - excess)
        return stop

    def _next(self, at: int, stop: int, overlap: int) -> int:
        """Where the next piece starts: at a sentence or a word at most `overlap` tokens back."""
        earliest = max(at + 1, stop - overlap)
        for places in self._breaks[1:]:
            first = int(np.searchsorted(places, earliest))
            if first < len(places) and places[first] < stop:
                return int(places[first])
        return stop

    def _stripped(self, start: int, end: int) -> tuple[int, int]:
        text = self._text[start:end]
        left = len(text) - len(text.lstrip())
        return start + left, max(start + left, start + len(text.rstrip()))


def _short(title: str, tokenizer: Any, limit: int) -> str:
    """A title on one line, cut at a word where it is longer than `limit` tokens."""
    title = " ".join(title.split())
    while title and len(_ids(title, tokenizer)) > limit:
        shorter = title[: max(1, len(title) * limit // (len(_ids(title, tokenizer)) + 1))]
        title = (shorter.rsplit(" ", 1)[0] if " " in shorter else shorter).rstrip()
        if len(title) == 1:
            break
    return title


def _ids(text: str, tokenizer: Any) -> list[int]:
    ids: list[int] = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
    return ids
