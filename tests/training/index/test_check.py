"""The check of a new index: what it asks for."""

import pyarrow as pa
import pytest

from training.index.check import LEAST, MOST, known_items
from training.index.rows import PassageRows


def passages(texts):
    texts = list(texts)
    return PassageRows(pa.table({"document": [f"d{n}" for n in range(len(texts))], "text": texts}))


def test_a_sentence_of_each_document_is_asked_for_and_its_document_is_right():
    rows = passages(f"First. This is the second sentence of number {n}. Third." for n in range(5))
    queries, qrels = known_items(rows)
    assert queries["d3"] == "This is the second sentence of number 3."
    assert qrels == {name: {name: 1} for name in queries}
    assert len(queries) == 5


@pytest.mark.parametrize("text", ["one two three four " * 40, "没有句号的一段中文" * 20])
def test_of_text_without_sentences_a_run_of_words_is_asked_for(text):
    query = known_items(passages([text]))[0]["d0"]
    assert query in " ".join(text.split())
    assert LEAST <= len(query) <= MOST


def test_too_short_texts_are_left_out_and_a_sample_is_bounded():
    assert known_items(passages(["short", ""])) == ({}, {})
    rows = passages(f"This is a sentence about the number {n} here." for n in range(50))
    assert len(known_items(rows, count=7)[0]) == 7
    assert known_items(rows, count=7) == known_items(rows, count=7)
    assert known_items(rows, count=7) != known_items(rows, count=7, seed=1)
