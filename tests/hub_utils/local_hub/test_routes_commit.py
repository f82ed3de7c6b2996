"""Rows "Writing" of HUB_PROTOCOL.md: preupload, commits, what concurrent writers see."""

import base64
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationCopy, CommitOperationDelete
from huggingface_hub.errors import BadRequestError, HfHubHTTPError, RevisionNotFoundError

from .conftest import fresh_name, put


def names(api, repo, **options):
    return [f for f in api.list_repo_files(repo, **options) if f != ".gitattributes"]


def lines(*items):
    return b"\n".join(json.dumps({"key": key, "value": value}).encode() for key, value in items)


def file_line(path, content=b"x"):
    return "file", {
        "path": path,
        "content": base64.b64encode(content).decode(),
        "encoding": "base64",
    }


HEADER = ("header", {"summary": "raw"})


def test_commit_answers_with_its_id_and_url(api, hub_server, repo):
    info = put(api, repo, {"a.txt": b"1"})
    assert info.oid == api.model_info(repo).sha
    assert info.commit_url == f"{hub_server.endpoint}/{repo}/commit/{info.oid}"


def test_folder_goes_up_once_and_the_same_bytes_make_no_commit(api, repo, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "README.md").write_text("---\nlicense: mit\n---\n# hi")
    (tmp_path / "sub" / "w.safetensors").write_bytes(b"W" * 5000)
    first = api.upload_folder(repo_id=repo, folder_path=tmp_path)
    again = api.upload_folder(repo_id=repo, folder_path=tmp_path)
    assert first.oid == again.oid
    assert names(api, repo) == ["README.md", "sub/w.safetensors"]
    assert len(api.list_repo_commits(repo)) == 2


def test_stale_files_of_a_folder_are_removed_in_the_same_commit(api, repo, tmp_path):
    put(api, repo, {"old/a.txt": b"1", "keep.md": b"2"})
    (tmp_path / "new.txt").write_text("3")
    api.upload_folder(repo_id=repo, folder_path=tmp_path, delete_patterns="old/*")
    assert names(api, repo) == ["keep.md", "new.txt"]
    assert len(api.list_repo_commits(repo)) == 3


def test_hundreds_of_files_go_up_in_one_commit(api, repo, tmp_path):
    for i in range(300):
        (tmp_path / f"f{i}.txt").write_text(str(i))
    api.upload_folder(repo_id=repo, folder_path=tmp_path)
    assert len(names(api, repo)) == 300


def test_files_and_folders_are_deleted(api, repo):
    put(api, repo, {"a.txt": b"1", "d/b.txt": b"2", "d/c/e.txt": b"3", "w.bin": b"4" * 200})
    api.delete_file("a.txt", repo)
    api.delete_folder("d/c", repo)
    api.delete_files(repo, ["*.bin"])
    assert names(api, repo) == ["d/b.txt"]
    with pytest.raises(HfHubHTTPError, match="doesn't exist"):
        api.create_commit(repo, [CommitOperationDelete("nope.txt")], commit_message="x")


def test_files_are_copied_large_ones_on_the_server(api, repo):
    put(api, repo, {"small.txt": b"small", "large.safetensors": b"L" * 3000})
    copies = [
        CommitOperationCopy("small.txt", "copy/small.txt"),
        CommitOperationCopy("large.safetensors", "copy/large.safetensors"),
    ]
    api.create_commit(repo, copies, commit_message="copy")
    info = {e.path: e for e in api.list_repo_tree(repo, "copy")}
    assert info["copy/large.safetensors"].size == 3000
    assert info["copy/large.safetensors"].lfs
    assert info["copy/small.txt"].size == 5


def test_old_revision_can_be_copied_back(api, repo):
    first = put(api, repo, {"w.safetensors": b"1" * 300}).oid
    put(api, repo, {"w.safetensors": b"2" * 300})
    back = CommitOperationCopy("w.safetensors", "w.safetensors", src_revision=first)
    api.create_commit(repo, [back], commit_message="roll back")
    assert api.model_info(repo).sha != first
    assert len(api.list_repo_commits(repo)) == 4


def test_ignored_files_stay_out(api, repo):
    put(api, repo, {".gitignore": b"*.log\n", "a.log": b"1", "a.txt": b"2"})
    assert names(api, repo) == [".gitignore", "a.txt"]


def test_preupload_says_where_files_go_and_what_is_there(raw, api, repo):
    put(api, repo, {"there.txt": b"1", "there.bin": b"2" * 200})
    ask = [
        {"path": "there.txt", "size": 1, "sample": base64.b64encode(b"1").decode()},
        {"path": "there.bin", "size": 200, "sample": ""},
        {"path": "new.txt", "size": 1, "sample": ""},
        {"path": "new.png", "size": 9, "sample": base64.b64encode(b"\x89PNG\0").decode()},
        {"path": "big.txt", "size": 20_000_000, "sample": ""},
    ]
    answer = raw.post(f"/api/models/{repo}/preupload/main", json={"files": ask}).json()["files"]
    modes = {f["path"]: (f["uploadMode"], f["shouldIgnore"], bool(f["oid"])) for f in answer}
    assert modes == {
        "there.txt": ("regular", False, True),
        "there.bin": ("lfs", False, True),
        "new.txt": ("regular", False, False),
        "new.png": ("lfs", False, False),
        "big.txt": ("lfs", False, False),
    }
    sizes = [len(f["oid"] or "") for f in answer]
    assert sizes == [40, 64, 0, 0, 0]


