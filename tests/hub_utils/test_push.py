"""A folder is published in one commit, or in none when the Hub has the same bytes."""

import shutil
import threading

import pytest

from hub_utils.errors import AccessError, HubUnavailableError, LabError, UnsafeWeightsError
from hub_utils.push import push_folder
from tests.hub_utils.conftest import new_repo


def files(hub, repo):
    return set(hub.api.list_repo_files(str(repo), repo_type=repo.type)) - {".gitattributes"}


def commits(hub, repo):
    return hub.api.list_repo_commits(str(repo), repo_type=repo.type)


def test_the_first_push_creates_the_repository_with_one_commit(hub, repo, folder):
    pushed = push_folder(folder, repo, hub=hub, message="Publish it")
    assert pushed.changed
    assert pushed.url == f"{hub.endpoint}/{repo}"
    assert files(hub, repo) == {"README.md", "config.json", "model.safetensors"}
    assert commits(hub, repo)[0].commit_id == pushed.revision
    assert commits(hub, repo)[0].title == "Publish it"


def test_the_same_bytes_make_no_commit(hub, repo, folder):
    first = push_folder(folder, repo, hub=hub, message="Publish")
    count = len(commits(hub, repo))
    again = push_folder(folder, repo, hub=hub, message="Publish again")
    assert (again.changed, again.revision) == (False, first.revision)
    assert len(commits(hub, repo)) == count


def test_a_change_of_the_same_size_is_noticed(hub, repo, folder, make_folder):
    push_folder(folder, repo, hub=hub, message="Publish")
    other = make_folder("other", note="third")  # as long as "first"
    assert (other / "model.safetensors").stat().st_size == (
        folder / "model.safetensors"
    ).stat().st_size
    count = len(commits(hub, repo))
    assert push_folder(other, repo, hub=hub, message="Publish").changed
    assert len(commits(hub, repo)) == count + 1


def test_stale_files_are_deleted_in_the_same_commit(hub, repo, folder):
    (folder / "sub").mkdir()
    (folder / "sub" / "old.txt").write_text("old")
    push_folder(folder, repo, hub=hub, message="Publish")
    shutil.rmtree(folder / "sub")
    (folder / "new.txt").write_text("new")
    count = len(commits(hub, repo))
    push_folder(folder, repo, hub=hub, message="Publish")
    assert files(hub, repo) == {"README.md", "config.json", "model.safetensors", "new.txt"}
    assert len(commits(hub, repo)) == count + 1


def test_stale_files_stay_when_asked_to(hub, repo, folder):
    push_folder(folder, repo, hub=hub, message="Publish")
    (folder / "config.json").unlink()
    pushed = push_folder(folder, repo, hub=hub, message="Publish", delete_stale=False)
    assert not pushed.changed
    assert "config.json" in files(hub, repo)


def test_what_belongs_to_this_machine_stays_here(hub, repo, folder):
    for name in (".git/config", ".cache/x", "__pycache__/x.pyc", ".DS_Store"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("x")
    push_folder(folder, repo, hub=hub, message="Publish")
    assert files(hub, repo) == {"README.md", "config.json", "model.safetensors"}


@pytest.mark.parametrize("type", ["dataset", "space"])
def test_other_kinds_of_repositories_are_published_too(hub, tmp_path, type):
    (tmp_path / "app.py").write_text("print()")
    repo = new_repo(type)
    pushed = push_folder(tmp_path, repo, hub=hub, message="Publish")
    assert pushed.url == f"{hub.endpoint}/{type}s/{repo}"
    assert files(hub, repo) == {"app.py"}


@pytest.mark.parametrize("private", [True, False])
def test_privacy_is_as_asked(hub, repo, folder, private):
    push_folder(folder, repo, hub=hub, message="Publish", private=private)
    assert hub.api.model_info(str(repo)).private is private


def test_on_this_machine_the_default_is_public(hub, repo, folder):
    push_folder(folder, repo, hub=hub, message="Publish")
    assert hub.api.model_info(str(repo)).private is False


def test_a_pickle_is_refused_before_anything_is_created(hub, repo, folder):
    (folder / "pytorch_model.bin").write_bytes(b"anything")
    with pytest.raises(UnsafeWeightsError, match=r"pytorch_model\.bin"):
        push_folder(folder, repo, hub=hub, message="Publish")
    assert not hub.api.repo_exists(str(repo))


def test_a_folder_that_is_missing_or_empty_is_a_sentence(hub, repo, tmp_path):
    with pytest.raises(LabError, match="not a folder"):
        push_folder(tmp_path / "none", repo, hub=hub, message="Publish")
    with pytest.raises(LabError, match="nothing to publish"):
        push_folder(tmp_path, repo, hub=hub, message="Publish")


def test_a_card_that_the_hub_refuses_is_a_sentence(hub, repo, folder):
    (folder / "README.md").write_text("---\nlicense: [\n---\n")
    with pytest.raises(LabError) as caught:
        push_folder(folder, repo, hub=hub, message="Publish")
    assert str(repo) in str(caught.value)


def test_two_at_once_both_land_or_agree(hub, repo, make_folder):
    """Each sees the other's commit, compares again and commits on top of it."""
    folders = [make_folder(f"m{number}", note=f"note {number}") for number in range(4)]
    push_folder(folders[0], repo, hub=hub, message="Start")
    done, failed = [], []

    def publish(folder):
        try:
            done.append(push_folder(folder, repo, hub=hub, message=folder.name))
        except LabError as error:
            failed.append(error)

    threads = [threading.Thread(target=publish, args=(folder,)) for folder in folders[1:]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    history = {commit.commit_id for commit in commits(hub, repo)}
    assert {pushed.revision for pushed in done} <= history


def test_a_wrong_token_is_a_sentence_with_the_way_out(hub, repo, folder):
    from dataclasses import replace

    with pytest.raises(AccessError) as caught:
        push_folder(folder, repo, hub=replace(hub, token="hf_wrong_token"), message="Publish")
    assert "HF_TOKEN" in caught.value.line()
    assert "hf_wrong_token" not in caught.value.line()


def test_no_token_is_a_sentence_with_the_way_out(hub, repo, folder):
    from dataclasses import replace

    with pytest.raises((AccessError, LabError)) as caught:
        push_folder(folder, repo, hub=replace(hub, token=None), message="Publish")
    assert "HF_TOKEN" in caught.value.line()


def test_a_hub_that_is_away_is_a_sentence(hub, repo, folder):
    from dataclasses import replace

    with pytest.raises(HubUnavailableError, match=r"127\.0\.0\.1:9"):
        push_folder(
            folder, repo, hub=replace(hub, endpoint="http://127.0.0.1:9"), message="Publish"
        )
