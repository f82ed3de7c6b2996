"""Passages by row: cells, documents, and the text around a passage."""

import pytest

from hub_utils.errors import LabError
from tests.training.index.made_index import make_table
from training.index.rows import PassageRows

TEXTS = ["first part", "second part", "third part", "of another", "document"]


@pytest.fixture(scope="module")
def passages():
    import pyarrow as pa

    table = make_table(TEXTS)
    return PassageRows(pa.concat_tables([table.slice(0, 2), table.slice(2, 0), table.slice(2)]))


def test_cells_are_found_across_pieces(passages):
    assert [passages.cell(row, "text") for row in range(len(passages))] == TEXTS
    assert passages.metadata(0) == {"year": 1990}
    assert passages.metadata_columns == ("topic", "year")


def test_a_passage_is_found_by_its_id(passages):
    assert [passages.row_of(id) for id in ("d0#0", "d0#2", "d1#1")] == [0, 2, 4]
    with pytest.raises(LabError, match="no passage 'd7#0'"):
        passages.row_of("d7#0")


def test_context_is_the_document_around_the_passage(passages):
    context = passages.context(1)
    assert (context.before, context.text, context.after) == (
        "first part ",
        "second part",
        " third part",
    )
    assert (context.id, context.document, context.title) == ("d0#1", "d0", "letter d0")
    assert passages.context(0).before == ""
    assert passages.context(4).after == ""
    assert passages.context(1, characters=5).before == "part "
    assert passages.context(1, characters=5).after == " thir"


def test_what_passages_share_comes_once():
    import pyarrow as pa

    text = "one two three four five six"
    cuts = [(0, 13), (8, 18), (14, 27)]  # overlapping
    columns = {
        "id": [f"a#{n}" for n in range(3)],
        "document": ["a"] * 3,
        "title": [""] * 3,
        "text": [text[start:end] for start, end in cuts],
        "number": range(3),
        "start": [start for start, _ in cuts],
        "end": [end for _, end in cuts],
    }
    passages = PassageRows(pa.table(columns))
    for row, (start, end) in enumerate(cuts):
        context = passages.context(row)
        assert context.before + context.text + context.after == text
        assert (context.before, context.after) == (text[:start], text[end:])
