"""BEIR's queries and judgements: read as they are written, refused with a sentence."""

import pytest

from hub_utils.errors import DataError
from training.index.beir import read_qrels, read_queries, require_agreement


@pytest.fixture
def write(tmp_path):
    def write_file(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        return path

    return write_file


def test_queries_are_read_by_their_id(write):
    path = write("queries.jsonl", '{"_id": "q1", "text": "wings"}\n\n{"_id": 2, "text": "翼"}\n')
    assert read_queries(path) == {"q1": "wings", "2": "翼"}


@pytest.mark.parametrize(
    "text",
    [
        "query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\td2\t0\n",
        "q1\td1\t2\r\nq1\td2\t0\r\n",
        "q1 0 d1 2\nq1 Q0 d2 0\n",  # trec_eval's
        "\ufeffquery-id\tcorpus-id\tscore\nq1\td1\t2.0\nq1\td2\t0",
    ],
)
def test_judgements_are_read_with_a_header_without_and_as_trec_eval_has_them(write, text):
    assert read_qrels(write("qrels.tsv", text)) == {"q1": {"d1": 2, "d2": 0}}


def test_ids_with_spaces_stay_whole_between_tabs(write):
    assert read_qrels(write("qrels.tsv", "q 1\td 1\t1\n")) == {"q 1": {"d 1": 1}}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "holds no query"),
        ('{"_id": "q1", "text": "wings"', "row 1: not JSON"),
        ('{"text": "wings"}', 'row 1: there is no "_id"'),
        ("[1]", 'row 1: there is no "_id"'),
        ('{"_id": "q1", "text": " "}', "row 1: the query 'q1' has no text"),
        ('{"_id": "q", "text": "a"}\n{"_id": "q", "text": "b"}', "row 2: the query id 'q' comes"),
        (b'{"_id": "q1", "text": "\xff"}', "row 1: not UTF-8"),
    ],
)
def test_bad_queries_are_refused_with_their_row(write, text, says):
    with pytest.raises(DataError) as caught:
        read_queries(write("queries.jsonl", text))
    assert says in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("query-id\tcorpus-id\tscore\n", "holds no judgement"),
        ("q1\td1\n", "row 1: 2 cells where three were expected"),
        ("q1\td1\t1\nq1\td2\tyes\n", "row 2: the judgement 'yes' is not a whole number"),
        ("q1\td1\t0.5\n", "row 1: the judgement '0.5' is not a whole number"),
        ("q1\td1\tnan\nq1\t\t1\n", "row 2: 3 cells where three were expected"),
    ],
)
def test_bad_judgements_are_refused_with_their_row(write, text, says):
    with pytest.raises(DataError) as caught:
        read_qrels(write("qrels.tsv", text))
    assert says in str(caught.value)


def test_a_missing_file_is_a_sentence(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        read_queries(tmp_path / "none.jsonl")
    with pytest.raises(DataError, match="is a folder"):
        read_qrels(tmp_path)


def test_files_of_different_collections_are_told_apart():
    with pytest.raises(DataError, match="other queries: 'x', not 'q'"):
        require_agreement({"q": "a"}, {"x": {"d": 1}}, {"d"})
    with pytest.raises(DataError, match="other documents: 'd', not 'e'"):
        require_agreement({"q": "a"}, {"q": {"d": 1}}, {"e"})


def test_judged_documents_that_are_missing_are_counted():
    assert require_agreement({"q": "a"}, {"q": {"d": 1}}, {"d", "e"}) is None
    notice = require_agreement({"q": "a"}, {"q": {"d": 1, "x": 0}}, {"d"})
    assert "1 of 2 judged documents" in notice
    assert "'x'" in notice
