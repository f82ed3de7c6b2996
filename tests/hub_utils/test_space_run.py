"""`python -m hub_utils run-space`: the Hub runs the Space, the command follows it."""

import json
import signal
import subprocess
import sys

import httpx
import pytest

from hub_utils.connection import Hub
from hub_utils.errors import LabError
from hub_utils.names import RepoId
from hub_utils.space_run import run_space
from tests.conftest import ROOT
from tests.hub_utils.local_hub.conftest import fresh_name, put
from tests.hub_utils.local_hub.tiny_space import FILES, is_alive


@pytest.fixture
def space(hub):
    """A deployed Space that nobody runs yet, with a secret."""
    name = f"lab/{fresh_name('followed')}"
    secrets = [{"key": "HF_TOKEN", "value": "hf_forgotten"}]
    hub.api.create_repo(name, repo_type="space", space_sdk="gradio", space_secrets=secrets)
    put(hub.api, name, FILES, repo_type="space")
    return name


def start(space, **environment):
    """The command in a process of its own, as in a terminal."""
    import os

    return subprocess.Popen(
        [sys.executable, "-m", "hub_utils", "run-space", space],
        cwd=ROOT, env={**os.environ, **environment}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        # A shell's background job ignores Ctrl-C, and so would all that it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip


def test_it_says_where_the_space_answers_follows_its_log_and_ctrl_c_ends_it(hub, space):
    command = start(space, LAB_SPACE_TOKEN="hf_given_again")
    said = json.loads(command.stdout.readline())
    known = httpx.get(said["url"]).json()
    assert (said["space"], said["revision"]) == (space, hub.api.space_info(space).sha)
    assert known["env"]["HF_TOKEN"] == "hf_given_again"
    command.send_signal(signal.SIGINT)
    out, err = command.communicate(timeout=30)
    assert command.returncode == 130
    assert not out
    assert "gradio: satisfied by" in err
    assert "hf_given_again" not in err
    assert hub.api.get_space_runtime(space).stage == "PAUSED"
    assert not is_alive(known["pid"])


def test_a_space_that_ends_is_an_error_that_says_so(hub, space):
    put(hub.api, space, {"main.py": b"print('no word'); raise SystemExit(4)"}, repo_type="space")
    command = start(space)
    out, err = command.communicate(timeout=60)
    assert (command.returncode, out) == (2, "")
    assert "no word" in err
    assert f"{space}: RUNTIME_ERROR. The app ended with exit code 4." in err


def test_the_real_hub_needs_no_such_command():
    real = Hub("https://huggingface.co", "hf_x", namespace="somebody", embedded=False)
    with pytest.raises(LabError, match="by itself"):
        run_space(RepoId("somebody", "a-space", "space"), hub=real, token=None,
                  say=print, announce=print)  # fmt: skip
