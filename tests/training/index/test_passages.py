"""Passages fit the window, say where they stand, and leave nothing out."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from training.index.documents import Document
from training.index.encoder import load_encoder
from training.index.passages import Passage, cut

PIECES = (
    "Hello world. ", "What? ", "\n\n", "没有空格的句子。", "再来一句!", "x" * 150 + " ", "🙂🙃 ", "\n",
    "foo-bar/baz_", "y" * 30, " the small rocket ", '"Quoted." ', "é́ü ",
)  # fmt: skip


@pytest.fixture(scope="module")
def tokenizer(tiny_encoder: Path) -> Tokenizer:
    return load_encoder(tiny_encoder).tokenizer


def passages(
    text: str, tokenizer: Tokenizer, *, title: str = "", overlap: int = 0
) -> list[Passage]:
    document = Document("d", title, text)
    return cut([document], tokenizer, max_tokens=32, overlap_tokens=overlap)[0]


def tokens(passage: Passage, tokenizer: Tokenizer) -> int:
    return len(tokenizer.encode(passage.embedded).ids)


@pytest.mark.parametrize("seed", range(25))
def test_any_text_is_covered_by_passages_that_fit(seed: int, tokenizer: Tokenizer) -> None:
    draw = random.Random(seed)
    text = "".join(draw.choice(PIECES) for _ in range(draw.randint(0, 60)))
    title = draw.choice(("", "A title", "长" * 50, "word " * 60))
    found = passages(text, tokenizer, title=title, overlap=6)
    covered: set[int] = set()
    for number, passage in enumerate(found):
        assert passage.text == text[passage.start : passage.end] == passage.text.strip() != ""
        assert (passage.id, passage.number) == (f"d#{number}", number)
        assert tokens(passage, tokenizer) <= 32
        covered.update(range(passage.start, passage.end))
    assert all(place in covered for place, sign in enumerate(text) if not sign.isspace())


def test_many_documents_are_cut_as_each_alone(
    tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = random.Random(1)
    texts = ["".join(draw.choice(PIECES) for _ in range(draw.randint(0, 60))) for _ in range(20)]
    documents = [Document(f"d{n}", "A title" * (n % 2), text) for n, text in enumerate(texts)]
    size = {"max_tokens": 32, "overlap_tokens": 6}
    monkeypatch.setattr("training.index.passages.BLOCK", 7)
    together = cut(documents, tokenizer, **size)
    assert together == [cut([document], tokenizer, **size)[0] for document in documents]
    assert cut([], tokenizer, **size) == []


def test_a_short_text_is_one_passage_with_its_title(tokenizer: Tokenizer) -> None:
    found = passages("  The moon. ", tokenizer, title="On\nspace")
    assert [(p.text, p.title, p.embedded) for p in found] == [
        ("The moon.", "On space", "On space\nThe moon.")
    ]


def test_a_cut_is_made_where_a_paragraph_ends_before_a_sentence(tokenizer: Tokenizer) -> None:
    first = "a rocket in the orbit of the moon. the team was good for a week. " * 2
    text = f"{first.strip()}\n\n{'salt and bread. ' * 8}"
    # 30 tokens without the special ones: the paragraph of 34 does not fit, three sentences do.
    assert passages(text, tokenizer)[0].text.endswith("week. a rocket in the orbit of the moon.")
    text = f"{'the team was good. ' * 4}\n\n{'the bread was good. ' * 6}"
    assert passages(text, tokenizer)[0].text == ("the team was good. " * 4).strip()


def test_passages_overlap_by_whole_sentences_or_words(tokenizer: Tokenizer) -> None:
    text = "the bread was good. " * 20
    found = passages(text, tokenizer, overlap=8)
    for before, after in pairwise(found):
        assert before.start < after.start < before.end
        assert after.text.startswith("the bread")


def test_a_text_of_blanks_has_no_passage(tokenizer: Tokenizer) -> None:
    assert passages(" \n\n\t ", tokenizer) == []
