"""Which revision is served."""

import threading

import pytest

from hub_utils.names import RepoId
from hub_utils.pins import Pin, PinStore, effective_pin, effective_revision

REPO = RepoId("lab", "reuters-classifier")
OTHER = RepoId("lab", "other")


@pytest.fixture
def pins(tmp_path):
    return PinStore(tmp_path / "deep" / "pins.json")


def test_without_a_pin_the_newest_is_served(pins):
    assert pins.get(REPO) is None
    assert effective_revision(REPO, revisions={}, pins=pins) is None


def test_a_pin_survives_a_restart(pins):
    pins.set(REPO, "abc")
    assert PinStore(pins.path).get(REPO) == "abc"
    assert effective_pin(REPO, revisions={}, pins=pins) == Pin("abc", by="page")


def test_clearing_a_pin_leaves_the_others(pins):
    pins.set(REPO, "abc")
    pins.set(OTHER, "def")
    pins.clear(REPO)
    pins.clear(REPO)
    assert (pins.get(REPO), pins.get(OTHER)) == (None, "def")


def test_a_dataset_of_the_same_name_has_its_own_pin(pins):
    pins.set(RepoId("lab", "other", "dataset"), "abc")
    assert pins.get(OTHER) is None


@pytest.mark.parametrize("key", ["lab/reuters-classifier", "reuters-classifier"])
def test_the_environment_wins(pins, key):
    pins.set(REPO, "abc")
    assert effective_pin(REPO, revisions={key: "v1"}, pins=pins) == Pin("v1", by="environment")


@pytest.mark.parametrize("content", ["", "[]", "{", '{"lab/reuters-classifier": 3}'])
def test_a_damaged_file_is_as_good_as_none(pins, content):
    pins.path.parent.mkdir()
    pins.path.write_text(content)
    assert pins.get(REPO) is None
    pins.set(REPO, "abc")
    assert pins.get(REPO) == "abc"


def test_pins_set_at_once_are_all_kept(pins):
    repos = [RepoId("lab", f"m{number}") for number in range(20)]
    threads = [threading.Thread(target=pins.set, args=(repo, repo.name)) for repo in repos]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [pins.get(repo) for repo in repos] == [repo.name for repo in repos]
    assert [path.name for path in pins.path.parent.iterdir()] == ["pins.json"]
