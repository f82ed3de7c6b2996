"""Pickles are recognised by name and by content, and refused."""

import io
import pickletools
import zipfile

import numpy as np
import pytest
from safetensors.numpy import save_file

from hub_utils import weights
from hub_utils.errors import UnsafeWeightsError

# What `pickle.dumps([1])` writes with protocol 4; nothing here is ever unpickled.
PICKLE = b"\x80\x04\x95\x06\x00\x00\x00\x00\x00\x00\x00]\x94K\x01a."


def torch_archive():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", PICKLE)
    return buffer.getvalue()


def test_the_sample_is_a_pickle():
    assert [op.name for op, _, _ in pickletools.genops(PICKLE)][-1] == "STOP"


@pytest.mark.parametrize("name", ["pytorch_model.bin", "a/b.PT", "c.pkl", "model.ckpt", "x.joblib"])
def test_a_pickles_name_is_refused(tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(b"harmless")
    with pytest.raises(UnsafeWeightsError, match=name):
        weights.refuse_pickles(tmp_path, [name])


@pytest.mark.parametrize("content", [PICKLE, torch_archive()], ids=["pickle", "torch archive"])
def test_a_pickle_under_another_name_is_refused(tmp_path, content):
    (tmp_path / "model.dat").write_bytes(content)
    with pytest.raises(UnsafeWeightsError, match=r"model\.dat"):
        weights.refuse_pickles(tmp_path, ["model.dat"])


def test_safe_files_pass(tmp_path):
    save_file({"w": np.zeros(3, np.float32)}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "empty.txt").write_text("")
    weights.refuse_pickles(tmp_path, ["model.safetensors", "config.json", "empty.txt"])
    weights.refuse_disguised("lab/m", tmp_path)


def test_a_repository_of_pickles_only_is_refused_naming_the_file_and_the_way_out():
    with pytest.raises(UnsafeWeightsError, match=r"lab/m .*pytorch_model\.bin") as caught:
        weights.refuse_only_pickles("lab/m", ["config.json", "pytorch_model.bin"])
    assert "safetensors" in caught.value.hint


@pytest.mark.parametrize("names", [["config.json"], ["model.safetensors", "pytorch_model.bin"], []])
def test_safe_weights_beside_pickles_are_enough(names):
    weights.refuse_only_pickles("lab/m", names)


@pytest.mark.parametrize(
    "content", [PICKLE, b"", b"{}", b"\x10\0\0\0\0\0\0\0[1]", b"\xff" * 64], ids=repr
)
def test_something_else_named_safetensors_is_refused(tmp_path, content):
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(UnsafeWeightsError, match="not what its name says"):
        weights.refuse_disguised("lab/m", tmp_path)


@pytest.mark.parametrize("type", ["model", "dataset", "space"])
def test_the_ignored_patterns_are_refused_names(type):
    import fnmatch

    for pattern in weights.ignored_patterns(type):
        name = pattern.replace("*", "sub/weights")
        assert weights.may_be_pickle(name)
        assert fnmatch.fnmatch(name, pattern)
