"""Texts as terms: the same text by text and many at once, in every script."""

from __future__ import annotations

import pytest

from training.index import terms
from training.index.terms import LONGEST, Terms

TEXTS = [
    "The runner's 2 shoes, running",
    "",
    " ,. ",
    "laufen über 机器学习 und ｆｕｌｌ width",
    "x" * (LONGEST + 50) + " abc",
    "\n\nHello\x00World_9",
    "नमस्ते दुनिया",
    "the shoes again",
]


@pytest.mark.parametrize("stemming", [True, False])
@pytest.mark.parametrize("block", [3, 8192])
def test_many_texts_at_once_have_the_terms_of_each(
    monkeypatch: pytest.MonkeyPatch, *, stemming: bool, block: int
) -> None:
    monkeypatch.setattr(terms, "BLOCK", block)
    cutter, vocabulary = Terms(stemming=stemming), dict[str, int]()
    columns = list(cutter.numbered(iter(TEXTS), vocabulary))
    names = list(vocabulary)
    assert list(vocabulary.values()) == list(range(len(names)))
    assert [[names[number] for number in column] for column in columns] == [
        cutter.of(text) for text in TEXTS
    ]


def test_words_are_compared_by_stem_case_width_and_accent() -> None:
    cutter = Terms(stemming=True)
    assert cutter.of("Running SHOES") == cutter.of("runs shoe")
    assert cutter.of("Über ｆｕｌｌ") == cutter.of("uber full")


def test_scripts_without_spaces_are_cut_into_characters_and_pairs() -> None:
    assert Terms(stemming=False).of("学习机") == ["学", "习", "机", "学习", "习机"]


def test_no_texts_are_no_terms() -> None:
    vocabulary: dict[str, int] = {}
    assert list(Terms(stemming=False).numbered([], vocabulary)) == []
    assert vocabulary == {}
