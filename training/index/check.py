"""A cheap check of a new index: is a passage's document found again by one of its sentences?

It needs no judgements, so every build can have it. It says that the parts fit together (vectors,
keywords, passages), not how well questions are answered: a sentence that is looked for has all of
its words in the document.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from training.index.evaluate import Evaluation, compare

if TYPE_CHECKING:
    from training.index.rows import PassageRows
    from training.index.search import SearchIndex

QUERIES = 100
LOOKED_AT = 5  # passages a query, at most: some hold no fitting sentence
LEAST, MOST = 30, 200  # characters of a sentence
_SENTENCE = re.compile(r"[^.!?。！？\n]+[.!?。！？]")

KnownItems = tuple[dict[str, str], dict[str, dict[str, int]]]  # queries, judgements


def check(index: SearchIndex, *, seed: int = 0) -> dict[str, Evaluation]:
    """The evaluation of every mode; empty if the passages hold no sentences."""
    queries, qrels = known_items(index.passages, seed=seed)
    return compare(index, queries, qrels, timed=0) if queries else {}


def known_items(passages: PassageRows, *, seed: int = 0, count: int = QUERIES) -> KnownItems:
    """Up to `count` sentences of different documents, each with its document as the answer."""
    generator = np.random.default_rng(seed)
    rows = generator.permutation(len(passages))[: LOOKED_AT * count].tolist()
    queries: dict[str, str] = {}
    qrels: dict[str, dict[str, int]] = {}
    for row in rows:
        document = passages.cell(row, "document")
        sentences = _sentences(passages.cell(row, "text"))
        if sentences and document not in queries and len(queries) < count:
            queries[document] = sentences[len(sentences) // 2]
            qrels[document] = {document: 1}
    return queries, qrels


def _sentences(text: str) -> list[str]:
    found = (" ".join(match.split()) for match in _SENTENCE.findall(text))
    return [sentence for sentence in found if LEAST <= len(sentence) <= MOST]
