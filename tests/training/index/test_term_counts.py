"""Terms that were counted for an earlier revision are those that are counted now."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from training.index.keyword import KeywordIndex
from training.index.shards import text_hash
from training.index.term_counts import TermCounts, texts_of
from training.index.terms import Terms

OLD = [("", "The moon and the rocket"), ("Bread", "butter on bread"), ("", "ñandú ★")]
NEW = [("Bread", "butter on bread"), ("", ""), ("", "a rocket of butter"), ("", "a rocket again")]


def table(rows: list[tuple[str, str]]) -> pa.Table:
    texts = [f"{title}\n{text}" if title else text for title, text in rows]
    return pa.table(
        {
            "title": pa.array([title for title, _ in rows], pa.string()),
            "text": pa.array([text for _, text in rows], pa.string()),
            "text_hash": pa.array([text_hash(text) for text in texts], pa.string()),
        }
    )


def saved(index: KeywordIndex, folder: Path) -> bytes:
    return index.save(folder).read_bytes()


@pytest.mark.parametrize("learned", [[], OLD, [*OLD, *NEW]])
def test_what_was_learned_before_changes_no_byte(
    learned: list[tuple[str, str]], tmp_path: Path
) -> None:
    terms = TermCounts()
    terms.learn(table(learned))
    index = KeywordIndex.of(terms.of(table(NEW)), terms.vocabulary, stemming=terms.stemming)
    whole = KeywordIndex.build(texts_of(table(NEW)))
    assert saved(index, tmp_path / "learned") == saved(whole, tmp_path / "whole")
    assert index.search("moon", 5)[0].tolist() == []
    assert set(index.search("rocket", 5)[0].tolist()) == {2, 3}


def test_what_was_learned_is_not_cut_again(monkeypatch: pytest.MonkeyPatch) -> None:
    terms = TermCounts()
    terms.learn(table(OLD))
    assert len(terms) == len(OLD)
    asked: list[str] = []
    numbered = Terms.numbered

    def listening(self: Terms, texts: list[str], vocabulary: dict[str, int]) -> object:
        given = list(texts)
        asked.extend(given)
        return numbered(self, given, vocabulary)

    monkeypatch.setattr(Terms, "numbered", listening)
    assert terms.of(table(NEW)).lengths.tolist() == [4, 0, 4, 3]
    assert asked == ["", "a rocket of butter", "a rocket again"]
