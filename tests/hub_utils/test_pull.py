"""A revision is resolved once and loaded by its commit; with the Hub away the cache serves."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from huggingface_hub import CommitOperationAdd

from hub_utils.errors import (
    AccessError,
    HubUnavailableError,
    LabError,
    RepoNotFoundError,
    RevisionNotFoundError,
    UnsafeWeightsError,
)
from hub_utils.pull import pull, resolve
from hub_utils.push import push_folder
from tests.conftest import ROOT, start_hub
from tests.faults import room_for


@pytest.fixture
def cached(hub, tmp_path):
    """The session's Hub with a cache of this test's own."""
    return replace(hub, cache=tmp_path / "cache")


@pytest.fixture
def away(cached):
    """The same client with the Hub gone."""
    return replace(cached, endpoint="http://127.0.0.1:9")


def test_what_was_pushed_is_pulled_by_its_commit(cached, repo, folder):
    pushed = push_folder(folder, repo, hub=cached, message="Publish")
    pulled = pull(repo, hub=cached)
    assert (pulled.revision, pulled.away) == (pushed.revision, False)
    for name in ("README.md", "config.json", "model.safetensors"):
        assert (pulled.folder / name).read_bytes() == (folder / name).read_bytes()


def test_an_older_revision_is_pulled_by_commit_or_by_tag(cached, repo, folder):
    first = push_folder(folder, repo, hub=cached, message="One")
    cached.api.create_tag(str(repo), tag="v1")
    (folder / "config.json").write_text('{"a": 1}')
    second = push_folder(folder, repo, hub=cached, message="Two")
    assert pull(repo, hub=cached).revision == second.revision
    for revision in (first.revision, "v1"):
        pulled = pull(repo, hub=cached, revision=revision)
        assert pulled.revision == first.revision
        assert (pulled.folder / "config.json").read_text() == "{}"


def test_weights_for_other_programs_come_only_if_they_are_wanted(cached, away, repo, folder):
    (folder / "onnx").mkdir()
    (folder / "onnx" / "model.onnx").write_bytes(b"onnx")
    (folder / "model.gguf").write_bytes(b"GGUF")
    pushed = push_folder(folder, repo, hub=cached, message="Export")
    needed = pull(repo, hub=cached, exports=False)
    names = {path.name for path in needed.folder.iterdir()}
    assert "model.safetensors" in names
    assert not {"onnx", "model.gguf"} & names
    assert pull(repo, hub=away, exports=False).revision == pushed.revision
    whole = pull(repo, hub=cached)
    assert (whole.folder / "onnx" / "model.onnx").read_bytes() == b"onnx"
    assert (whole.folder / "model.gguf").is_file()


def test_only_the_allowed_files_come(cached, repo, folder):
    push_folder(folder, repo, hub=cached, message="Publish")
    pulled = pull(repo, hub=cached, allow=["*.json"])
    assert [path.name for path in pulled.folder.iterdir()] == ["config.json"]


def test_two_instances_that_fill_one_cache_at_once_both_have_all_of_it(
    hub_server, cached, repo, make_folder
):
    folder = make_folder("big", size=2_000_000)
    pushed = push_folder(folder, repo, hub=cached, message="Publish")
    code = (
        "import sys; from pathlib import Path\n"
        "from hub_utils.connection import Hub\nfrom hub_utils.names import RepoId\n"
        "from hub_utils.pull import pull\n"
        "hub = Hub(sys.argv[1], None, namespace='lab', embedded=False, cache=Path(sys.argv[2]))\n"
        "sys.stdin.read()\nprint(pull(RepoId.parse(sys.argv[3]), hub=hub).folder)"
    )
    command = [sys.executable, "-c", code, hub_server.endpoint, str(cached.cache), str(repo)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    both = [subprocess.Popen(command, cwd=ROOT, **pipes) for _ in range(2)]
    for process in both:
        process.stdin.close()  # both are ready to begin
    folders = {Path(process.stdout.read().strip()) for process in both}
    assert [process.wait(60) for process in both] == [0, 0]
    (shared,) = folders
    assert shared.name == pushed.revision
    weights = "model.safetensors"
    assert (shared / weights).read_bytes() == (folder / weights).read_bytes()


def test_resolve_gives_the_commit(cached, repo, folder):
    pushed = push_folder(folder, repo, hub=cached, message="Publish")
    assert resolve(repo, hub=cached) == pushed.revision
    assert resolve(repo, hub=cached, revision=pushed.revision) == pushed.revision


def test_what_is_not_there_is_named(cached, repo, folder):
    with pytest.raises(RepoNotFoundError, match=str(repo)):
        pull(repo, hub=cached)
    push_folder(folder, repo, hub=cached, message="Publish")
    with pytest.raises(RevisionNotFoundError, match=str(repo)):
        resolve(repo, hub=cached, revision="nowhere")


def test_a_private_repository_needs_the_token(cached, repo, folder):
    push_folder(folder, repo, hub=cached, message="Publish", private=True)
    assert not pull(repo, hub=cached).away
    with pytest.raises((AccessError, RepoNotFoundError)):
        resolve(repo, hub=replace(cached, token=None))


def test_a_wrong_token_is_refused_even_if_the_cache_could_serve(cached, repo, folder):
    push_folder(folder, repo, hub=cached, message="Publish")
    pull(repo, hub=cached)
    with pytest.raises(AccessError):
        pull(repo, hub=replace(cached, token="hf_wrong_token"))


def test_with_the_hub_away_the_newest_cached_revision_serves(cached, away, repo, folder):
    push_folder(folder, repo, hub=cached, message="One")
    pull(repo, hub=cached)
    (folder / "config.json").write_text('{"a": 1}')
    second = push_folder(folder, repo, hub=cached, message="Two")
    pull(repo, hub=cached)
    pulled = pull(repo, hub=away)
    assert (pulled.revision, pulled.away) == (second.revision, True)
    assert (pulled.folder / "config.json").read_text() == '{"a": 1}'


def test_with_the_hub_away_a_pinned_revision_is_that_revision(cached, away, repo, folder):
    first = push_folder(folder, repo, hub=cached, message="One")
    pull(repo, hub=cached, revision=first.revision)
    (folder / "config.json").write_text('{"a": 1}')
    push_folder(folder, repo, hub=cached, message="Two")
    pull(repo, hub=cached)
    pulled = pull(repo, hub=away, revision=first.revision)
    assert (pulled.revision, pulled.away) == (first.revision, True)


def test_with_the_hub_away_an_incomplete_revision_does_not_serve(cached, away, repo, folder):
    first = push_folder(folder, repo, hub=cached, message="One")
    pull(repo, hub=cached)
    (folder / "config.json").write_text('{"a": 1}')
    push_folder(folder, repo, hub=cached, message="Two")
    broken = pull(repo, hub=cached).folder
    (broken / "model.safetensors").unlink()
    assert pull(repo, hub=away).revision == first.revision


def test_with_the_hub_away_and_nothing_cached_it_says_so(away, repo):
    with pytest.raises(HubUnavailableError, match=f"{repo} is not in this machine's cache"):
        pull(repo, hub=away)
    with pytest.raises(HubUnavailableError):
        resolve(repo, hub=away)


def test_a_hub_stopped_between_two_pulls_is_away_and_then_back(tmp_path, cached, repo, folder):
    server = start_hub(tmp_path / "own", "--no-seed")
    own = replace(cached, endpoint=server.endpoint, token=server.token)
    try:
        pushed = push_folder(folder, repo, hub=own, message="Publish")
        assert not pull(repo, hub=own).away
        server.stop()
        assert pull(repo, hub=own).away
        port = int(server.endpoint.rsplit(":", 1)[1])
        server = start_hub(tmp_path / "own", "--no-seed", port=port)
        pulled = pull(repo, hub=own)
        assert (pulled.revision, pulled.away) == (pushed.revision, False)
    finally:
        server.stop()


def commit(hub, repo, files):
    hub.api.create_repo(str(repo), exist_ok=True)
    operations = [CommitOperationAdd(name, content) for name, content in files.items()]
    hub.api.create_commit(str(repo), operations, commit_message="Somebody else's")


def test_a_full_disk_is_a_sentence_and_what_is_cached_still_serves(
    cached, away, repo, folder, make_folder
):
    first = push_folder(folder, repo, hub=cached, message="Fits")
    pull(repo, hub=cached)
    big = make_folder("big", size=500_000)
    second = push_folder(big, repo, hub=cached, message="Does not fit")
    with room_for(100_000), pytest.raises(LabError, match="disk of this machine is full"):
        pull(repo, hub=cached)
    kept = pull(repo, hub=away)
    assert (kept.revision, kept.away) == (first.revision, True)
    now = pull(repo, hub=cached)
    assert now.revision == second.revision
    weights = "model.safetensors"
    assert (now.folder / weights).read_bytes() == (big / weights).read_bytes()


def test_which_cached_revision_is_the_newest_does_not_hang_on_the_clock(
    cached, away, repo, folder, make_folder
):
    first = push_folder(folder, repo, hub=cached, message="One")
    pull(repo, hub=cached)
    second = push_folder(make_folder("two", note="two"), repo, hub=cached, message="Two")
    newest = pull(repo, hub=cached).folder
    older = newest.with_name(first.revision)
    os.utime(older, (2**32, 2**32))  # of the year 2106
    assert pull(repo, hub=away).revision == second.revision


def test_a_repository_whose_weights_are_a_pickle_is_refused(cached, repo):
    commit(cached, repo, {"config.json": b"{}", "pytorch_model.bin": b"\x80\x04."})
    with pytest.raises(UnsafeWeightsError, match=r"pytorch_model\.bin") as caught:
        pull(repo, hub=cached)
    assert "safetensors" in caught.value.hint
    assert not list((cached.cache or "").rglob("*.bin"))


def test_pickles_beside_safe_weights_stay_on_the_hub(cached, repo, folder):
    push_folder(folder, repo, hub=cached, message="Publish")
    commit(cached, repo, {"pytorch_model.bin": b"\x80\x04.", "old/training_args.pt": b"\x80\x04."})
    names = {path.name for path in pull(repo, hub=cached).folder.rglob("*")}
    assert "model.safetensors" in names
    assert not names & {"pytorch_model.bin", "training_args.pt"}


def test_a_pickle_named_safetensors_is_refused(cached, repo):
    commit(cached, repo, {"config.json": b"{}", "model.safetensors": b"\x80\x04\x95" + b"." * 40})
    with pytest.raises(UnsafeWeightsError, match=r"model\.safetensors"):
        pull(repo, hub=cached)


def test_a_dataset_is_pulled_as_it_is(cached, tmp_path):
    from tests.hub_utils.conftest import new_repo

    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train.csv").write_text("text,label\nhello,a\n")
    repo = new_repo("dataset")
    push_folder(tmp_path / "data", repo, hub=cached, message="Publish")
    stray = [CommitOperationAdd("cache.pkl", b"\x80\x04."), CommitOperationAdd("x.npy", b"plain")]
    cached.api.create_commit(str(repo), stray, commit_message="Stray", repo_type="dataset")
    folder = pull(repo, hub=cached).folder
    assert (folder / "train.csv").read_text().startswith("text,label")
    assert {path.name for path in folder.iterdir()} >= {"train.csv", "x.npy"}
    assert not (folder / "cache.pkl").exists()
