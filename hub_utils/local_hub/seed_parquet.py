"""Columns to Parquet bytes, always the same bytes, with the feature types that `datasets` reads."""

import io
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

Feature = Mapping[str, Any]

STRING: Feature = {"dtype": "string", "_type": "Value"}
STRINGS: Feature = {"feature": STRING, "_type": "List"}
IMAGE: Feature = {"_type": "Image"}

ROWS_PER_GROUP = 1000  # a reader of the first rows touches one group only


def parquet_bytes(columns: Mapping[str, Sequence[Any]], features: Mapping[str, Feature]) -> bytes:
    """One Parquet file; its `huggingface` entry makes `load_dataset` give these features."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    described = json.dumps({"info": {"features": features}})
    schema = pa.schema(
        [(name, _arrow_type(feature)) for name, feature in features.items()],
        metadata={"huggingface": described},
    )
    table = pa.table({name: columns[name] for name in features}, schema=schema)
    out = io.BytesIO()
    pq.write_table(table, out, compression="zstd", row_group_size=ROWS_PER_GROUP)
    return out.getvalue()


def _arrow_type(feature: Feature) -> "pa.DataType":
    import pyarrow as pa

    kind = feature.get("_type")
    if kind == "Image":
        return pa.struct({"bytes": pa.binary(), "path": pa.string()})
    if kind == "List":
        return pa.list_(_arrow_type(feature["feature"]))
    if kind == "Value":
        return pa.type_for_alias(feature["dtype"])
    return pa.struct({name: _arrow_type(inner) for name, inner in feature.items()})
