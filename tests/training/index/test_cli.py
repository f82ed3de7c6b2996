"""The command from end to end: publishing and publishing again, a kill, two processes, bad input."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import datasets
import pytest

from hub_utils.pull import pull
from hub_utils.push import push_folder
from tests.training.index.conftest import make_rows, write_jsonl
from training.cli import build_parser, main
from training.index.cli import config_from, folder_revision
from training.index.config import DEFAULT_DATA
from training.index.manifest import read
from training.index.shards import read_shards
from training.shared.files import alone_in

ROOT = Path(__file__).parents[3]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": f"{ROOT}:/tmp/stubplug"}
CONTRACT = {
    "documents",
    "passages",
    "passages_per_second",
    "repo",
    "revision",
    "duplicates",
    "embedded",
    "reused",
    "removed",
    "train_seconds",
}


@pytest.fixture(scope="module")
def encoder(hub, tiny_encoder):
    """The tiny encoder's id on the Hub."""
    push_folder(tiny_encoder, hub.repo("tiny-encoder"), hub=hub, message="Add an encoder")
    return "lab/tiny-encoder"


def command(data, encoder, folder, *more):
    options = f"index --data {data} --encoder {encoder} --output-dir {folder} --overlap-tokens 8"
    return [*options.split(), "--shards", "8", *more]


def run(capsys, arguments):
    """The figures of a command that must succeed."""
    code = main(arguments)
    printed = capsys.readouterr()
    assert code == 0, printed.err
    return json.loads(printed.out.splitlines()[-1])


def start(arguments, *, launch="-m training"):
    return subprocess.Popen(
        [sys.executable, *launch.split(), *arguments],
        cwd=ROOT,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def remote(hub, repo, revision):
    """Path → hash of every file of a revision."""
    info = hub.api.dataset_info(repo, revision=revision, files_metadata=True)
    return {f.rfilename: f.lfs.sha256 if f.lfs else f.blob_id for f in info.siblings}


@pytest.fixture(scope="module")
def published(encoder, corpus, tmp_path_factory):
    """(work folder, figures) of the first build of a repository."""
    folder = tmp_path_factory.mktemp("published")
    from training.index.cli import build_and_publish

    arguments = command(corpus, encoder, folder, "--repo", "letters-index")
    return folder, dict(build_and_publish(build_parser().parse_args(arguments)))


def test_figures_keep_the_contract(published):
    folder, figures = published
    assert set(figures) >= CONTRACT
    assert json.loads(json.dumps(figures)) == figures
    assert figures["documents"] == 60
    assert len(figures["revision"]) == 40
    assert json.loads((folder / "progress.json").read_text())["phase"] == "done"


def test_the_datasets_library_opens_the_repository(published, hub, tmp_path):
    figures = published[1]
    rows = datasets.load_dataset(
        figures["repo"], revision=figures["revision"], cache_dir=str(tmp_path)
    )["train"]
    assert len(rows) == figures["passages"]
    assert rows.features["embedding"] == datasets.List(datasets.Value("float16"), length=32)
    assert {"id", "document", "title", "text", "topic", "year"} <= set(rows.column_names)


def test_the_published_manifest_names_encoder_source_and_command(published, encoder, hub):
    pulled = pull(hub.repo("letters-index", "dataset"), hub=hub)
    manifest = read(pulled.folder)
    assert manifest.encoder.repo == encoder
    assert manifest.encoder.revision == hub.api.model_info(encoder).sha
    assert manifest.source.name == "letters.jsonl"
    assert manifest.command.startswith("python -m training index --data letters.jsonl")
    assert "/" not in manifest.command.replace(encoder, "")
    assert len(read_shards(pulled.folder, manifest)) == published[1]["passages"]


def test_nothing_published_names_a_path_of_this_machine(published, corpus):
    for path in (published[0] / "repository").rglob("*"):
        if path.is_file():
            assert str(corpus.parent).encode() not in path.read_bytes(), path


def test_the_same_command_again_makes_no_commit(published, encoder, corpus, tmp_path, capsys):
    again = run(capsys, command(corpus, encoder, tmp_path, "--repo", "letters-index"))
    assert again["revision"] == published[1]["revision"]
    assert (again["embedded"], again["removed"]) == (0, 0)


def test_one_changed_document_sends_one_shard(encoder, tmp_path, hub, capsys):
    rows = make_rows(60, seed=3)
    data = write_jsonl(tmp_path / "notes.jsonl", rows)
    first = run(capsys, command(data, encoder, tmp_path / "a", "--repo", "notes-index"))
    rows[20]["text"] += "\n\nAnother end of it, with butter."
    write_jsonl(data, rows)
    second = run(capsys, command(data, encoder, tmp_path / "b", "--repo", "notes-index"))
    assert 1 <= second["embedded"] <= 2
    assert second["revision"] != first["revision"]
    before, after = (remote(hub, "lab/notes-index", f["revision"]) for f in (first, second))
    changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    assert len([path for path in changed if path.startswith("data/")]) == 1
    assert "manifest.json" in changed
    assert len(hub.api.list_repo_commits("lab/notes-index", repo_type="dataset")) == 3


def test_a_repository_with_other_data_is_not_replaced(encoder, corpus, tmp_path, hub, capsys):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "train.csv").write_text("text\nprecious\n")
    precious = hub.repo("precious", "dataset")
    push_folder(tmp_path / "other", precious, hub=hub, message="Add data")
    assert main(command(corpus, encoder, tmp_path / "out", "--repo", "precious")) == 2
    assert "lab/precious holds a data set that is no index" in capsys.readouterr().err
    assert "train.csv" in hub.api.list_repo_files("lab/precious", repo_type="dataset")


