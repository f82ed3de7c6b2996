"""`--on jobs` submits the same command; the embedded Hub records what the real one would run."""

import json
import os

import pytest

from training import jobs
from training.cli import main

ASKED = ["--data", "lab/reuters-r8", "--max-seconds", "60", "--repo", "elsewhere"]


@pytest.fixture
def train(hub_server, capsys):
    """Runs `python -m training`: (exit code, last line of stdout, stderr)."""
    before = dict(os.environ)  # connect() writes to it

    def run(*words):
        code = main(list(words))
        out, err = capsys.readouterr()
        return code, json.loads(out.splitlines()[-1]) if out else None, err

    yield run
    os.environ.clear()
    os.environ.update(before)


def test_a_dry_run_shows_the_call_and_no_value(train, hub):
    code, said, _ = train("bert", *ASKED, "--on", "jobs", "--flavor=t4-small", "--timeout", "90m",
                          "--dry-run")  # fmt: skip
    assert code == 0
    assert said["command"] == ["bash", "-c", jobs.SCRIPT, "training", "bert", *ASKED]
    assert (said["flavor"], said["timeout"]) == ("t4-small", "90m")
    assert (said["env"], said["secrets"]) == (["LAB_NAMESPACE", "PYTHONPATH"], ["HF_TOKEN"])
    assert said["volumes"] == ["hf://datasets/lab/llm-core-lab-source:/lab:ro"]
    assert hub.token not in json.dumps(said)
    assert not list(hub.api.list_jobs(namespace="lab", labels={"name": "never"}))


def test_a_job_is_submitted_with_the_source_it_needs(train, hub):
    code, said, _ = train("gpt", "--data", "lab/fairy-tales", "--on", "jobs")
    assert (code, said["stage"]) == (0, "SCHEDULING")
    job = hub.api.inspect_job(job_id=said["job"], namespace="lab")
    assert job.command[4:] == ["gpt", "--data", "lab/fairy-tales"]
    assert job.flavor == jobs.DEFAULT_FLAVOR
    assert job.environment == {"PYTHONPATH": "/lab", "LAB_NAMESPACE": "lab"}
    volume = job.volumes[0]
    assert (volume.type, volume.source, volume.revision) == (
        "dataset", said["source"], said["source_revision"],
    )  # fmt: skip
    info = hub.api.dataset_info(volume.source, revision=volume.revision)
    files = {item.rfilename for item in info.siblings}
    assert info.private is True
    assert {"training/__main__.py", "training/gpt/train.py", "hub_utils/push.py",
            "requirements.txt", "constraints.txt"} <= files  # fmt: skip
    assert not [name for name in files if name.startswith(("hub_utils/local_hub", "tests", "tabs"))]


def test_the_source_alone_can_train(tmp_path):
    """As in the job: no other file of the project is there."""
    import subprocess
    import sys

    jobs.copy_source(tmp_path)
    home = tmp_path / "elsewhere"
    home.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "training", "bert", "--data", "no-such-file.csv", "--no-push"],
        cwd=home, env={**os.environ, "PYTHONPATH": str(tmp_path)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2
    assert "no-such-file.csv" in done.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--flavor", "h2000"], "--flavor h2000 is no hardware"),
        (["--timeout", "soon"], "--timeout soon is no duration"),
        (["--resume"], "starts with an empty disk"),
        (["--no-push"], "starts with an empty disk"),
    ],
)
def test_what_a_job_cannot_do_is_a_sentence(train, words, says):
    code, said, err = train("bert", *ASKED, "--on", "jobs", *words)
    assert (code, said) == (2, None)
    assert says in err


def test_a_local_file_is_refused_since_a_job_could_not_read_it(train, tmp_path):
    path = tmp_path / "tickets.csv"
    path.write_text("text,label\na,b\n")
    code, _, err = train("bert", "--data", str(path), "--on", "jobs", "--dry-run")
    assert code == 2
    assert "tickets.csv is on this machine" in err


def test_options_of_a_job_without_a_job_are_refused(train):
    code, _, err = train("bert", *ASKED, "--flavor", "t4-small")
    assert code == 2
    assert "--on jobs" in err
