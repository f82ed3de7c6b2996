"""`python -m training index-eval`: BEIR's files in, one line of figures out."""

import json

import pytest

from training.cli import main


@pytest.fixture
def files(tmp_path):
    """Folder with a corpus of two documents, a query and its judgement."""
    corpus = [
        {"_id": "d1", "title": "moon", "text": "The rocket flew to the moon."},
        {"_id": "d2", "title": "", "text": "Bread and butter from the oven."},
    ]
    (tmp_path / "corpus.jsonl").write_text("\n".join(map(json.dumps, corpus)), "utf-8")
    (tmp_path / "queries.jsonl").write_text('{"_id": "q", "text": "butter"}\n', "utf-8")
    (tmp_path / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq\td2\t1\n", "utf-8")
    return tmp_path


@pytest.fixture
def run(files, tiny_encoder, capsys, monkeypatch):
    """Run the command in a folder of its own; (exit code, last line of stdout, stderr)."""
    monkeypatch.chdir(files)

    def command(*more):
        names = {"corpus": "corpus.jsonl", "queries": "queries.jsonl", "qrels": "qrels.tsv"}
        paths = [word for name, file in names.items() for word in (f"--{name}", str(files / file))]
        code = main(["index-eval", *paths, "--encoder", str(tiny_encoder), *more])
        shown = capsys.readouterr()
        return code, (shown.out.splitlines() or [""])[-1], shown.err

    return command


@pytest.mark.parametrize("mode", ["hybrid", "dense", "keyword"])
def test_the_last_line_is_json_with_the_figures(run, mode):
    code, last, _ = run("--mode", mode)
    figures = json.loads(last)
    assert code == 0
    assert figures["mode"] == mode
    assert {"ndcg_at_10", "recall_at_100", "mrr_at_10", "query_p50_ms"} <= figures.keys()
    assert figures["ndcg_at_10_interval"][0] <= figures["ndcg_at_10"]
    assert (figures["documents"], figures["queries"]) == (2, 1)
    assert figures["recall_at_100"] == 1


def test_the_word_that_is_asked_for_is_found_first(run):
    figures = json.loads(run("--mode", "keyword")[1])
    assert figures["ndcg_at_10"] == figures["mrr_at_10"] == 1


def test_a_bad_row_is_one_line_that_names_it(run, files):
    (files / "queries.jsonl").write_text('{"_id": "q", "text": ', "utf-8")
    code, last, error = run()
    assert (code, last) == (2, "")
    assert "queries.jsonl, row 1: not JSON" in error
    assert "Traceback" not in error


def test_judgements_of_another_collection_are_refused_before_anything_is_encoded(run, files):
    (files / "qrels.tsv").write_text("q\tother\t1\n", "utf-8")
    code, _, error = run()
    assert code == 2
    assert "other documents" in error
    assert "index:" not in error


def test_a_judged_document_that_is_missing_is_said(run, files):
    (files / "qrels.tsv").write_text("q\td2\t1\nq\tgone\t1\n", "utf-8")
    code, last, error = run("--mode", "keyword")
    assert code == 0
    assert "1 of 2 judged documents are not in the corpus" in error
    assert json.loads(last)["recall_at_100"] == 0.5
