"""Filters name the rows that may be found, or say what is wrong with them."""

import pytest

from hub_utils.errors import LabError
from tests.training.index.made_index import make_table
from training.index.filters import allowed_rows

TEXTS = ["orbit of a rocket", "puck on ice", "bread in an oven", "no topic", "moon"]


@pytest.fixture(scope="module")
def table():
    return make_table(TEXTS, per_document=2)  # years 1990 to 1994, the fourth has no topic


@pytest.mark.parametrize(
    ("filters", "rows"),
    [
        ({"topic": "space"}, [0, 4]),
        ({"topic": ["hockey", "cooking"]}, [1, 2]),
        ({"topic": []}, []),
        ({"year": {"gte": 1991, "lt": 1993}}, [1, 2]),
        ({"year": {"gt": 1991.5}}, [2, 3, 4]),
        ({"year": 1994, "topic": "space"}, [4]),
        ({"year": 1994, "topic": "hockey"}, []),
        ({"document": "d1"}, [2, 3]),
        ({"topic": "weather"}, []),
        ({"year": (1990, 1991)}, [0, 1]),
    ],
)
def test_conditions_hold_together(table, filters, rows):
    assert allowed_rows(table, filters).tolist() == rows


@pytest.mark.parametrize("filters", [None, {}])
def test_no_filter_allows_all(table, filters):
    assert allowed_rows(table, filters) is None


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"topik": "space"}, "no column 'topik'.*Did you mean 'topic'"),
        ({"embedding": 1}, "no column 'embedding'"),
        ({"year": {"from": 1990}}, "'from', which is no comparison"),
        ({"year": "recent"}, "cannot compare 'recent' with a column of int64"),
        ({"year": [1990, "x"]}, "cannot compare"),
        ({"topic": ["space", 7]}, "cannot compare"),
        ({"year": {"gte": 10**30}}, "cannot compare"),
        ({"topic": 7}, "cannot compare 7"),
        ({"topic": {"gte": 3}}, "cannot compare 3"),
    ],
)
def test_a_filter_that_cannot_be_is_a_sentence(table, filters, message):
    with pytest.raises(LabError, match=message) as caught:
        allowed_rows(table, filters)
    assert caught.value.hint