def test_a_build_killed_at_a_shard_resumes_to_the_same_bytes(tiny_encoder, tmp_path, capsys):
    data = write_jsonl(tmp_path / "many.jsonl", make_rows(400, seed=1))
    fixed = ["--no-push", "--shards", "64"]
    killed = start(command(data, tiny_encoder, tmp_path / "killed", *fixed))
    done = tmp_path / "killed" / "shards"
    _wait_for(lambda: len(list(done.glob("*.json"))) >= 3, killed)
    killed.send_signal(signal.SIGKILL)
    killed.wait(timeout=30)
    reached = {path: path.stat().st_mtime_ns for path in done.rglob("*.parquet")}
    assert 3 <= len(reached) < 64
    data.unlink()  # the documents were read already
    write_jsonl(data, make_rows(1, seed=1))
    run(capsys, command(data, tiny_encoder, tmp_path / "killed", *fixed, "--resume"))
    write_jsonl(data, make_rows(400, seed=1))
    run(capsys, command(data, tiny_encoder, tmp_path / "whole", *fixed))
    one, other = (_files(tmp_path / name / "repository") for name in ("killed", "whole"))
    assert one == other
    left = {path.name for path in (tmp_path / "killed").iterdir()}
    assert left == {"repository", "progress.json", ".lock"}


def test_an_earlier_index_that_says_wrong_things_of_the_encoder_is_not_built_upon(
    tiny_encoder, corpus, tmp_path, capsys
):
    arguments = command(corpus, tiny_encoder, tmp_path, "--no-push")
    first = run(capsys, arguments)
    manifest = tmp_path / "repository" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"max_tokens": 64', '"max_tokens": 63'))
    process = start(arguments)  # in this one the encoder is loaded already, and asked itself
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors[-2000:]
    assert "is not as the earlier index says" in errors
    again = json.loads(output.splitlines()[-1])
    assert (again["passages"], again["embedded"]) == (first["passages"], first["embedded"])
    assert read(tmp_path / "repository").encoder.max_tokens == 64


def test_two_processes_build_one_index(tiny_encoder, corpus, tmp_path):
    launch = (
        "-m accelerate.commands.launch --cpu --num_processes 2 --num_cpu_threads_per_process 1 "
        "-m training"
    )
    process = start(command(corpus, tiny_encoder, tmp_path, "--no-push"), launch=launch)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors[-2000:]
    lines = [line for line in output.splitlines() if line.startswith("{")]
    assert len(lines) == 1
    figures = json.loads(lines[0])
    folder = tmp_path / "repository"
    passages = read_shards(folder, read(folder))
    assert len(passages) == figures["passages"] == figures["embedded"] + figures["duplicates"]
    assert len(set(passages.table["document"].to_pylist())) == 60


def test_two_builds_of_one_repository_never_mix(encoder, tmp_path, hub, capsys):
    files = [
        write_jsonl(tmp_path / f"{seed}.jsonl", make_rows(40 + seed, seed=seed)) for seed in (4, 5)
    ]
    arguments = [
        command(data, encoder, tmp_path / data.stem, "--repo", "shared-index") for data in files
    ]
    other = start(arguments[0])
    run(capsys, arguments[1])
    _, errors = other.communicate(timeout=120)
    assert other.returncode == 0, errors
    pulled = pull(hub.repo("shared-index", "dataset"), hub=hub)
    manifest = read(pulled.folder)
    assert manifest.counts.documents in (44, 45)
    assert len(read_shards(pulled.folder, manifest)) == manifest.counts.passages


def test_a_work_folder_in_use_is_one_line_and_exit_code_2(tiny_encoder, corpus, tmp_path, capsys):
    with alone_in(tmp_path):
        assert main(command(corpus, tiny_encoder, tmp_path, "--no-push")) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith(f"error: Process {os.getpid()} works in")
    assert "--output-dir" in last


def test_options_replace_the_presets_values():
    given = build_parser().parse_args(
        ["index", "--max-tokens", "64", "--seed", "3", "--encoder", "lab/e", "--split", "train"]
    )
    config = config_from(given)
    assert (config.max_tokens, config.seed, config.encoder) == (64, 3, "lab/e")
    assert config.split == "train"


def test_the_quick_preset_means_the_test_part_of_the_default_data_alone():
    assert config_from(build_parser().parse_args(["index"])).split == "test"
    own = build_parser().parse_args(["index", "--data", "lab/own"])
    assert config_from(own).split is None
    assert build_parser().parse_args(["index"]).data == DEFAULT_DATA


def test_a_folders_revision_follows_its_contents(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
    assert folder_revision(tmp_path / "a") == folder_revision(tmp_path / "b")
    (tmp_path / "b" / "config.json").write_text("[]")
    assert folder_revision(tmp_path / "a") != folder_revision(tmp_path / "b")


def _files(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*.parquet")
        if path.is_file()
    }


def _wait_for(condition, process, *, seconds=90):
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline, "it did not come"
        os.sched_yield()
