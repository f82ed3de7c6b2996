import json

import pytest

from hub_utils.local_hub.records import Entry
from hub_utils.local_hub.weight_facts import count_parameters, read_counts


def weights(path, tensors):
    header = json.dumps(tensors).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    return path


def tensor(dtype, *shape):
    return {"dtype": dtype, "shape": shape, "data_offsets": [0, 0]}


def test_parameters_are_counted_by_type(tmp_path):
    tensors = {"a": tensor("F32", 2, 3), "b": tensor("BF16", 4), "scalar": tensor("F32")}
    path = weights(tmp_path / "model.safetensors", tensors | {"__metadata__": {"format": "pt"}})
    assert read_counts(path) == {"F32": 7, "BF16": 4}


def test_shards_are_added_up_and_other_files_left_out(tmp_path):
    names = [
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
        "x.safetensors",
    ]
    for name in names:
        weights(tmp_path / name, {name: tensor("F32", 5)})
    entries = [Entry(name, "file", 1, "0") for name in names]
    found = count_parameters(entries, lambda entry: tmp_path / entry.path)
    assert found == {"parameters": {"F32": 10}, "total": 10}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff" * 8,
        b"\x02" + bytes(7) + b"[]",
        b"\x02" + bytes(7) + b"{x",
        (8).to_bytes(8, "little") + b'{"a": 1}',
    ],
)
def test_file_that_is_no_safetensors_counts_nothing(tmp_path, content):
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    assert read_counts(path) == {}
