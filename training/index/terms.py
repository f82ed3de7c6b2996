"""Texts as terms for the keyword index: words by their stem, writing without spaces by characters.

Words are compared without case, width and accents, and by their English (Snowball) stem where the
index was built with PyStemmer. Chinese, Japanese, Korean, Thai and other scripts that do not put
spaces between words are cut into pairs of characters, as Lucene's CJK analyser does; single
characters are indexed beside the pairs, so that a query of one finds something.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from array import array
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import lru_cache
from importlib.util import find_spec
from itertools import islice, pairwise
from typing import Any

import numpy as np

from hub_utils.errors import LabError

Span = tuple[int, int]  # characters of a text, from the first to before the second

BLOCK = 8192  # texts cut at once
LONGEST = 40  # characters of a word; what is longer is code or base64, cut there
# Han, kana, Hangul, Thai, Lao, Tibetan, Burmese, Khmer.
UNSPACED = (
    "\u0e00-\u0fff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff"
    "\u3130-\u318f\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\uff66-\uff9f"
    "\U00020000-\U0003ffff"
)
_ASCII_WORD, _NO_ASCII_WORD = re.compile("[a-z0-9]+"), "[^a-z0-9]+"
_ACCENTS = re.compile("[\u0300-\u036f]+")


class Terms:
    """Cuts texts into terms. Safe to use from several threads."""

    def __init__(self, *, stemming: bool) -> None:
        if stemming and not stemmer_available():
            raise LabError(
                "The keyword index was built with Snowball stemming; PyStemmer is missing here.",
                hint="Install it: pip install PyStemmer",
            )
        self.stemming = stemming
        self._stems: dict[str, str] = {}
        self._stemmer = _english() if stemming else None
        self._one_at_a_time = threading.Lock()  # Snowball keeps its state in the stemmer

    def of(self, text: str) -> list[str]:
        """Every term of a text that is indexed, in its order."""
        if text.isascii():
            return [self._word(word) for word in _ASCII_WORD.findall(text.lower())]
        return [term for term, _, _ in self._found(text, single_characters=True)]

    def numbered(self, texts: Iterable[str], vocabulary: dict[str, int]) -> Iterator[array[int]]:
        """Of each text the numbers of its terms, in their order. `vocabulary` gets the new terms.

        As `of` text by text, in little more than half the time: Arrow cuts what is ASCII.
        """
        remaining = iter(texts)
        while block := list(islice(remaining, BLOCK)):
            simple = self._numbered_ascii([t for t in block if t.isascii()], vocabulary)
            for text in block:
                yield next(simple) if text.isascii() else _numbers(self.of(text), vocabulary)

    def _numbered_ascii(
        self, texts: Sequence[str], vocabulary: dict[str, int]
    ) -> Iterator[array[int]]:
        import pyarrow as pa
        import pyarrow.compute as pc

        found = pc.split_pattern_regex(
            pc.ascii_lower(pa.array(texts, pa.large_string())), _NO_ASCII_WORD
        )
        words = found.flatten().dictionary_encode()
        # A text that begins or ends with another character gives an empty word there.
        numbers = np.asarray(
            [
                vocabulary.setdefault(self._word(word), len(vocabulary)) if word else -1
                for word in words.dictionary.to_pylist()
            ],
            np.int32,
        )[words.indices.to_numpy()]
        ends = np.concatenate([[0], np.cumsum(numbers >= 0)])[found.offsets.to_numpy()]
        numbers = numbers[numbers >= 0]
        for start, end in pairwise(ends):
            yield array("i", numbers[start:end].tobytes())

    def of_query(self, text: str) -> list[str]:
        """Each term to look for, once. Stop words count only where there is nothing else."""
        from bm25s.stopwords import STOPWORDS_EN

        stops = {self._word(word) for word in STOPWORDS_EN}
        terms = list(dict.fromkeys(term for term, _, _ in self._found(text)))
        return [term for term in terms if term not in stops] or terms

    def spans(self, text: str, wanted: Collection[str]) -> tuple[Span, ...]:
        """Where `text` has one of these terms; neighbours that touch are one."""
        merged: list[Span] = []
        for term, start, end in self._places(text):
            if term not in wanted:
                continue
            if merged and start <= merged[-1][1]:
                start, end = merged[-1][0], max(end, merged.pop()[1])
            merged.append((start, end))
        return tuple(merged)

    def _places(self, text: str) -> Iterator[tuple[str, int, int]]:
        """Every indexed term and where it is."""
        if not text.isascii():
            yield from self._found(text, single_characters=True)
            return
        for match in _ASCII_WORD.finditer(text.lower()):
            yield self._word(match[0]), match.start(), match.end()

    def _found(
        self, text: str, *, single_characters: bool = False
    ) -> Iterator[tuple[str, int, int]]:
        """(term, start, end) in the text's order; single characters only where they stand alone."""
        for match in _pattern().finditer(text):
            start, end = match.span()
            if match.lastgroup == "word":
                yield self._word(_plain(match[0])), start, end
                continue
            if single_characters or end - start == 1:
                for at in range(start, end):
                    yield _plain(text[at]), at, at + 1
            for at in range(start, end - 1):
                yield _plain(text[at : at + 2]), at, at + 2

    def _word(self, word: str) -> str:
        word = word[:LONGEST]
        if self._stemmer is None:
            return word
        stem = self._stems.get(word)
        if stem is None:
            with self._one_at_a_time:
                stem = self._stems[word] = self._stemmer.stemWord(word)
        return stem


def _numbers(terms: Iterable[str], vocabulary: dict[str, int]) -> array[int]:
    return array("i", [vocabulary.setdefault(term, len(vocabulary)) for term in terms])


def stemmer_available() -> bool:
    """Whether PyStemmer is installed."""
    return find_spec("Stemmer") is not None


def _english() -> Any:
    import Stemmer

    return Stemmer.Stemmer("english", 0)  # no cache of its own: ours is a dictionary


def _plain(word: str) -> str:
    """Without case, width and accents."""
    if word.isascii():
        return word.lower()
    letters = _ACCENTS.sub("", unicodedata.normalize("NFKD", word.casefold()))
    return unicodedata.normalize("NFKC", letters)


@lru_cache(maxsize=1)
def _pattern() -> re.Pattern[str]:
    """Runs of an unspaced script, or words: letters, digits and the marks that belong to them."""
    return re.compile(f"(?P<run>[{UNSPACED}]+)|(?P<word>(?:[^\\W_{UNSPACED}]|[{_marks()}])+)")


def _marks() -> str:
    """Combining marks, which Python's \\w leaves out: vowel signs of Hindi, Arabic, Hebrew, …"""
    inside = re.compile(f"[{UNSPACED}]")
    marks = (chr(code) for code in range(0x0300, 0xFFFF))
    return "".join(
        m for m in marks if unicodedata.category(m) in ("Mn", "Mc") and not inside.match(m)
    )
