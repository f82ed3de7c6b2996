"""The keyword index: BM25 by bm25s, in one file of plain arrays that is read as a memory map.

keywords = KeywordIndex.build(["First passage …", "Second passage …"])
keywords.save(folder)                                # folder/index.safetensors
rows, scores = KeywordIndex.load(folder).search("passage", 10)

BM25's weights are computed when the index is built, so a query only adds up the columns of its
terms (Lù 2024, https://arxiv.org/abs/2407.03618). The same passages give the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hub_utils.errors import LabError
from training.index.term_counts import Counted, blocks, joined
from training.index.terms import Span, Terms, stemmer_available

FILE = "index.safetensors"
FORMAT = 1
METHOD, K1, B = "lucene", 1.5, 0.75  # bm25s's own


class KeywordIndex:
    """BM25 over passages by their row. Safe to use from several threads."""

    def __init__(self, arrays: dict[str, np.ndarray], *, passages: int, stemming: bool) -> None:
        self.passages, self.stemming = passages, stemming
        self._arrays = arrays
        self._terms = Terms(stemming=stemming)
        self._bm25 = _scorer(arrays, passages)
        words = arrays["vocabulary"].tobytes().decode("utf-8").split("\n")
        self._columns = {word: column for column, word in enumerate(words) if word}

    @classmethod
    def build(cls, texts: Iterable[str], *, stemming: bool | None = None) -> KeywordIndex:
        """Index passages, a row each. stemming: None means where PyStemmer is installed."""
        stemming = stemmer_available() if stemming is None else stemming
        terms, vocabulary = Terms(stemming=stemming), dict[str, int]()
        counted = joined(blocks(terms.numbered(texts, vocabulary)))
        return cls.of(counted, vocabulary, stemming=stemming)

    @classmethod
    def of(cls, counted: Counted, vocabulary: Mapping[str, int], *, stemming: bool) -> KeywordIndex:
        """Index passages by their terms. vocabulary: of all numbers; it may have more."""
        arrays = _weighted(counted, vocabulary)
        return cls(arrays, passages=len(counted.lengths), stemming=stemming)

    @classmethod
    def load(cls, folder: Path) -> KeywordIndex:
        """Open what `save` wrote; nothing is unpickled. Raises LabError if it cannot be used."""
        path = folder / FILE
        try:
            arrays, settings = _mapped(path)
            kept = {name: arrays[name] for name in ("data", "indices", "indptr", "vocabulary")}
            form, passages = settings["format"], int(settings["passages"])
            stemming = bool(settings["stemming"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise LabError(
                f"The keyword index {path.name} cannot be read ({type(error).__name__}: {error}).",
                hint="Download the index again, or build it again.",
            ) from error
        if form != FORMAT:
            raise LabError(
                f"The keyword index has format {form}; this version reads format {FORMAT}.",
                hint="Build the index again, or use the version of the lab that built it.",
            )
        return cls(kept, passages=passages, stemming=stemming)

    def save(self, folder: Path) -> Path:
        """Write the index into `folder`, the same bytes for the same passages."""
        from safetensors.numpy import save_file

        folder.mkdir(parents=True, exist_ok=True)
        settings = {
            "format": FORMAT,
            "passages": self.passages,
            "stemming": self.stemming,
            "method": METHOD,
            "k1": K1,
            "b": B,
        }
        # One entry: safetensors writes several in no certain order.
        save_file(self._arrays, folder / FILE, metadata={"settings": json.dumps(settings)})
        return folder / FILE

    def search(
        self, query: str, k: int, *, allowed: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """(rows int64, scores float32), best first, of at most k passages that have a term.

        allowed: (n,) row numbers to choose from. Equal scores stand in the rows' order.
        """
        known = [self._columns[term] for term in self.terms(query) if term in self._columns]
        if not known or k <= 0:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        scores = self._bm25.get_scores_from_ids(known)
        rows = None if allowed is None else np.unique(np.asarray(allowed, np.int64))
        best = _best(scores if rows is None else scores[rows], k)
        rows = best if rows is None else rows[best]
        return rows, scores[rows]

    def terms(self, query: str) -> list[str]:
        """What `search` looks for."""
        return self._terms.of_query(query)

    def spans(self, text: str, terms: Iterable[str]) -> tuple[Span, ...]:
        """Where `text` has one of these terms, to highlight it: (start, end) characters."""
        return self._terms.spans(text, frozenset(terms))


def _weighted(counted: Counted, vocabulary: Mapping[str, int]) -> dict[str, np.ndarray]:
    """The sparse matrix of BM25 weights: a column for each term, in alphabetical order.

    The same bytes as bm25s's own `index`, which goes through the passages one by one: here a block
    of them is counted at once, in a fifth of the time.
    """
    from scipy.sparse import csc_matrix

    words, terms = _alphabetical(counted.terms, list(vocabulary))
    frequencies = np.bincount(terms, minlength=len(words))
    values = _weights(counted, terms, frequencies)
    shape = (len(counted.lengths), len(words))
    matrix = csc_matrix((values, (counted.rows, terms)), shape=shape)
    return {
        "data": matrix.data,
        "indices": matrix.indices.astype(np.int32, copy=False),
        "indptr": matrix.indptr.astype(np.int64, copy=False),
        "vocabulary": np.frombuffer("\n".join(words).encode("utf-8"), np.uint8),
    }


def _alphabetical(numbers: np.ndarray, names: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """The words that occur, in order, and (m,) their places there for the (m,) `numbers`.

    How terms were numbered depends on what was counted before; the file must not.
    """
    present = np.flatnonzero(np.bincount(numbers, minlength=len(names))).tolist()
    order = sorted(present, key=names.__getitem__)
    places = np.zeros(len(names), np.int32)
    places[order] = np.arange(len(order))
    return [names[number] for number in order], places[numbers]


def _weights(counted: Counted, terms: np.ndarray, frequencies: np.ndarray) -> np.ndarray:
    """(m,) float32 BM25 weights by bm25s's formulas, which take whole arrays.

    terms: (m,) columns of the counted pairs. frequencies: (t,) passages that have a term.
    """
    from bm25s.scoring import _score_idf_lucene, _score_tfc_lucene

    if not len(terms):
        return np.empty(0, np.float32)
    lengths = counted.lengths
    counts, each = np.unique(frequencies, return_inverse=True)  # most terms are rare alike
    rarity = [_score_idf_lucene(count, len(lengths)) for count in counts.tolist()]
    of_pair = np.repeat(lengths, counted.distinct)
    share = _score_tfc_lucene(counted.times, of_pair, lengths.mean(), K1, B)
    weights: np.ndarray = (np.asarray(rarity, np.float32)[each][terms] * share).astype(np.float32)
    return weights


def _scorer(arrays: dict[str, np.ndarray], passages: int) -> Any:
    """bm25s over these arrays."""
    from bm25s import BM25

    bm25 = BM25(k1=K1, b=B, method=METHOD)
    bm25.scores = {name: arrays[name] for name in ("data", "indices", "indptr")}
    bm25.scores["num_docs"] = passages
    bm25.nonoccurrence_array = None
    return bm25


def _best(scores: np.ndarray, k: int) -> np.ndarray:
    """Places of the k highest scores above zero, best first; ties in their order."""
    lowest = np.partition(scores, -k)[-k] if k < len(scores) else 0.0
    places = np.flatnonzero((scores >= lowest) & (scores > 0))
    return places[np.argsort(-scores[places], kind="stable")][:k]


def _mapped(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays of a safetensors file as memory maps, and the settings kept in its header."""
    kinds = {"F32": np.float32, "I32": np.int32, "I64": np.int64, "U8": np.uint8}
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        if size > path.stat().st_size:
            raise ValueError("its header is cut off")
        header = json.loads(file.read(size))
    whole = np.memmap(path, np.uint8, "r")[8 + size :]
    settings = json.loads(header.pop("__metadata__")["settings"])
    arrays = {}
    for name, entry in header.items():
        start, end = entry["data_offsets"]
        if end > len(whole):
            raise ValueError("it is cut off")
        arrays[name] = whole[start:end].view(kinds[entry["dtype"]]).reshape(entry["shape"])
    return arrays, settings
