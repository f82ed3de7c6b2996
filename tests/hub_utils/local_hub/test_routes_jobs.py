"""Jobs by the official client and the `hf` command, against what the embedded Hub records."""

import subprocess
import sys

import pytest
from huggingface_hub import Volume
from huggingface_hub.errors import HfHubHTTPError


@pytest.fixture
def job(api):
    """A recorded job."""
    return api.run_job(
        image="python:3.11",
        command=["bash", "-c", "echo $WORD", "a b"],
        env={"WORD": "open"},
        secrets={"HF_TOKEN": "hf_not_to_be_kept"},
        flavor="cpu-upgrade",
        timeout="2h",
        labels={"recipe": "bert"},
        volumes=[Volume(type="dataset", source="lab/code", mount_path="/lab", revision="main")],
        namespace="lab",
    )


def test_a_job_comes_back_as_it_was_submitted_and_says_that_it_is_not_run(api, job):
    again = api.inspect_job(job_id=job.id, namespace="lab")
    assert again == job
    assert (again.docker_image, again.command[-1], again.flavor) == (
        "python:3.11", "a b", "cpu-upgrade",
    )  # fmt: skip
    assert (again.volumes[0].source, again.volumes[0].mount_path) == ("lab/code", "/lab")
    assert again.status.stage == "SCHEDULING"
    assert "runs no jobs" in again.status.message
    assert "runs no jobs" in "".join(api.fetch_job_logs(job_id=job.id, namespace="lab"))


def test_a_secrets_value_is_neither_shown_nor_stored(raw, hub_server, job):
    shown = raw.get(f"/api/jobs/lab/{job.id}").text
    assert '"HF_TOKEN"' in shown
    kept = (hub_server.root / "jobs" / "lab" / f"{job.id}.json").read_text()
    assert "hf_not_to_be_kept" not in shown + kept


def test_jobs_are_listed_by_stage_and_label_and_can_be_cancelled(api, job):
    def listed(**which):
        return {one.id for one in api.list_jobs(namespace="lab", **which)}

    assert job.id in listed()
    assert job.id in listed(labels={"recipe": "bert"}, status="SCHEDULING")
    assert job.id not in listed(labels={"recipe": "gpt"})
    api.cancel_job(job_id=job.id, namespace="lab")
    assert job.id in listed(status="CANCELED")
    assert job.id not in listed(status="SCHEDULING")


def test_the_hf_command_lists_it(job):
    done = subprocess.run(
        [sys.executable, "-m", "huggingface_hub.cli.hf", "jobs", "ps", "--namespace", "lab",
         "--no-truncate"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert job.id in done.stdout, done.stderr


@pytest.mark.parametrize(
    "body",
    [
        {"command": ["x"], "flavor": "cpu-basic"},
        {"dockerImage": "a", "command": "x", "flavor": "cpu-basic"},
        {"dockerImage": "a", "command": ["x"], "flavor": "Big One"},
        {"dockerImage": "a", "command": ["x"], "flavor": "cpu-basic", "labels": ["x"]},
    ],
)
def test_a_broken_job_is_refused(raw, body):
    assert raw.post("/api/jobs/lab", json=body).status_code == 400


def test_jobs_are_the_owners_only_and_unknown_ones_are_missing(anonymous, api, job):
    assert anonymous.get("/api/jobs/lab").status_code == 401
    assert anonymous.get(f"/api/jobs/lab/{job.id}").status_code == 401
    with pytest.raises(HfHubHTTPError) as caught:
        api.inspect_job(job_id="0" * 24, namespace="lab")
    assert caught.value.response.status_code == 404
