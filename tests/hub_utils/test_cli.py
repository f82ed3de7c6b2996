"""python -m hub_utils: short commands, one JSON object on the last line, expected errors on one line."""

import json
import os

import pytest

from hub_utils import cli
from tests.hub_utils.conftest import new_repo


@pytest.fixture
def lab(hub_server):
    """Runs a command against the session's Hub: (exit code, last line of stdout, stderr)."""
    before = dict(os.environ)  # connect() writes to it

    def run(capsys, *arguments):
        code = cli.main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return code, json.loads(out.splitlines()[-1]) if out else None, err

    yield run
    os.environ.clear()
    os.environ.update(before)


def test_whoami_names_the_hub_and_the_user(lab, capsys, hub_server):
    code, said, _ = lab(capsys, "whoami")
    assert code == 0
    assert said == {"endpoint": hub_server.endpoint, "namespace": "lab", "embedded": False}


def test_create_push_list_pull(lab, capsys, folder, tmp_path):
    name = new_repo().name
    assert lab(capsys, "create", name, "--private")[1]["private"]
    pushed = lab(capsys, "push", folder, name, "--message", "By hand")[1]
    assert pushed["changed"]
    assert not lab(capsys, "push", folder, f"lab/{name}")[1]["changed"]
    assert lab(capsys, "list")[1]["repositories"] >= 1
    pulled = lab(capsys, "pull", name, "--to", tmp_path / "copy")[1]
    assert pulled["revision"] == pushed["revision"]
    assert (tmp_path / "copy" / "config.json").read_text() == "{}"


def test_list_shows_repository_revision_and_figure_in_columns(lab, capsys, folder):
    name = new_repo().name
    revision = lab(capsys, "push", folder, name)[1]["revision"]
    cli.main(["list"])
    assert f"lab/{name}" in (out := capsys.readouterr().out)
    assert revision[:8] in out


def test_an_expected_error_is_one_line_and_code_2(lab, capsys):
    code, said, err = lab(capsys, "pull", "lab/never-published")
    assert (code, said) == (2, None)
    assert err.count("\n") == 1
    assert "lab/never-published" in err


def test_creating_what_exists_is_a_sentence(lab, capsys, repo):
    assert lab(capsys, "create", repo.name)[0] == 0
    code, _, err = lab(capsys, "create", repo.name)
    assert code == 2
    assert str(repo) in err


def test_a_bad_setting_is_a_sentence(lab, capsys, monkeypatch):
    monkeypatch.setenv("LAB_PORT", "eighty")
    code, _, err = lab(capsys, "whoami")
    assert code == 2
    assert "LAB_PORT='eighty'" in err


def test_no_command_shows_the_usage(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main([])
    assert caught.value.code == 2
    assert "COMMAND" in capsys.readouterr().err


@pytest.mark.parametrize("command", cli.COMMANDS, ids=lambda command: command.name)
def test_every_command_explains_itself(command, capsys):
    assert command.run.__doc__
    with pytest.raises(SystemExit) as caught:
        cli.main([command.name, "--help"])
    assert caught.value.code == 0
    assert command.run.__doc__.strip() in " ".join(capsys.readouterr().out.split())
