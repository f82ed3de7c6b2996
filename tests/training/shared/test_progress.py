import io
import json

from tests.faults import room_for
from training.shared.progress import MAX_HISTORY, Progress


def state(folder):
    return json.loads((folder / "progress.json").read_text())


def test_a_phase_is_printed_and_written_at_once(tmp_path):
    stream = io.StringIO()
    Progress("bert", tmp_path, stream=stream).say("load", "data x")
    assert stream.getvalue() == "[bert] load: data x\n"
    found = state(tmp_path)
    assert (found["recipe"], found["phase"], found["message"]) == ("bert", "load", "data x")
    assert set(found) >= {"step", "steps", "loss", "seconds", "seconds_left", "history"}


def test_a_step_is_written_with_time_left(tmp_path):
    stream = io.StringIO()
    progress = Progress("bert", tmp_path, stream=stream)
    progress.update(step=3, steps=10, loss=0.5, seconds_left=7.0, message="epoch 1")
    found = state(tmp_path)
    assert (found["step"], found["steps"], found["loss"]) == (3, 10, 0.5)
    assert found["history"] == [{"step": 3, "loss": 0.5}]
    assert "step 3/10, epoch 1, 7 s left" in stream.getvalue()


def test_history_stays_short(tmp_path, monkeypatch):
    monkeypatch.setattr("training.shared.progress.FILE_INTERVAL_S", 0.0)
    progress = Progress("bert", tmp_path, quiet=True)
    for step in range(3 * MAX_HISTORY):
        progress.update(step=step, steps=1, loss=1.0, seconds_left=None, message="")
    assert len(progress.history) <= MAX_HISTORY
    assert progress.history[0]["step"] == 0
    assert progress.history[-1]["step"] > 2 * MAX_HISTORY


def test_other_processes_of_a_run_are_silent(tmp_path):
    stream = io.StringIO()
    Progress("bert", tmp_path / "none", quiet=True, stream=stream).say("load", "data x")
    assert stream.getvalue() == ""
    assert not (tmp_path / "none").exists()


def test_a_part_of_the_run_that_counts_anew_begins_a_new_curve(tmp_path, monkeypatch):
    monkeypatch.setattr("training.shared.progress.FILE_INTERVAL_S", 0.0)
    progress = Progress("tiny", tmp_path, quiet=True)
    for step in (1, 2, 3, 1, 2):
        progress.update(step=step, steps=3, loss=float(step), seconds_left=None, message="")
    assert [point["step"] for point in progress.history] == [1, 2]


def test_a_full_disk_is_no_reason_to_stop_telling(tmp_path):
    progress = Progress("gpt", tmp_path, stream=io.StringIO())
    progress.say("train", "on a whole disk")
    with room_for(10):
        progress.say("evaluate", "on a full one")
    assert "evaluate: on a full one" in progress.stream.getvalue()
    assert json.loads((tmp_path / "progress.json").read_text())["phase"] == "train"
