import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hub_utils.errors import DataError
from training.shared.tables import Columns, read_examples


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


def complaint(path, columns=None):
    with pytest.raises(DataError) as caught:
        read_examples(path, columns)
    return caught.value.line()


GOOD = [("rates rose", "money"), ("wheat fell", "grain"), ("a, b", "grain")]


def test_the_same_rows_come_from_every_kind_of_file(tmp_path):
    files = [
        write(tmp_path / "a.csv", 'label,text\nmoney,rates rose\ngrain,wheat fell\ngrain,"a, b"\n'),
        write(tmp_path / "a.tsv", "".join(f"{text}\t{label}\n" for text, label in GOOD)),
        write(
            tmp_path / "a.jsonl",
            "".join(json.dumps({"text": t, "label": n, "more": 1}) + "\n" for t, n in GOOD),
        ),
    ]
    table = pa.table({"text": [t for t, _ in GOOD], "label": [n for _, n in GOOD]})
    pq.write_table(table, tmp_path / "a.parquet")
    for path in [*files, tmp_path / "a.parquet"]:
        examples = read_examples(path)
        assert list(zip(examples.texts, examples.labels, strict=True)) == GOOD, path


def test_columns_can_be_named_and_labels_may_be_numbers(tmp_path):
    table = pa.table({"message": ["x y", "z"], "stars": [1, 5]})
    pq.write_table(table, tmp_path / "a.parquet")
    examples = read_examples(tmp_path / "a.parquet", Columns("message", "stars"))
    assert examples.labels == ("1", "5")


def test_byte_order_mark_and_windows_line_ends_are_no_matter(tmp_path):
    path = write(tmp_path / "a.csv", "\ufefftext,label\r\none,a\r\ntwo,b\r\n")
    assert read_examples(path).texts == ("one", "two")


def test_lone_quotation_marks_in_tab_separated_text_are_kept(tmp_path):
    path = write(tmp_path / "a.tsv", 'he said "no\ta\nit is 5" long\tb\n')
    assert read_examples(path).texts == ('he said "no', 'it is 5" long')


def test_a_newline_inside_quotes_stays_in_the_text(tmp_path):
    path = write(tmp_path / "a.csv", 'text,label\n"one\ntwo",a\nthree,b\n')
    assert read_examples(path).texts == ("one\ntwo", "three")


def test_unknown_column_names_the_near_ones(tmp_path):
    path = write(tmp_path / "a.csv", "text,labels\none,a\ntwo,b\n")
    line = complaint(path)
    assert "no column 'label'" in line
    assert "Did you mean 'labels'?" in line
    assert "--label-column" in line


def test_header_of_a_two_column_file_in_other_words_is_not_taken_for_an_example(tmp_path):
    rows = "".join(f"text {n}\t{n % 2}\n" for n in range(20))
    path = write(tmp_path / "a.tsv", "sentence\tclass\n" + rows)
    line = complaint(path)
    assert "row 1 looks like a header" in line
    assert "--text-column 'sentence' --label-column 'class'" in line


@pytest.mark.parametrize(
    ("header", "options"),
    [
        ("sentence\tclass", "--text-column 'sentence' --label-column 'class'"),
        ("review_text\tstars", "--text-column 'review_text' --label-column 'stars'"),
        ("Body\tkind", "--text-column 'Body' --label-column 'kind'"),
        ("topic\tcontent", "--text-column 'content' --label-column 'topic'"),
    ],
)
def test_header_of_a_short_tab_separated_file_is_recognised_by_its_words(tmp_path, header, options):
    path = write(tmp_path / "a.tsv", f"{header}\nrates rose\tmoney\nwheat fell\tgrain\n")
    line = complaint(path)
    assert "row 1 looks like a header" in line
    assert options in line


@pytest.mark.parametrize(
    "rows",
    [
        "body\tnoun\nrun\tverb\ntable\tnoun\n",  # its label comes again
        "the review was short\tgood\nno\tbad\n",  # a sentence
        "wheat\tgrain\nrates\tmoney\n",  # words, but no column's name
        "class 1 is full\ttopic\nno\tbad\n",
    ],
)
def test_first_examples_that_are_no_header_stay_examples(tmp_path, rows):
    assert len(read_examples(write(tmp_path / "a.tsv", rows))) == rows.count("\n")


