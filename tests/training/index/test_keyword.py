"""The keyword index: bm25s's weights, however its terms were counted."""

from array import array

import numpy as np
import pytest
from bm25s import BM25

from training.index import keyword, term_counts
from training.index.keyword import KeywordIndex
from training.index.terms import Terms

TEXTS = [
    "Moon and moon rocket",
    "",
    "The rocket of bread",
    "bread, bread, bread",
    "",
    "a moon ★ ñandú",
]


@pytest.mark.parametrize("block", [1, 4, 100])
def test_the_weights_are_those_of_bm25s_byte_for_byte(monkeypatch, block):
    monkeypatch.setattr(term_counts, "BLOCK", block)
    # A first time, to know the words: columns stand in alphabetical order.
    seen: dict[str, int] = {}
    list(Terms(stemming=True).numbered(TEXTS, seen))
    vocabulary = {word: number for number, word in enumerate(sorted(seen))}
    columns: list[array] = list(Terms(stemming=True).numbered(TEXTS, vocabulary))
    stock = BM25(k1=keyword.K1, b=keyword.B, method=keyword.METHOD)
    stock.index((columns, vocabulary), create_empty_token=False, show_progress=False)
    ours = KeywordIndex.build(TEXTS, stemming=True)
    for name in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(ours._arrays[name], stock.scores[name], strict=name == "data")


@pytest.mark.parametrize("texts", [[], [""], ["", "…"]])
def test_passages_without_words_are_an_index_that_finds_nothing(texts, tmp_path):
    KeywordIndex.build(texts).save(tmp_path)
    rows, scores = KeywordIndex.load(tmp_path).search("moon", 10)
    assert (len(rows), len(scores)) == (0, 0)