def test_stale_parent_is_412_and_nothing_is_written(api, repo):
    first = put(api, repo, {"a.txt": b"1"}).oid
    second = put(api, repo, {"a.txt": b"2"}, parent_commit=first).oid
    with pytest.raises(HfHubHTTPError) as caught:
        put(api, repo, {"a.txt": b"3"}, parent_commit=first)
    assert caught.value.response.status_code == 412
    assert api.model_info(repo).sha == second


def test_commit_to_what_is_no_branch_is_a_revision_error(api, repo):
    head = api.model_info(repo).sha
    api.create_tag(repo, tag="v1")
    for revision in ("nope", head, "v1"):
        with pytest.raises(RevisionNotFoundError):
            put(api, repo, {"a.txt": b"1"}, revision=revision)


def test_pull_requests_are_refused_with_what_to_do_instead(api, repo):
    with pytest.raises(HfHubHTTPError, match="make a branch"):
        put(api, repo, {"a.txt": b"1"}, create_pr=True)


def test_eight_writers_to_one_repository_all_land(api, repo):
    def write(number):
        oids = [put(api, repo, {f"w{number}/f{i}.txt": b"x"}).oid for i in range(3)]
        large = put(api, repo, {f"w{number}/w.safetensors": b"%d" % number * 1000})
        return [*oids, large.oid]

    with ThreadPoolExecutor(8) as pool:
        oids = {oid for made in pool.map(write, range(8)) for oid in made}
    history = {c.commit_id for c in api.list_repo_commits(repo)}
    assert len(oids) == 32
    assert oids <= history
    assert len(names(api, repo)) == 32


def test_one_of_two_writers_with_the_same_parent_loses(api, repo):
    head = api.model_info(repo).sha

    def write(number):
        try:
            return put(api, repo, {f"f{number}.txt": b"x"}, parent_commit=head).oid
        except HfHubHTTPError as error:
            return error.response.status_code

    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(write, range(6)))
    assert results.count(412) == 5
    assert len(names(api, repo)) == 1


@pytest.mark.parametrize(
    "path",
    ["../x", "a/../../x", "/etc/x", ".git/config", "a/.git/x", "a\\b", "a\0b", "a//b", "", "."],
)
def test_paths_that_escape_are_refused_by_the_server(raw, api, repo, path):
    before = api.model_info(repo).sha
    body = lines(HEADER, file_line("fine.txt"), file_line(path))
    answer = raw.post(f"/api/models/{repo}/commit/main", content=body)
    assert answer.status_code == 400
    assert "no valid path" in answer.headers["X-Error-Message"]
    assert api.model_info(repo).sha == before


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        lines(HEADER, ("magic", {"path": "x"})),
        lines(("header", {"summary": 3})),
    ],
)
def test_broken_commits_are_refused(raw, repo, body):
    answer = raw.post(f"/api/models/{repo}/commit/main", content=body)
    assert answer.status_code == 400


def test_regular_file_above_the_limit_is_413(raw, repo):
    body = lines(HEADER, file_line("big.txt", b"x" * 10_500_000))
    answer = raw.post(f"/api/models/{repo}/commit/main", content=body)
    assert answer.status_code == 413


def test_commit_of_a_file_where_a_folder_is_says_so(api, repo):
    put(api, repo, {"d/a.txt": b"1"})
    with pytest.raises(BadRequestError, match="is a folder"):
        put(api, repo, {"d": b"1"})


def test_operation_on_a_missing_repository_is_not_found(raw):
    answer = raw.post(f"/api/models/lab/{fresh_name('none')}/commit/main", content=lines(HEADER))
    assert (answer.status_code, answer.headers["X-Error-Code"]) == (404, "RepoNotFound")


def test_card_is_pushed_and_read_by_the_clients_own_helpers(api, repo):
    from huggingface_hub import EvalResult, ModelCard, ModelCardData, metadata_update

    result = EvalResult("text-classification", "lab/r8", "r8", "accuracy", 0.97)
    data = ModelCardData(license="mit", model_name="m", eval_results=[result])
    ModelCard(f"---\n{data.to_yaml()}\n---\n# Card\n").push_to_hub(repo, token=api.token)
    metadata_update(repo, {"tags": ["updated"]}, token=api.token)
    loaded = ModelCard.load(repo, token=api.token)
    assert loaded.data.tags == ["updated"]
    assert loaded.data.eval_results[0].metric_value == 0.97
    assert "updated" in api.model_info(repo).tags


def test_add_operations_can_be_preuploaded(api, repo):
    operation = CommitOperationAdd("w.safetensors", b"W" * 2000)
    api.preupload_lfs_files(repo, [operation])
    api.create_commit(repo, [operation], commit_message="later")
    assert names(api, repo) == ["w.safetensors"]


def test_full_ref_name_is_the_branch(api, repo):
    oid = put(api, repo, {"a.txt": b"1"}, revision="refs/heads/main").oid
    assert api.model_info(repo).sha == oid
    assert [b.name for b in api.list_repo_refs(repo).branches] == ["main"]


@pytest.mark.parametrize(
    "files",
    [
        None,
        "x",
        ["x"],
        [{"path": "a", "size": -1}],
        [{"path": "a", "size": 1, "sample": "!"}],
        [{"path": "../a", "size": 1}],
        [{"path": "a", "size": 1}] * 5001,
    ],
)
def test_broken_preuploads_are_refused(raw, repo, files):
    answer = raw.post(f"/api/models/{repo}/preupload/main", json={"files": files})
    assert answer.status_code == 400
