"""Each finding is one line that says what to do; a problem makes the exit code 2."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from hub_utils import doctor
from hub_utils.connection import Hub
from hub_utils.settings import Settings
from tests.conftest import ROOT, HubServer

WHO = {"name": "ada", "orgs": [{"name": "lab"}], "auth": {"accessToken": {"role": "write"}}}


def with_role(role: str) -> dict:
    return {**WHO, "auth": {"accessToken": {"role": role}}}


def test_the_command_says_a_line_each_and_ends_with_json(hub_server: HubServer, tmp_path: Path):
    secret = "hf_a_space_token_that_is_refused"
    done = subprocess.run(
        [sys.executable, "-m", "hub_utils", "doctor"],
        cwd=ROOT,
        env={**os.environ, "LAB_SPACE_TOKEN": secret, "LAB_NAMESPACE": "nobody"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    *lines, last = done.stdout.splitlines()
    said = json.loads(last)
    assert len(lines) == len(said["findings"])
    levels = {finding["name"]: finding["level"] for finding in said["findings"]}
    assert {"python", "libraries", "settings", "disk", "port", "hub", "token", "cache"} <= set(
        levels
    )
    assert (levels["hub"], levels["token"], levels["settings"]) == ("ok", "ok", "ok")
    assert (levels["namespace"], levels["space"]) == ("problem", "problem")
    assert said["problems"] == [*levels.values()].count("problem")
    fixes = {finding["name"]: finding["fix"] for finding in said["findings"]}
    assert fixes["namespace"] == "Set LAB_NAMESPACE to one of: lab"
    assert secret not in done.stdout + done.stderr
    assert hub_server.token not in done.stdout + done.stderr


def test_a_setting_that_cannot_be_used_ends_the_look():
    *_, last = doctor.examine({"LAB_PORT": "eighty"})
    assert (last.level, last.name) == ("problem", "settings")
    assert "LAB_PORT='eighty'" in last.line()


@pytest.mark.parametrize(
    ("role", "level"),
    [("write", "ok"), ("read", "problem"), ("fineGrained", "note"), ("", "problem")],
)
def test_a_token_must_be_one_that_may_write(role: str, level: str):
    finding = doctor.token(with_role(role))
    assert finding.level == level
    assert "ada" in finding.said


def test_a_namespace_is_the_users_or_one_of_their_organisations():
    assert [doctor.namespace(name, WHO).level for name in ("ada", "lab", "bob")] == [
        "ok", "ok", "problem",
    ]  # fmt: skip


def test_a_hub_without_a_token_can_only_be_read():
    hub = Hub("https://huggingface.co", None, namespace="lab", embedded=False)
    (finding,) = doctor.account(hub, Settings())
    assert (finding.level, finding.name) == ("note", "token")


def test_a_hub_that_is_away_is_a_problem_with_its_address():
    hub = Hub("http://127.0.0.1:1", "hf_secret", namespace="lab", embedded=False)
    (finding,) = doctor.account(hub, Settings())
    assert finding.level == "problem"
    assert "http://127.0.0.1:1 does not answer" in finding.line()
    assert "hf_secret" not in finding.line()


def test_a_taken_port_is_a_note_and_the_next_one_is_named():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        finding = doctor.port(number)
    assert (finding.level, finding.fix) == ("note", f"For a second one: LAB_PORT={number + 1}")
    assert doctor.port(0).level == "ok"


@pytest.mark.parametrize(("gib", "level"), [(50, "ok"), (5, "note"), (1, "problem")])
def test_disk_space_is_a_note_before_it_is_a_problem(tmp_path: Path, gib: int, level: str):
    finding = doctor.disk(tmp_path / "not" / "yet", free_bytes=gib * 2**30)
    assert finding.level == level
    assert bool(finding.fix) == (level != "ok")


def test_libraries_are_held_against_what_is_required_and_what_was_tested(tmp_path: Path):
    (tmp_path / "requirements.txt").write_text(
        "# comment\npytest>=1 # with a reason\nruff<0.0.1\nno-such-package\nmypy\n"
    )
    (tmp_path / "constraints.txt").write_text("pytest==1.2.3\nMyPy==9.9\n")
    problem, note = doctor.libraries(tmp_path)
    assert problem.level == "problem"
    assert "ruff" in problem.said
    assert "no-such-package is missing" in problem.said
    assert note.level == "note"
    assert "pytest" in note.said
    assert "mypy" in note.said
    assert problem.fix == note.fix
    assert "constraints.txt" in note.fix


def test_a_cache_that_is_not_there_yet_is_fine(tmp_path: Path):
    hub = Hub("http://127.0.0.1:1", None, namespace="lab", embedded=False, cache=tmp_path / "none")
    assert doctor.cache(hub).level == "ok"
