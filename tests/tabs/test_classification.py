"""Answers, explanations and files, with a real tiny model."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from hub_utils.errors import DataError
from hub_utils.names import RepoId
from tabs import classification
from tabs.classification import answer, classify_file, degree, explain, read_file
from tabs.i18n import PageError
from tabs.model_slot import Served
from training.bert.inference import Classifier, load


@pytest.fixture(scope="module")
def served(classifiers: tuple[Path, Path]) -> Served[Classifier]:
    return Served(load(classifiers[0]), RepoId("lab", "tiny"), "a" * 40, classifiers[0])


def file(tmp_path: Path, content: str | bytes, name: str = "texts.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_an_answer_has_every_label_and_the_most_probable_first(served: Served[Classifier]):
    given = answer(served, "The board raised the dividend.")
    assert sorted(given.scores) == ["acq", "crude", "earn", "money-fx"]
    assert given.label == max(given.scores, key=lambda label: given.scores[label])
    assert sum(given.scores.values()) == pytest.approx(1, abs=1e-4)
    assert given.seconds > 0


@pytest.mark.parametrize("text", ["", "   \n\t"])
def test_no_text_is_a_sentence(served: Served[Classifier], text: str):
    with pytest.raises(PageError, match="There is no text"):
        answer(served, text)


def test_far_too_much_text_is_a_sentence_with_the_limit(served: Served[Classifier]):
    with pytest.raises(PageError, match=r"50001 characters; up to 50000"):
        answer(served, "x" * 50_001)


def test_the_explained_words_are_the_text(served: Served[Classifier]):
    text = "The board raised the dividend, 油价 fell."
    marked = explain(served, answer(served, text))
    assert "".join(word for word, _ in marked) == text
    assert all(-1 <= score <= 1 for _, score in marked)


@pytest.mark.parametrize(
    ("score", "key"),
    [
        (0.0, None),
        (-0.1, None),
        (0.2, "classify.for"),
        (1.0, "classify.for_much"),
        (-0.2, "classify.against"),
        (-0.9, "classify.against_much"),
    ],
)
def test_contributions_are_told_in_words(score: float, key: str | None):
    assert degree(score) == key


def test_a_file_comes_back_with_labels_in_order(served: Served[Classifier], tmp_path: Path):
    texts = [f'oil, "price" {n}' for n in range(300)]
    path = file(tmp_path, "text\n" + "\n".join('"' + t.replace('"', '""') + '"' for t in texts))
    reports: list[tuple[int, int]] = []
    batch = classify_file(served, path, tmp_path, report=lambda *report: reports.append(report))
    with batch.result.open(encoding="utf-8", newline="") as result:
        rows = list(csv.DictReader(result))
    assert [row["text"] for row in rows] == texts
    assert [row["label"] for row in rows[:3]] == [answer(served, t).label for t in texts[:3]]
    assert all(0 <= float(row["confidence"]) <= 1 for row in rows)
    assert reports == [(0, 300), (128, 300), (256, 300)]
    assert (batch.done, batch.rows) == (300, 300)


def test_stopping_keeps_the_rows_that_are_done(served: Served[Classifier], tmp_path: Path):
    path = file(tmp_path, "text\n" + "oil\n" * 300)
    reports: list[int] = []
    batch = classify_file(
        served,
        path,
        tmp_path,
        report=lambda done, _: reports.append(done),
        stopped=lambda: len(reports) == 1,
    )
    assert (batch.done, batch.rows) == (128, 300)
    assert len(batch.result.read_text("utf-8").splitlines()) == 129


@pytest.mark.parametrize(
    ("name", "content", "texts"),
    [
        ("a.csv", "text,label\none,x\ntwo,y\n", ["one", "two"]),
        ("a.csv", "comment\none\ntwo\n", ["one", "two"]),
        ("a.csv", "\ufefftext\n油价\n", ["油价"]),
        ("a.tsv", "id\ttext\n1\tone\n", ["one"]),
        ("a.jsonl", '{"text": "one"}\n{"text": "two", "id": 1}\n', ["one", "two"]),
    ],
)
def test_every_kind_of_table_is_read(tmp_path: Path, name: str, content: str, texts: list[str]):
    assert read_file(file(tmp_path, content, name)) == texts


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", "body,id,n\none,1,2\n", "a.csv has no column `text`; it has: body, id, n"),
        ("a.csv", "text\n", "a.csv has no rows"),
        ("a.csv", 'text\none\n" "\n', "a.csv, row 3: the text is empty"),
        ("a.pdf", "%PDF", "Use one of: .csv"),
    ],
)
def test_an_unusable_table_is_a_sentence(tmp_path: Path, name: str, content: str, said: str):
    with pytest.raises(PageError) as raised:
        read_file(file(tmp_path, content, name))
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b"text\ncaf\xe9\n"),
        ("a.csv", b'text\n"open\n'),
        ("a.jsonl", b"{not json}\n"),
        ("a.parquet", b"PAR1 no"),
    ],
)
def test_a_damaged_file_is_named_without_our_path(tmp_path: Path, name: str, content: bytes):
    with pytest.raises(DataError) as raised:
        read_file(file(tmp_path, content, name))
    assert name in str(raised.value)
    assert str(tmp_path) not in str(raised.value)


def test_bounds_are_told_with_the_given_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = file(tmp_path, "text\n" + "oil price\n" * 5)
    monkeypatch.setattr(classification, "MAX_ROWS", 4)
    with pytest.raises(PageError, match="has 5 rows; up to 4"):
        read_file(path)
    monkeypatch.setattr(classification, "MAX_MEGABYTES", 0)
    with pytest.raises(PageError, match=r"has 0\.0 MB; up to 0 MB"):
        read_file(path)
