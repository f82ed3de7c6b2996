"""Cut documents into passages that an encoder reads whole.

A passage ends where a paragraph does, else a sentence, else a word, and repeats a little of the one
before, so that what stands across a cut is found too. What is embedded is the title and the text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from training.index.documents import Document

BLOCK = 256  # documents cut at once: the places of all tokens would be many
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
        return embedded(self.title, self.text)


def embedded(title: str, text: str) -> str:
    """What is embedded and counted of a passage."""
    return f"{title}\n{text}" if title else text


def cut(
    documents: Sequence[Document], tokenizer: Tokenizer, *, max_tokens: int, overlap_tokens: int
) -> list[list[Passage]]:
    """Of every document its passages, none above `max_tokens` with special tokens and title.

    tokenizer: one that cuts and pads nothing; it uses all cores for texts given together.
    overlap_tokens: repeated of the passage before, at most.
    """
    found: list[list[Passage]] = []
    for at in range(0, len(documents), BLOCK):
        block = documents[at : at + BLOCK]
        found += _cut(block, tokenizer, max_tokens=max_tokens, overlap_tokens=overlap_tokens)
    return found


def _cut(
    documents: Sequence[Document], tokenizer: Tokenizer, *, max_tokens: int, overlap_tokens: int
) -> list[list[Passage]]:
    whole = max_tokens - tokenizer.num_special_tokens_to_add(is_pair=False)
    titles = [_short(d.title, tokenizer, max(1, whole // TITLE_SHARE)) for d in documents]
    windows = [max(1, whole - len(_ids(f"{t}\n", tokenizer))) if t else whole for t in titles]
    texts = _texts([document.text for document in documents], tokenizer)
    sizes = [(window, min(overlap_tokens, window // 2)) for window in windows]
    planned = [text.pieces(*size) for text, size in zip(texts, sizes, strict=True)]
    fits = _fits(documents, planned, windows, tokenizer)
    return [
        _passages(document, title, pieces if fit else text.pieces(*size, careful=True))
        for document, title, pieces, fit, text, size in zip(
            documents, titles, planned, fits, texts, sizes, strict=True
        )
    ]


def _passages(document: Document, title: str, pieces: list[tuple[int, int]]) -> list[Passage]:
    return [
        Passage(f"{document.id}#{n}", document.id, title, document.text[a:b], n, a, b)
        for n, (a, b) in enumerate(pieces)
    ]


def _fits(
    documents: Sequence[Document],
    planned: Sequence[list[tuple[int, int]]],
    windows: Sequence[int],
    tokenizer: Tokenizer,
) -> list[bool]:
    """Whether each document's pieces are within its window, each by itself."""
    texts = [d.text[a:b] for d, pieces in zip(documents, planned, strict=True) for a, b in pieces]
    counts = iter([len(ids) for ids in _all_ids(texts, tokenizer)])
    return [
        max((next(counts) for _ in pieces), default=0) <= window
        for pieces, window in zip(planned, windows, strict=True)
    ]


def _texts(texts: list[str], tokenizer: Tokenizer) -> list[_Text]:
    encoded = tokenizer.encode_batch(texts, add_special_tokens=False)
    return [
        _Text(text, found.offsets, tokenizer) for text, found in zip(texts, encoded, strict=True)
    ]


class _Text:
    """A text by its tokens, and where it may be cut."""

    def __init__(self, text: str, offsets: Sequence[tuple[int, int]], tokenizer: Tokenizer) -> None:
        self._text, self._tokenizer = text, tokenizer
        pairs = np.asarray(offsets, np.int64).reshape(-1, 2)
        self._starts = pairs[:, 0]  # (n,) characters, ascending
        # Tokens before which a piece may end, the best kind of place first.
        patterns = (_PARAGRAPH, _SENTENCE, _WORD)
        self._breaks = [self._tokens_after(pattern) for pattern in patterns]

    def pieces(self, window: int, overlap: int, *, careful: bool = False) -> list[tuple[int, int]]:
        """(start, end) in characters of pieces of at most `window` tokens, without outer space.

        careful: counts the tokens of each piece by itself, which can be more than in the text.
        """
        found, at = [], 0
        while at < len(self._starts):
            stop = self._stop(at, window)
            if careful:
                stop = self._fitting(at, stop, window)
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


def _short(title: str, tokenizer: Tokenizer, limit: int) -> str:
    """A title on one line, cut at a word where it is longer than `limit` tokens."""
    title = " ".join(title.split())
    while title and len(_ids(title, tokenizer)) > limit:
        shorter = title[: max(1, len(title) * limit // (len(_ids(title, tokenizer)) + 1))]
        title = (shorter.rsplit(" ", 1)[0] if " " in shorter else shorter).rstrip()
        if len(title) == 1:
            break
    return title


def _ids(text: str, tokenizer: Tokenizer) -> list[int]:
    return _all_ids([text], tokenizer)[0]


def _all_ids(texts: list[str], tokenizer: Tokenizer) -> list[list[int]]:
    return [found.ids for found in tokenizer.encode_batch(texts, add_special_tokens=False)]
