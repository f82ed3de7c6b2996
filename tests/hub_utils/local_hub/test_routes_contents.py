"""Rows "Contents" of HUB_PROTOCOL.md: trees, paths, commits, branches, tags."""

import pytest
from huggingface_hub import HfFileSystem
from huggingface_hub.errors import (
    HfHubHTTPError,
    RemoteEntryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.hf_api import RepoFolder

from .conftest import put

FILES = {
    "a.txt": b"1",
    "dir/b.txt": b"22",
    "dir/sub/c.txt": b"333",
    "dir/w.safetensors": b"W" * 4000,
    "空 格/é?#%.txt": b"name",
}


@pytest.fixture
def filled(api, repo):
    put(api, repo, FILES, message="fill")
    return repo


def names(entries):
    return [entry.path for entry in entries]


def test_tree_lists_one_folder(api, filled):
    assert names(api.list_repo_tree(filled)) == [".gitattributes", "a.txt", "dir", "空 格"]
    assert names(api.list_repo_tree(filled, "dir")) == [
        "dir/b.txt", "dir/sub", "dir/w.safetensors",
    ]  # fmt: skip


def test_recursive_tree_lists_files_and_folders(api, filled):
    entries = list(api.list_repo_tree(filled, recursive=True))
    files = {e.path: e.size for e in entries if not isinstance(e, RepoFolder)}
    assert files == {name: len(content) for name, content in FILES.items()} | {
        ".gitattributes": files[".gitattributes"]
    }
    assert {e.path for e in entries if isinstance(e, RepoFolder)} == {"dir", "dir/sub", "空 格"}


def test_expanded_tree_has_last_commits(api, filled):
    second = put(api, filled, {"dir/b.txt": b"new"}, message="second").oid
    last = {e.path: e.last_commit for e in api.list_repo_tree(filled, recursive=True, expand=True)}
    assert {path for path, commit in last.items() if commit.oid == second} == {"dir", "dir/b.txt"}
    assert last["a.txt"].title == "fill"
    assert last[".gitattributes"].title == "initial commit"
    assert last["a.txt"].date.tzinfo is not None


def test_large_file_in_a_tree_has_its_hash(api, filled):
    entry = next(e for e in api.list_repo_tree(filled, "dir") if e.path.endswith("tensors"))
    assert (entry.size, entry.lfs.size, len(entry.lfs.sha256)) == (4000, 4000, 64)


def test_long_tree_comes_in_linked_pages(raw, filled):
    url, seen = f"/api/models/{filled}/tree/main?recursive=true&limit=3", []
    while url:
        answer = raw.get(url)
        seen += [entry["path"] for entry in answer.json()]
        url = answer.links.get("next", {}).get("url")
    assert len(seen) == len(set(seen)) == 9


def test_tree_of_a_file_or_a_missing_folder_is_an_entry_error(api, raw, filled):
    for path in ("a.txt", "nope", "dir/nope"):
        with pytest.raises(RemoteEntryNotFoundError):
            list(api.list_repo_tree(filled, path))
    answer = raw.get(f"/api/models/{filled}/tree/main/nope")
    assert answer.headers["X-Repo-Commit"] == api.model_info(filled).sha


def test_paths_info_leaves_missing_paths_out(api, filled):
    found = api.get_paths_info(filled, ["a.txt", "dir", "nope", "dir/w.safetensors"], expand=True)
    assert names(found) == ["a.txt", "dir", "dir/w.safetensors"]
    assert isinstance(found[1], RepoFolder)
    assert found[2].lfs.size == 4000
    assert found[0].last_commit.title == "fill"
    assert api.get_paths_info(filled, []) == []


def test_existence_checks_answer(api, filled):
    assert api.repo_exists(filled)
    assert not api.repo_exists("lab/no-such-repo")
    assert api.file_exists(filled, "dir/b.txt")
    assert not api.file_exists(filled, "dir/none.txt")
    assert api.revision_exists(filled, "main")
    assert not api.revision_exists(filled, "none")


def test_commits_are_listed_newest_first(api, filled):
    put(api, filled, {"a.txt": b"2"}, message="title", commit_description="the body")
    commits = api.list_repo_commits(filled, formatted=True)
    assert [c.title for c in commits] == ["title", "fill", "initial commit"]
    assert (commits[0].message, commits[0].authors) == ("the body", ["lab"])
    assert commits[0].formatted_title == "title"
    assert commits[0].commit_id == api.model_info(filled).sha


def test_commits_come_in_linked_pages(raw, api, filled):
    url, seen = f"/api/models/{filled}/commits/main?limit=1", []
    while url:
        answer = raw.get(url)
        seen += [commit["title"] for commit in answer.json()]
        url = answer.links.get("next", {}).get("url")
    assert seen == ["fill", "initial commit"]


@pytest.mark.parametrize("branch", ["dev", "feat/x", "a/b/c"])
def test_branch_is_made_written_read_and_removed(api, filled, branch):
    first = api.model_info(filled).sha
    put(api, filled, {"later.txt": b"2"})
    api.create_branch(filled, branch=branch, revision=first)
    put(api, filled, {"branch.txt": b"1"}, revision=branch)
    tree = names(api.list_repo_tree(filled, revision=branch))
    assert "branch.txt" in tree
    assert "later.txt" not in tree
    assert names(api.list_repo_tree(filled, "dir/sub", revision=branch)) == ["dir/sub/c.txt"]
    assert names(api.get_paths_info(filled, ["branch.txt"], revision=branch)) == ["branch.txt"]
    assert api.list_repo_commits(filled, revision=branch)[0].title == "add"
    assert api.model_info(filled, revision=branch).sha != first
    with pytest.raises(HfHubHTTPError, match="409"):
        api.create_branch(filled, branch=branch)
    api.create_branch(filled, branch=branch, exist_ok=True)
    api.delete_branch(filled, branch=branch)
    assert [b.name for b in api.list_repo_refs(filled).branches] == ["main"]
    with pytest.raises(RevisionNotFoundError):
        api.delete_branch(filled, branch=branch)


@pytest.mark.parametrize("tag", ["v1", "release/v1.0"])
def test_tag_names_a_revision_for_good(api, filled, tag):
    first = api.model_info(filled).sha
    api.create_tag(filled, tag=tag, tag_message="the first")
    put(api, filled, {"a.txt": b"2"})
    assert api.model_info(filled, revision=tag).sha == first
    refs = api.list_repo_refs(filled, include_pull_requests=True)
    assert [(t.name, t.ref, t.target_commit) for t in refs.tags] == [
        (tag, f"refs/tags/{tag}", first)
    ]
    assert (refs.converts, refs.pull_requests) == ([], [])
    with pytest.raises(HfHubHTTPError, match="409"):
        api.create_tag(filled, tag=tag)
    api.create_tag(filled, tag=tag, exist_ok=True)
    api.delete_tag(filled, tag=tag)
    with pytest.raises(RevisionNotFoundError):
        api.delete_tag(filled, tag=tag)


def test_unknown_revision_is_a_revision_error(api, filled):
    for revision in ("nope", "feat/nope", "0" * 40, "refs/convert/parquet", "refs/pr/1"):
        with pytest.raises(RevisionNotFoundError):
            api.model_info(filled, revision=revision)


def test_history_can_be_squashed(api, filled):
    api.super_squash_history(filled, commit_message="one")
    assert [c.title for c in api.list_repo_commits(filled)] == ["one"]
    assert api.file_exists(filled, "dir/b.txt")


def test_file_system_view_reads_and_lists(api, filled):
    fs = HfFileSystem(endpoint=api.endpoint, token=api.token)
    assert sorted(fs.ls(f"{filled}/dir", detail=False)) == [
        f"{filled}/dir/b.txt", f"{filled}/dir/sub", f"{filled}/dir/w.safetensors",
    ]  # fmt: skip
    assert fs.glob(f"{filled}/**/*.txt")
    assert fs.cat(f"{filled}/空 格/é?#%.txt") == b"name"
    with fs.open(f"{filled}/dir/w.safetensors", block_size=1000) as file:
        file.seek(3990)
        assert file.read() == b"W" * 10


def test_there_are_no_discussions(api, filled):
    assert list(api.get_repo_discussions(filled)) == []


def test_paths_can_be_asked_for_in_json_too(raw, filled):
    url = f"/api/models/{filled}/paths-info/main"
    assert [e["path"] for e in raw.post(url, json={"paths": ["a.txt"]}).json()] == ["a.txt"]
    for body in ({"paths": "a.txt"}, {"paths": ["x"] * 10_001}, {"paths": ["../a.txt"]}):
        assert raw.post(url, json=body).status_code == 400
    assert raw.post(url, data={"paths": ["a"] * 25_000}).status_code == 400
