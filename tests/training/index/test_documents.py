"""Documents come out of every kind of input, and what cannot be read is said."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hub_utils.errors import DataError
from training.index.documents import Document, read_documents

if TYPE_CHECKING:
    from hub_utils.connection import Hub


def documents_of(path: Path, **options: Any) -> list[Document]:
    return list(read_documents(str(path), hub=None, **options))


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[str, str], Path]:
    def save(name: str, content: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")
        return path

    return save


def pdf_with(path: Path, text: str, *, password: str = "") -> Path:
    """A one-page PDF, written by hand; without `text` its page is empty."""
    from pypdf import PdfReader, PdfWriter

    stream = f"BT /F1 12 Tf 20 100 Td ({text}) Tj ET" if text else ""
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 200] /Contents 4 0 R "
        "/Resources << /Font << /F1 5 0 R >> >> >>",
        f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    body, places = "%PDF-1.4\n", []
    for number, content in enumerate(objects, start=1):
        places.append(len(body))
        body += f"{number} 0 obj\n{content}\nendobj\n"
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    body += f"xref\n0 6\n0000000000 65535 f \n{table}trailer\n<< /Size 6 /Root 1 0 R >>\n"
    path.write_bytes(f"{body}startxref\n{body.index('xref')}\n%%EOF\n".encode("latin-1"))
    if password:
        writer = PdfWriter(clone_from=PdfReader(path))
        writer.encrypt(password, algorithm="RC4-128")
        writer.write(path)
    return path


def test_beirs_corpus_keeps_ids_titles_and_metadata(saved: Callable[..., Path]) -> None:
    rows = [
        {"_id": "d1", "title": "Moon", "text": "It is far.", "metadata": {"year": 1969}},
        {"_id": "d2", "title": "", "text": "Bread.", "metadata": {}, "tags": ["a"]},
    ]
    path = saved("corpus.jsonl", "\n".join(map(json.dumps, rows)))
    assert documents_of(path) == [
        Document("d1", "Moon", "It is far.", {"year": 1969}),
        Document("d2", "", "Bread.", {}),
    ]


def test_rows_without_ids_are_named_by_their_place(saved: Callable[..., Path]) -> None:
    path = saved("a.csv", 'body,label\nfirst,x\n,y\n"two\nlines",z\n')
    found = read_documents(str(path), hub=None, text_column="body")
    assert list(found) == [
        Document("row:1", "", "first", {"label": "x"}),
        Document("row:3", "", "two\nlines", {"label": "z"}),
    ]
    assert found.problems == ("1 documents without text were left out.",)


def test_parquet_is_read(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({"id": [7, 8], "text": ["seven", "eight"], "score": [0.5, None]})
    pq.write_table(table, tmp_path / "a.parquet")
    assert documents_of(tmp_path / "a.parquet") == [
        Document("7", "", "seven", {"score": 0.5}),
        Document("8", "", "eight", {}),
    ]


def test_a_folder_is_read_in_order_with_titles(saved: Callable[..., Path], tmp_path: Path) -> None:
    saved("docs/b/notes.md", "# Baking *bread*\n\nFlour and salt.")
    saved(
        "docs/page.html",
        "<html><head><title>A &amp; B</title><style>p {}</style></head><body><h1>Head</h1>"
        "<script>alert(1)</script><p>One\ntwo &lt;b&gt;</p></body></html>",
    )
    saved("docs/plain.txt", "Plain.")
    saved("docs/ignored.bin", "x")
    pdf_with(tmp_path / "docs" / "paper.pdf", "Hello from a page")
    assert documents_of(tmp_path / "docs") == [
        Document(
            "b/notes.md", "Baking *bread*", "# Baking *bread*\n\nFlour and salt.", {"folder": "b"}
        ),
        Document("page.html", "A & B", "Head\n\nOne two <b>", {}),
        Document("paper.pdf", "paper", "Hello from a page", {}),
        Document("plain.txt", "plain", "Plain.", {}),
    ]


def test_unreadable_files_of_a_folder_are_told(saved: Callable[..., Path], tmp_path: Path) -> None:
    saved("docs/good.txt", "Good.")
    pdf_with(tmp_path / "docs" / "scan.pdf", "")
    pdf_with(tmp_path / "docs" / "locked.pdf", "secret", password="hush")
    saved("docs/broken.pdf", "no PDF at all")
    (tmp_path / "docs" / "latin.txt").write_bytes("café".encode("latin-1"))
    (tmp_path / "docs" / "zeros.txt").write_bytes(b"a\0b")
    found = read_documents(str(tmp_path / "docs"), hub=None)
    assert [document.id for document in found] == ["good.txt"]
    assert found.problems == (
        "broken.pdf was left out: it is no PDF that can be read.",
        "latin.txt was left out: it is not utf-8 text.",
        "locked.pdf was left out: it is locked with a password.",
        "scan.pdf was left out: the PDF has no text; scanned pages must go through OCR first.",
        "zeros.txt was left out: it is binary.",
    )


def test_a_page_in_its_own_encoding_is_read(tmp_path: Path) -> None:
    content = '<meta charset="gb2312"><p>你好</p>'.encode("gb2312")
    (tmp_path / "a.html").write_bytes(content)
    assert documents_of(tmp_path / "a.html")[0].text == "你好"


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.csv", "", "a.csv has no rows"),
        ("a.csv", "texts,id\nx,1\n", "has no column 'text'; it has 'texts', 'id'. Did you mean"),
        ("a.jsonl", '{"text": "a"}\nnonsense\n', "line 2 is not JSON"),
        ("a.jsonl", "[1]\n", "line 1 is no JSON object"),
        ("a.parquet", "PAR1", "not a Parquet file"),
        ("a.docx", "x", "of no kind that is read"),
    ],
)
def test_a_bad_table_is_refused_with_a_sentence(
    saved: Callable[..., Path], name: str, content: str, says: str
) -> None:
    with pytest.raises(DataError, match=says) as caught:
        documents_of(saved(name, content))
    assert caught.value.hint


def test_a_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    for name in ("a.csv", "a.jsonl"):
        (tmp_path / name).write_bytes('{"text": "café"}'.encode("latin-1"))
        with pytest.raises(DataError, match=f"{name} is not UTF-8"):
            documents_of(tmp_path / name)


def test_unknown_columns_are_named_with_their_option(saved: Callable[..., Path]) -> None:
    path = saved("a.csv", "text,heading\nx,y\n")
    with pytest.raises(DataError, match=r"'headng'.*Did you mean 'heading'") as caught:
        documents_of(path, title_column="headng")
    assert "--title-column" in str(caught.value.hint)


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="There is no file or folder"):
        documents_of(tmp_path / "missing.csv")
    with pytest.raises(DataError, match="has no file to read"):
        documents_of(tmp_path)


def test_a_hub_data_set_is_read_split_by_split(hub: Hub, tmp_path: Path) -> None:
    from hub_utils.push import push_folder

    for split, text in (("train", "alpha"), ("test", "beta")):
        row = {"text": text, "label": 1}
        (tmp_path / f"{split}.jsonl").write_text(json.dumps(row) + "\n", "utf-8")
    repo = hub.repo("documents-test", "dataset")
    pushed = push_folder(tmp_path, repo, hub=hub, message="Two splits")
    both = read_documents("documents-test", hub=hub)
    assert [(d.id, d.text, d.metadata) for d in both] == [
        ("train:1", "alpha", {"label": 1}),
        ("test:1", "beta", {"label": 1}),
    ]
    assert (both.source.name, both.source.revision) == (str(repo), pushed.revision)
    assert [d.text for d in read_documents("documents-test", hub=hub, split="test")] == ["beta"]
    with pytest.raises(DataError, match="has no split 'dev'; it has"):
        read_documents("documents-test", hub=hub, split="dev")
