"""A cheap check of a new index: is a document found again by a sentence of it?

It needs no judgements, so every build can have it. It says that the parts fit together (vectors,
keywords, passages), not how well questions are answered: a sentence that is looked for has all of
its words in the document. Of text without sentences, a run of words is taken.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from training.index.evaluate import Evaluation, Questions, ask, compare

if TYPE_CHECKING:
    from training.index.rows import PassageRows
    from training.index.search import SearchIndex

QUERIES = 100
LOOKED_AT = 5  # passages a query, at most: some are too short
LEAST, MOST = 30, 200  # characters of a sentence
RUN = 80  # characters where there are no sentences
_SENTENCE = re.compile(r"([^.!?。！？\n]+)([.!?。！？]?)")  # and its end, if it has one

KnownItems = tuple[dict[str, str], dict[str, dict[str, int]]]  # queries, judgements


def questions(index: SearchIndex, *, seed: int = 0) -> Questions | None:
    """What is asked, encoded; None if no passage is long enough."""
    queries, qrels = known_items(index.passages, seed=seed)
    return ask(index, queries, qrels) if queries else None


def check(index: SearchIndex, asked: Questions | None) -> dict[str, Evaluation]:
    """The evaluation of every mode; empty if there is nothing to ask."""
    return compare(index, asked) if asked else {}


def known_items(passages: PassageRows, *, seed: int = 0, count: int = QUERIES) -> KnownItems:
    """Up to `count` sentences of different documents, each with its document as the answer."""
    generator = np.random.default_rng(seed)
    rows = generator.permutation(len(passages))[: LOOKED_AT * count].tolist()
    queries: dict[str, str] = {}
    qrels: dict[str, dict[str, int]] = {}
    for row in rows:
        document = passages.cell(row, "document")
        query = _from_the_middle(passages.cell(row, "text"))
        if query and document not in queries and len(queries) < count:
            queries[document], qrels[document] = query, {document: 1}
    return queries, qrels


def _from_the_middle(text: str) -> str:
    """A sentence of LEAST to MOST characters, else about as many words; "" of a shorter text."""
    found = (" ".join(f"{said}{end}".split()) for said, end in _SENTENCE.findall(text) if end)
    sentences = [sentence for sentence in found if LEAST <= len(sentence) <= MOST]
    if sentences:
        return sentences[len(sentences) // 2]
    whole = " ".join(text.split())
    if len(whole) < LEAST:
        return ""
    start = max(0, len(whole) // 2 - RUN // 2)
    # Half words at both ends are cut off, where there are words.
    words = whole[start : start + RUN].split(" ")
    return " ".join(words[1:-1] if start and len(words) > 3 else words)
