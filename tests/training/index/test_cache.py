"""The cache: checked, built again, one builder at a time, old revisions gone unless in use."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hub_utils.errors import LabError
from training.index.cache import KEPT, MARKER, Cache, stamp_of

ROOT = Path(__file__).parents[3]


def made(root, stamp="one"):
    return Cache(root, repo="lab/index", stamp=stamp)


def entry(cache, *, settings=None, content="built", counted=None):
    """An entry of one file; `counted` hears of every building."""

    def fill(folder):
        if counted is not None:
            counted.append(folder)
        (folder / "data.txt").write_text(content)

    return cache.entry(
        "text",
        settings or {"v": 1},
        fill=fill,
        open=lambda folder: (folder / "data.txt").read_text(),
    )


def test_an_entry_is_built_once(tmp_path):
    counted = []
    for _ in range(2):
        assert entry(made(tmp_path), counted=counted) == "built"
    assert len(counted) == 1


@pytest.mark.parametrize("damage", ["cut", "gone", "no marker", "marker cut", "other format"])
def test_a_damaged_entry_is_built_again(tmp_path, damage):
    cache, counted = made(tmp_path), []
    entry(cache, counted=counted)
    folder = cache.folder / "text"
    content = json.loads((folder / MARKER).read_text())
    if damage == "cut":
        (folder / "data.txt").write_text("bui")
    elif damage == "gone":
        (folder / "data.txt").unlink()
    elif damage == "no marker":
        (folder / MARKER).unlink()
    elif damage == "marker cut":
        (folder / MARKER).write_text("{")
    else:
        (folder / MARKER).write_text(json.dumps({**content, "format": 0}))
    assert entry(cache, counted=counted) == "built"
    assert len(counted) == 2


def test_other_settings_build_again(tmp_path):
    counted = []
    entry(made(tmp_path), counted=counted)
    assert entry(made(tmp_path), settings={"v": 2}, content="new", counted=counted) == "new"
    assert len(counted) == 2


def test_a_building_that_fails_leaves_nothing_that_serves(tmp_path):
    cache = made(tmp_path)

    def fill(folder):
        (folder / "data.txt").write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(LabError, match="disk is full"):
        cache.entry("text", {"v": 1}, fill=fill, open=lambda folder: folder)
    assert list(cache.folder.iterdir()) == []
    assert entry(cache) == "built"


def test_what_a_killed_builder_left_is_cleared(tmp_path):
    cache = made(tmp_path)
    (cache.folder / ".text-abc").mkdir()
    (cache.folder / ".text-abc" / "data.txt").write_text("half")
    assert entry(cache) == "built"
    assert {path.name for path in cache.folder.iterdir()} == {"text"}


def test_another_revision_or_manifest_is_another_place():
    stamps = {stamp_of("a", b"1"), stamp_of("b", b"1"), stamp_of("a", b"2"), stamp_of(None, b"1")}
    assert len(stamps) == 4


def test_old_revisions_go_unless_they_are_in_use(tmp_path):
    def stamps():
        return {path.name for path in (tmp_path / "lab--index").iterdir() if path.is_dir()}

    caches = {}
    for age, stamp in enumerate(("one", "two", "three", "four")):
        caches[stamp] = made(tmp_path, stamp)
        os.utime(caches[stamp].folder, (age, age))
        if stamp != "two":
            caches[stamp].close()  # "two" stays open
    assert KEPT == 2
    made(tmp_path, "five").close()
    assert "two" in stamps()
    assert "one" not in stamps()
    caches["two"].close()
    made(tmp_path, "six").close()
    assert stamps() == {"five", "six"}


BUILDER = """
import sys
from pathlib import Path
from training.index.cache import Cache

root, log, number = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
log.with_suffix(f".{number}").touch()
while len(list(log.parent.glob("log.*"))) < 2:
    pass

def fill(folder):
    with log.open("a") as file:
        file.write("built\\n")
    (folder / "data.txt").write_text("x" * 1_000_000)

cache = Cache(root, repo="lab/index", stamp="one")
text = cache.entry("text", {"v": 1}, fill=fill, open=lambda folder: (folder / "data.txt").read_text())
assert len(text) == 1_000_000
"""


def test_two_processes_that_want_the_same_build_it_once(tmp_path):
    log = tmp_path / "log"
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", BUILDER, tmp_path / "cache", log, str(number)], cwd=ROOT
        )
        for number in range(2)
    ]
    assert [worker.wait(60) for worker in workers] == [0, 0]
    assert log.read_text() == "built\n"
