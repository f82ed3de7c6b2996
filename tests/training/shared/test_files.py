"""Files are whole or not there; a full disk is a sentence; a folder has one worker."""

import subprocess
import sys
from pathlib import Path

import pytest

from hub_utils.errors import LabError
from training.shared.files import alone_in, write_text, written

ROOT = Path(__file__).parents[3]


def test_a_failed_write_leaves_what_was_there(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(UnicodeEncodeError), written(path) as partial:
        partial.write_text("half, then \ud800", "utf-8")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_a_sentence_and_nothing_is_half_written(tmp_path):
    code = (
        "import resource, sys; from pathlib import Path\n"
        "from training.shared.files import write_text\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "from hub_utils.errors import LabError\n"
        "try: write_text(Path(sys.argv[1]), 'x' * 5000)\n"
        "except LabError as error: print(error.line())"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "a.txt")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("The disk is full")
    assert "Free some space" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_second_worker_is_told_who_works_there(tmp_path):
    code = (
        "import sys; from pathlib import Path\n"
        "from training.shared.files import alone_in\n"
        "with alone_in(Path(sys.argv[1])): print('in', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, text=True, **pipes) as other:
        assert other.stdout.readline() == "in\n"
        with pytest.raises(LabError, match=f"Process {other.pid} works in"), alone_in(tmp_path):
            pass
        other.kill()
        other.wait(timeout=30)
    with alone_in(tmp_path):  # the lock ends with its process
        pass
