"""Filters on metadata: which rows may be found.

{"newsgroup": "sci.space"}                      equal
{"newsgroup": ["sci.space", "sci.med"]}         one of these
{"year": {"gte": 1992, "lt": 1994}}             a range
All conditions must hold; an empty cell meets none.
"""

from __future__ import annotations

import difflib
import operator
from collections.abc import Mapping
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from hub_utils.errors import LabError

if TYPE_CHECKING:
    import pyarrow as pa

    from training.index.stores.base import Rows

RANGES = {"gt": "greater", "gte": "greater_equal", "lt": "less", "lte": "less_equal"}


def allowed_rows(table: pa.Table, filters: Mapping[str, Any] | None) -> Rows | None:
    """The rows that meet all conditions, ascending; None where nothing is filtered.

    Raises LabError for a column that is not there or a value that is not of its kind.
    """
    if not filters:
        return None
    masks = [_mask(table, name, wanted) for name, wanted in filters.items()]
    rows: Rows = np.flatnonzero(reduce(operator.and_, masks)).astype(np.int64)
    return rows


def _mask(table: pa.Table, name: str, wanted: Any) -> np.ndarray:
    column = _column(table, name)
    if isinstance(wanted, Mapping):
        checks = [(_range(name, key), value) for key, value in wanted.items()]
    elif isinstance(wanted, (list, tuple, set, frozenset)):
        checks = [("is_in", list(wanted))]
    else:
        checks = [("equal", wanted)]
    masks = [_check(column, name, function, value) for function, value in checks]
    return reduce(operator.and_, masks, np.ones(table.num_rows, bool))


def _column(table: pa.Table, name: str) -> pa.ChunkedArray:
    names = [column for column in table.column_names if column != "embedding"]
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        guess = f" Did you mean {near[0]!r}?" if near else ""
        raise LabError(
            f"This index has no column {name!r} to filter by.{guess}",
            hint=f"It has: {', '.join(names)}.",
        )
    return table[name]


def _range(name: str, key: str) -> str:
    if key not in RANGES:
        raise LabError(
            f"The filter on {name!r} has {key!r}, which is no comparison.",
            hint=f"Use {', '.join(RANGES)}, as in {{{name!r}: {{'gte': 1}}}}.",
        )
    return RANGES[key]


def _check(column: pa.ChunkedArray, name: str, function: str, value: Any) -> np.ndarray:
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        if function == "is_in":
            mask = pc.is_in(column, value_set=_cast(pa.array(value), column))
        else:
            mask = pc.call_function(function, [column, pa.scalar(value)])
    # In this order: [1990, "x"]; ["space", 7]; a text against numbers; more than 64 bits. Their
    # only common class holds Arrow's out-of-memory, too, which is nobody's wrong filter.
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError):
        raise LabError(
            f"The filter on {name!r} cannot compare {value!r} with a column of {column.type}.",
            hint="Give a value of the column's kind.",
        ) from None
    return np.asarray(mask.fill_null(False))


def _cast(values: pa.Array, column: pa.ChunkedArray) -> pa.Array:
    """Whole and broken numbers compare with each other; other kinds must fit."""
    import pyarrow as pa

    if pa.types.is_null(values.type):
        return values.cast(column.type)
    return values if values.type == column.type else values.cast(column.type)
