import io
import json
import struct

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hub_utils.local_hub.preview import MAX_TEXT, can_preview, first_rows, tensors_of

PNG = b"\x89PNG\r\n\x1a\n" + b"picture"


def parquet(columns, **options):
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out, **options)
    return out.getvalue()


def cells(rows):
    return [[(cell.kind, cell.text) for cell in row] for row in rows.rows]


def test_parquet_shows_its_first_rows_and_counts_all():
    rows = first_rows("a.parquet", parquet({"text": ["a", "b", "c"], "n": [1, 2, 3]}), 2)
    assert (rows.columns, rows.total) == (("text", "n"), 3)
    assert cells(rows) == [[("text", "a"), ("number", "1")], [("text", "b"), ("number", "2")]]


def test_parquet_on_disk_and_in_memory_are_read_alike(tmp_path):
    content = parquet({"text": ["a"]})
    (tmp_path / "x.parquet").write_bytes(content)
    assert first_rows("x.parquet", tmp_path / "x.parquet") == first_rows("x.parquet", content)


def test_parquet_without_rows_shows_its_columns():
    rows = first_rows("a.parquet", parquet({"text": pa.array([], pa.string())}))
    assert (rows.columns, rows.rows, rows.total) == (("text",), (), 0)


def test_only_the_first_row_group_is_read():
    content = bytearray(parquet({"n": list(range(4000))}, row_group_size=1000))
    meta = pq.ParquetFile(io.BytesIO(bytes(content))).metadata
    last = meta.row_group(3).column(0)
    start = last.dictionary_page_offset or last.data_page_offset
    content[start : start + last.total_compressed_size] = b"\xff" * last.total_compressed_size
    rows = first_rows("a.parquet", bytes(content))
    assert (rows.reason, rows.total) == ("", 4000)


def test_image_feature_becomes_a_picture():
    rows = first_rows("a.parquet", parquet({"image": [{"bytes": PNG, "path": "x.png"}]}))
    assert rows.rows[0][0].kind == "picture"
    assert rows.rows[0][0].text.startswith("data:image/png;base64,")


@pytest.mark.parametrize("data", [b"<svg onload=alert(1)>", b"\x89PNG\r\n\x1a\n" + b"x" * 200_000])
def test_bytes_that_are_no_small_raster_picture_are_described(data):
    cell = first_rows("a.parquet", parquet({"image": [{"bytes": data, "path": None}]})).rows[0][0]
    assert cell.kind == "text"
    assert f"{len(data):,} bytes" in cell.text


def test_long_text_is_cut_and_nested_values_are_shown_as_json():
    rows = first_rows(
        "a.parquet", parquet({"t": ["x" * 9999], "tags": [["a", "b"]], "d": [{"k": 1}]})
    )
    text, tags, nested = rows.rows[0]
    assert len(text.text) == MAX_TEXT
    assert text.text.endswith("…")
    assert tags.text == "a, b"
    assert nested.text == '{"k": 1}'


def test_missing_values_are_marked():
    assert first_rows("a.parquet", parquet({"t": pa.array([None], pa.string())})).rows[0][
        0
    ].kind == ("missing")


def test_separated_files_honour_quotes_and_a_byte_order_mark():
    rows = first_rows("a.csv", '\ufefftext,label\n"a, ""b""\nc",1\n'.encode())
    assert rows.columns == ("text", "label")
    assert cells(rows) == [[("text", 'a, "b"\nc'), ("text", "1")]]
    assert first_rows("a.tsv", b"text\tlabel\nx\ty\n").columns == ("text", "label")


def test_long_text_files_are_read_in_part_and_not_counted():
    rows = first_rows("a.csv", b"text\n" + b"word word word\n" * 100_000)
    assert len(rows.rows) == 8
    assert rows.total is None


def test_json_lines_show_every_key():
    rows = first_rows("a.jsonl", b'{"a": 1}\n\n{"a": 2, "b": "x"}\n')
    assert (rows.columns, rows.total) == (("a", "b"), 2)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.parquet", b"not parquet"),
        ("a.parquet", b"PAR1" + b"\xff" * 64 + b"PAR1"),
        ("a.csv", b"\xff\xfe\x00 broken"),
        ("a.jsonl", b"{broken"),
        ("a.jsonl", b"[1, 2]\n"),
    ],
)
def test_damaged_file_gives_a_reason(name, content):
    rows = first_rows(name, content)
    assert rows.reason == "reason_damaged"
    assert not rows.rows


def test_only_known_formats_are_previewed():
    assert can_preview("data/A.PARQUET")
    assert not can_preview("weights.bin")
    assert not can_preview("README.md")


def safetensors(header):
    encoded = json.dumps(header).encode()
    return struct.pack("<Q", len(encoded)) + encoded


def test_tensors_are_listed_and_counted():
    found = tensors_of(
        safetensors(
            {
                "__metadata__": {"format": "pt"},
                "w": {"dtype": "F32", "shape": [3, 4], "data_offsets": [0, 48]},
                "b": {"dtype": "F32", "shape": [], "data_offsets": [48, 52]},
            }
        )
    )
    assert found.tensors == (("w", "F32", "3 × 4"), ("b", "F32", "1"))
    assert found.parameters == 13


@pytest.mark.parametrize(
    "content",
    [b"", b"\x80\x04pickle", struct.pack("<Q", 1 << 62), safetensors({"w": "x"}), safetensors([])],
)
def test_what_is_no_safetensors_has_no_tensors(content):
    assert tensors_of(content) is None
