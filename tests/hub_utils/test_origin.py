"""A model is found in a folder of one's own or on the Hub, and either way without pickles."""

import pickle

import pytest

from hub_utils.errors import UnsafeWeightsError
from hub_utils.origin import Origin, find_model
from hub_utils.push import push_folder


def test_a_folder_is_taken_as_it_is(folder):
    assert find_model(folder) == Origin(folder, folder.name, None)


def test_a_model_of_the_hub_is_a_snapshot_of_its_commit(hub, repo, folder):
    pushed = push_folder(folder, repo, hub=hub, message="Publish")
    found = find_model(str(repo))
    assert (found.repo, found.revision, found.away) == (str(repo), pushed.revision, False)
    assert (found.folder / "config.json").read_text() == (folder / "config.json").read_text()


def test_a_folder_with_nothing_but_pickles_is_refused(folder):
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({}))
    with pytest.raises(UnsafeWeightsError):
        find_model(folder)


def test_a_pickle_under_another_name_is_refused(folder):
    (folder / "model.safetensors").write_bytes(pickle.dumps({}))
    with pytest.raises(UnsafeWeightsError):
        find_model(folder)
