"""A reader's own file: bounded, indexed by the served encoder, kept for a while."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub_utils.connection import Hub
from hub_utils.errors import DataError
from tabs import search_files
from tabs.i18n import PageError
from tabs.search_files import OwnIndex, OwnIndexes, index_file
from training.index.inference import SearchIndex

HUB = Hub("http://127.0.0.1:1", None, namespace="lab", embedded=False)


def indexed(path: Path, index: SearchIndex, **options) -> OwnIndex:
    return index_file(path, index.encoder, hub=HUB, **{"report": lambda *_: None, **options})


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def own(name: str) -> OwnIndex:
    return OwnIndex(name, None, documents=1, seconds=0.0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("notes.txt", "The rocket was new.\n\nThe bread was small."),
        ("notes.md", "# Notes\n\nThe rocket was new."),
        ("notes.html", "<h1>Notes</h1><p>The rocket was new.</p><script>rocket()</script>"),
        ("notes.csv", "text\nThe rocket was new.\nThe bread was small.\n"),
        ("notes.jsonl", '{"text": "The rocket was new."}\n{"text": "Bread and butter."}\n'),
    ],
)
def test_a_file_of_every_kind_is_searched_like_the_corpus(
    index: SearchIndex, tmp_path: Path, name: str, content: str
):
    made = indexed(write(tmp_path, name, content), index)
    found = made.index.search("rocket", 1, mode="hybrid")
    assert "rocket" in found.hits[0].text
    assert made.name == name
    assert made.documents >= 1


def test_progress_is_told_and_stopping_ends_it(index: SearchIndex, tmp_path: Path):
    path = write(tmp_path, "many.csv", "text\n" + "the new rocket\n" * 200)
    told: list[tuple[int, int]] = []
    made = indexed(path, index, report=lambda *both: told.append(both))
    assert told == [(done, 200) for done in range(0, 200, search_files.BATCH)]
    assert len(made.index) == 200
    with pytest.raises(PageError, match=r"many\.csv was not indexed"):
        indexed(path, index, stopped=lambda: True)


def test_too_much_is_refused_before_it_is_embedded(
    index: SearchIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = write(tmp_path, "rows.csv", "text\n" + "the rocket\n" * 30)
    monkeypatch.setattr(search_files, "MAX_PASSAGES", 29)
    with pytest.raises(PageError, match=r"rows\.csv has more than 29 passages"):
        indexed(path, index)
    long = write(tmp_path, "long.txt", "The rocket was new.\n\n" * 2_000)
    with pytest.raises(PageError, match=r"long\.txt has more than 29 passages"):
        indexed(long, index)
    monkeypatch.setattr(search_files, "MAX_MEGABYTES", 0.01)
    with pytest.raises(PageError, match=r"long\.txt has 0\.0 MB"):
        indexed(long, index)


def test_another_kind_of_file_is_refused_by_its_name(index: SearchIndex, tmp_path: Path):
    with pytest.raises(PageError, match=r"notes\.docx is of a kind"):
        indexed(write(tmp_path, "notes.docx", "x"), index)


@pytest.mark.parametrize("content", ["", " \n\n "])
def test_a_file_without_text_is_a_sentence(index: SearchIndex, tmp_path: Path, content: str):
    with pytest.raises((PageError, DataError), match=r"empty\.txt"):
        indexed(write(tmp_path, "empty.txt", content), index)


def test_an_error_names_the_reader_s_file_and_not_our_copy(index: SearchIndex, tmp_path: Path):
    with pytest.raises(DataError) as caught:
        indexed(write(tmp_path, "broken.jsonl", '{"text": "a"}\nnonsense\n'), index)
    assert "broken.jsonl" in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


# Keeping


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_an_index_is_found_by_its_key_alone():
    kept = OwnIndexes()
    key = kept.put(own("a.txt"))
    assert kept.get(key).name == "a.txt"
    assert len(key) > 16
    with pytest.raises(PageError, match="no longer kept"):
        kept.get("guess")


def test_what_is_not_used_is_forgotten_and_use_keeps_it():
    clock = Clock()
    kept = OwnIndexes(seconds=60, clock=clock)
    used, unused = kept.put(own("used.txt")), kept.put(own("unused.txt"))
    clock.now = 50
    kept.get(used)
    clock.now = 100
    assert used in kept
    assert unused not in kept
    with pytest.raises(PageError, match="not used for 1 minutes"):
        kept.get(unused)


def test_the_number_kept_is_bounded_and_the_one_used_longest_ago_goes():
    kept = OwnIndexes(kept=2)
    first, second = kept.put(own("1")), kept.put(own("2"))
    kept.get(first)
    third = kept.put(own("3"))
    assert (first in kept, second in kept, third in kept) == (True, False, True)
    assert len(kept) == 2


def test_a_session_s_newer_file_replaces_the_one_before():
    kept = OwnIndexes()
    older = kept.put(own("old"))
    newer = kept.put(own("new"), instead_of=older)
    assert older not in kept
    kept.drop(newer)
    assert len(kept) == 0
