"""Trainings run one at a time, tell how they stand, and leave no process behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub_utils.errors import LabError
from tabs.jobs import JobState
from tabs.training_jobs import TrainingJobs
from tests.tabs.lab import ROOT, wait_until

# A recipe in small: same command line and same files as `python -m training`.
RECIPE = """
import json, pathlib, subprocess, sys, time
recipe, _, folder, *rest = sys.argv[1:]
folder = pathlib.Path(folder)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
(folder / "pids.json").write_text(json.dumps([__import__("os").getpid(), child.pid]))
state = {"recipe": recipe, "phase": "train", "step": 3, "steps": 10, "loss": 0.5, "seconds": 3.0,
         "seconds_left": 7.0, "message": "", "history": [{"step": 1, "loss": 2.0}, {"step": 3, "loss": 0.5}]}
(folder / "progress.json").write_text(json.dumps(state))
while "--until-stopped" in rest and not (folder / "go").exists():
    time.sleep(0.02)
child.kill()
if "--fail" in rest:
    print("error: no rows in data.csv, row 3", file=sys.stderr)
    sys.exit(2)
print("a line before")
print(json.dumps({"accuracy": 0.97, "arguments": rest}))
"""


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[TrainingJobs]:
    script = tmp_path / "recipe.py"
    script.write_text(RECIPE)
    made = TrainingJobs(tmp_path / "runs", command=(sys.executable, str(script)))
    yield made
    made.close()


def settled(jobs: TrainingJobs, recipe: str) -> JobState:
    wait_until(lambda: not jobs.state(recipe).active, what=f"{recipe} to end")
    return jobs.state(recipe)


def pids(jobs: TrainingJobs, recipe: str) -> list[int]:
    path = jobs.output_dir(recipe) / "pids.json"
    wait_until(lambda: path.exists() and path.read_text().endswith("]"), what="the recipe to start")
    return [int(pid) for pid in json.loads(path.read_text())]


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state not in ("Z", "X")


def test_a_job_that_was_never_started_is_idle(jobs: TrainingJobs):
    assert jobs.state("bert").status == "idle"
    assert jobs.all() == ()


def test_a_job_ends_with_the_figures_of_its_last_line(jobs: TrainingJobs):
    jobs.start("bert", ["--push"])
    state = settled(jobs, "bert")
    assert state.status == "finished"
    assert state.result == {"accuracy": 0.97, "arguments": ["--push"]}


def test_a_running_job_shows_its_progress(jobs: TrainingJobs):
    jobs.start("bert", ["--until-stopped"])
    wait_until(lambda: jobs.state("bert").progress.steps == 10, what="progress")
    (state,) = jobs.all()
    assert state.status == "running"
    assert state.active
    assert state.progress.fraction == pytest.approx(0.3)
    assert state.progress.seconds_left == 7.0
    assert state.progress.history == ((1, 2.0), (3, 0.5))


def test_a_failed_job_says_why_in_the_recipes_own_words(jobs: TrainingJobs):
    jobs.start("bert", ["--fail"])
    state = settled(jobs, "bert")
    assert state.status == "failed"
    assert state.problem == "no rows in data.csv, row 3"


def test_a_job_that_cannot_even_start_says_so(tmp_path: Path):
    (tmp_path / "runs").write_text("a file where the folder should be")
    jobs = TrainingJobs(tmp_path / "runs")
    jobs.start("bert")
    state = settled(jobs, "bert")
    assert state.status == "failed"
    assert state.problem.startswith("The training did not start")


def test_a_second_start_of_a_running_recipe_is_refused(jobs: TrainingJobs):
    jobs.start("bert", ["--until-stopped"])
    with pytest.raises(LabError, match="already runs"):
        jobs.start("bert")


def test_jobs_run_one_after_the_other(jobs: TrainingJobs):
    jobs.start("bert", ["--until-stopped"])
    pids(jobs, "bert")
    jobs.start("gpt")
    assert [(job.name, job.status) for job in jobs.all()] == [
        ("bert", "running"),
        ("gpt", "queued"),
    ]
    (jobs.output_dir("bert") / "go").touch()
    assert settled(jobs, "gpt").status == "finished"
    assert jobs.state("bert").status == "finished"


def test_a_readers_own_training_comes_before_others_that_wait(jobs: TrainingJobs, tmp_path: Path):
    data = tmp_path / "data"
    data.mkdir()
    jobs.start("bert", ["--until-stopped"])
    pids(jobs, "bert")
    jobs.start("gpt", ["--until-stopped"])
    jobs.start_own("bert", "router", ["--data=x"], data=data)
    assert [job.name for job in jobs.all()] == ["bert", "own-router", "gpt"]  # as readers see them
    (jobs.output_dir("bert") / "go").touch()
    done = settled(jobs, "own-router")
    assert (done.status, done.title) == ("finished", "router")
    assert done.result["arguments"] == ["--repo", "router", "--push", "--data=x"]
    assert jobs.state("gpt").active
    wait_until(lambda: not data.exists(), what="the data to go")


def test_stopping_ends_the_process_and_what_it_started(jobs: TrainingJobs):
    jobs.start("bert", ["--until-stopped"])
    started = pids(jobs, "bert")
    jobs.stop()
    assert settled(jobs, "bert").status == "stopped"
    wait_until(lambda: not any(alive(pid) for pid in started), what="the processes to end")


def test_a_training_that_is_killed_says_so_and_the_next_one_runs(jobs: TrainingJobs):
    jobs.start("bert", ["--until-stopped"])
    jobs.start("gpt")
    recipe, child = pids(jobs, "bert")
    os.kill(recipe, signal.SIGKILL)
    state = settled(jobs, "bert")
    assert state.status == "failed"
    assert state.problem.startswith("The training was killed (signal 9)")
    assert settled(jobs, "gpt").status == "finished"
    wait_until(lambda: not alive(child), what="what the killed recipe had started to end")


def test_nothing_starts_after_closing(jobs: TrainingJobs):
    jobs.close()
    with pytest.raises(LabError, match="shutting down"):
        jobs.start("bert")


def test_a_killed_app_leaves_no_training_behind(tmp_path: Path):
    script = tmp_path / "recipe.py"
    script.write_text(RECIPE)
    app = f"""
import sys, threading
from pathlib import Path
from tabs.training_jobs import TrainingJobs
jobs = TrainingJobs(Path({str(tmp_path / "runs")!r}), command=(sys.executable, {str(script)!r}))
jobs.start("bert", ["--until-stopped"])
threading.Event().wait()
"""
    process = subprocess.Popen([sys.executable, "-c", app], cwd=ROOT)
    started = pids(TrainingJobs(tmp_path / "runs"), "bert")
    assert all(alive(pid) for pid in started)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    wait_until(lambda: not any(alive(pid) for pid in started), what="the processes to end")
