import json

import pytest
import torch

from hub_utils.errors import LabError
from tests.faults import room_for
from training.shared import checkpoint
from training.shared.checkpoint import Checkpoint


def taken(value: float) -> Checkpoint:
    return Checkpoint({"w": torch.full((2, 2), value)}, {"step": value, "history": [1, 2]})


def test_what_was_saved_comes_back(tmp_path):
    checkpoint.save(tmp_path, taken(1.5), step=3)
    found = checkpoint.load(tmp_path)
    assert found is not None
    assert torch.equal(found.tensors["w"], torch.full((2, 2), 1.5))
    assert found.state == {"step": 1.5, "history": [1, 2]}


def test_the_newest_replaces_the_one_before(tmp_path):
    checkpoint.save(tmp_path, taken(1), step=1)
    checkpoint.save(tmp_path, taken(2), step=2)
    found = checkpoint.load(tmp_path)
    assert found is not None
    assert found.state["step"] == 2
    assert [path.name for path in tmp_path.glob("step-*")] == ["step-2"]


def test_one_that_was_not_finished_is_not_seen(tmp_path):
    checkpoint.save(tmp_path, taken(1), step=1)
    half = tmp_path / "step-2"
    half.mkdir()
    (half / "tensors.safetensors").write_bytes(b"half")
    found = checkpoint.load(tmp_path)
    assert found is not None
    assert found.state["step"] == 1


def test_nothing_there_is_no_error(tmp_path):
    assert checkpoint.load(tmp_path / "none") is None
    checkpoint.save(tmp_path / "some", taken(1), step=1)
    checkpoint.clear(tmp_path / "some")
    assert checkpoint.load(tmp_path / "some") is None


def test_no_pickle_is_written(tmp_path):
    checkpoint.save(tmp_path, taken(1), step=1)
    suffixes = {path.suffix for path in tmp_path.rglob("*") if path.is_file()}
    assert suffixes == {".safetensors", ".json"}
    assert json.loads((tmp_path / "current.json").read_text()) == {"step": 1}


def test_a_full_disk_is_a_sentence_and_the_one_before_stays(tmp_path):
    checkpoint.save(tmp_path, taken(1), step=1)
    big = Checkpoint({"w": torch.zeros(4000)}, {"step": 2})
    with room_for(2000), pytest.raises(LabError, match="The disk is full") as caught:
        checkpoint.save(tmp_path, big, step=2)
    assert "--resume" in caught.value.hint
    assert sorted(path.name for path in tmp_path.iterdir()) == ["current.json", "step-1"]
    found = checkpoint.load(tmp_path)
    assert found is not None
    assert found.state["step"] == 1
    checkpoint.save(tmp_path, big, step=2)
    assert checkpoint.load(tmp_path).state["step"] == 2