def test_comma_separated_columns_need_their_names(tmp_path):
    path = write(tmp_path / "a.csv", "sentence,class\nrates rose,money\nwheat fell,grain\n")
    line = complaint(path)
    assert "no column 'text'; it has 'sentence', 'class'. Did you mean 'sentence'?" in line
    assert "--text-column" in line
    examples = read_examples(path, Columns("sentence", "class"))
    assert examples.labels == ("money", "grain")


def test_comma_separated_rows_without_a_header_are_refused(tmp_path):
    path = write(tmp_path / "a.csv", "rates rose,money\nwheat fell,grain\n")
    assert "no column 'text'; it has 'rates rose', 'money'" in complaint(path)


def test_empty_text_names_the_row(tmp_path):
    path = write(tmp_path / "a.csv", "text,label\none,a\n  ,b\nthree,b\n")
    assert f"{path}, row 3: the text is empty" in complaint(path)


def test_missing_label_names_the_row(tmp_path):
    path = write(tmp_path / "a.jsonl", '{"text": "one", "label": "a"}\n\n{"text": "two"}\n')
    assert f"{path}, row 3: the label is empty" in complaint(path)


def test_null_in_parquet_names_the_row(tmp_path):
    pq.write_table(pa.table({"text": ["a", "b"], "label": ["x", None]}), tmp_path / "a.parquet")
    assert "row 2: the label is empty" in complaint(tmp_path / "a.parquet")


def test_one_label_only_is_refused(tmp_path):
    path = write(tmp_path / "a.csv", "text,label\none,a\ntwo,a\n")
    assert "All 2 rows" in complaint(path)
    assert "same label, 'a'" in complaint(path)


def test_wrong_encoding_names_row_and_byte(tmp_path):
    path = write(tmp_path / "a.csv", "text,label\none,a\ncafé,b\n", encoding="latin-1")
    line = complaint(path)
    assert "row 3 has the byte 0xe9" in line
    assert "iconv" in line


def test_missing_file_names_the_near_one(tmp_path):
    write(tmp_path / "tickets.csv", "text,label\n")
    assert "Did you mean 'tickets.csv'?" in complaint(tmp_path / "ticket.csv")


def test_unknown_suffix_lists_the_known_ones(tmp_path):
    path = write(tmp_path / "a.xlsx", "x")
    assert ".csv .tsv .jsonl .parquet" in complaint(path)


def test_folder_is_refused(tmp_path):
    assert "is a folder" in complaint(tmp_path)


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.parquet"])
def test_empty_file_is_refused(tmp_path, name):
    assert "is empty" in complaint(write(tmp_path / name, ""))


@pytest.mark.parametrize(("name", "text"), [("a.csv", "text,label\n"), ("b.jsonl", "\n\n")])
def test_file_without_rows_is_refused(tmp_path, name, text):
    assert "has no rows" in complaint(write(tmp_path / name, text))


def test_row_with_too_many_cells_names_the_row(tmp_path):
    path = write(tmp_path / "a.csv", "text,label\none,a\ntwo, with comma,b\n")
    assert "row 3: 3 cells where 2 were expected (text, label)" in complaint(path)


def test_open_quotation_mark_names_the_row(tmp_path):
    path = write(tmp_path / "a.csv", 'text,label\none,a\n"two,b\n')
    assert "cannot be read as csv" in complaint(path)
    assert "row 3" in complaint(path)


@pytest.mark.parametrize(
    ("line", "said"), [("{not json}", "not JSON"), ("[1]", "a list where an object was expected")]
)
def test_bad_json_line_names_the_row(tmp_path, line, said):
    path = write(tmp_path / "a.jsonl", '{"text": "one", "label": "a"}\n' + line + "\n")
    assert f"row 2: {said}" in complaint(path)


def test_file_that_is_no_parquet_is_refused(tmp_path):
    assert "cannot be read as parquet" in complaint(write(tmp_path / "a.parquet", "text"))
