"""An earlier revision comes back as a new commit; a copy serves what its source serves."""

from __future__ import annotations

import pytest

from hub_utils.catalog import history
from hub_utils.connection import Hub
from hub_utils.errors import LabError, RepoNotFoundError, RevisionNotFoundError
from hub_utils.names import RepoId
from hub_utils.push import push_folder
from hub_utils.space_history import duplicate, roll_back
from tests.hub_utils.conftest import new_repo


@pytest.fixture
def space(hub: Hub, tmp_path) -> tuple[RepoId, list[str]]:
    """A Space of three revisions: its id, and their commits, the oldest first."""
    repo = new_repo("space")
    revisions = []
    for number, files in enumerate([{"app.py", "old.txt"}, {"app.py", "new.txt"}, {"app.py"}]):
        folder = tmp_path / str(number)
        folder.mkdir()
        for name in files:
            (folder / name).write_text(f"{name} {number if name == 'app.py' else ''}\n")
        pushed = push_folder(folder, repo, hub=hub, message=f"Version {number}")
        revisions.append(pushed.revision)
    return repo, revisions


def files(hub: Hub, repo: RepoId, revision: str | None = None) -> dict[str, str]:
    info = hub.api.space_info(str(repo), revision=revision, files_metadata=True)
    return {item.rfilename: item.blob_id for item in info.siblings}


def test_without_a_revision_the_one_before_comes_back_and_goes_again(hub: Hub, space):
    repo, revisions = space
    pushed, commit = roll_back(repo, hub=hub)
    assert pushed.changed
    assert commit == revisions[1]
    assert files(hub, repo) == files(hub, repo, revisions[1])
    titles = [item.title for item in history(hub, repo, limit=2)]
    assert titles == [f"Bring back {revisions[1][:7]}", "Version 2"]
    roll_back(repo, hub=hub)
    assert files(hub, repo) == files(hub, repo, revisions[2])


@pytest.mark.parametrize("digits", [7, 40])
def test_any_revision_comes_back_by_its_commit(hub: Hub, space, digits: int):
    repo, revisions = space
    _, commit = roll_back(repo, revisions[0][:digits], hub=hub)
    assert commit == revisions[0]
    assert files(hub, repo) == files(hub, repo, revisions[0])


def test_what_is_there_already_makes_no_commit(hub: Hub, space):
    repo, revisions = space
    pushed, _ = roll_back(repo, revisions[2], hub=hub)
    assert (pushed.changed, pushed.revision) == (False, revisions[2])


def test_a_revision_or_a_space_that_is_not_there_is_a_sentence(hub: Hub, space):
    with pytest.raises(RevisionNotFoundError):
        roll_back(space[0], "f" * 40, hub=hub)
    with pytest.raises(RepoNotFoundError):
        roll_back(new_repo("space"), hub=hub)
    empty = new_repo("space")
    hub.api.create_repo(str(empty), repo_type="space", space_sdk="gradio")
    with pytest.raises(RevisionNotFoundError, match="one commit only"):
        roll_back(empty, hub=hub)


def test_a_copy_has_files_history_variables_and_hardware(hub: Hub, space):
    repo, revisions = space
    hub.api.add_space_variable(str(repo), "LAB_NAMESPACE", "lab")
    hub.api.add_space_variable(str(repo), "MINE", "1")
    hub.api.request_space_hardware(str(repo), "t4-small")
    target = RepoId("elsewhere", new_repo().name, "space")
    url = duplicate(repo, target, hub=hub, secrets={})
    assert url == f"{hub.endpoint}/spaces/{target}"
    assert hub.api.space_info(str(target)).sha == revisions[2]
    assert files(hub, target) == files(hub, repo)
    variables = hub.api.get_space_variables(str(target))
    assert {key: item.value for key, item in variables.items()} == {
        "LAB_NAMESPACE": "lab",
        "MINE": "1",
    }
    assert hub.api.get_space_runtime(str(target)).requested_hardware == "t4-small"


def test_a_copy_gets_its_own_token_since_no_secret_can_be_read(hub: Hub, space):
    repo, _ = space
    hub.api.add_space_secret(str(repo), "HF_TOKEN", "hf_of_the_source")
    target = new_repo("space")
    with pytest.raises(LabError, match="HF_TOKEN, whose value cannot be read") as caught:
        duplicate(repo, target, hub=hub, secrets={})
    assert "LAB_SPACE_TOKEN" in caught.value.hint
    assert not hub.api.repo_exists(str(target), repo_type="space")
    duplicate(repo, target, hub=hub, secrets={"HF_TOKEN": "hf_of_the_copy"})
    assert list(hub.api.get_space_secrets(str(target))) == ["HF_TOKEN"]


def test_a_name_that_is_taken_is_a_sentence(hub: Hub, space):
    with pytest.raises(LabError, match=str(space[0])):
        duplicate(space[0], space[0], hub=hub, secrets={})
