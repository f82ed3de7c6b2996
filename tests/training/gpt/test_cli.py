"""The command from end to end: a kill, two processes, publishing, what cannot be published, bad input."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from hub_utils.cards import front_matter, headline_metric, snippet_of
from tests.training.gpt.conftest import gpt_options
from training.cli import build_parser, main
from training.gpt.cli import config_from
from training.gpt.native import from_stock
from training.shared.cli import command_line

ROOT = Path(__file__).parents[3]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
CONTRACT = {
    "val_loss",
    "bits_per_byte",
    "parameters",
    "tokens_seen",
    "tokens_per_second",
    "train_seconds",
    "repo",
    "revision",
}
NO_STOCK_FORMAT = ["--positions", "alibi"]


def start(arguments, *launcher):
    return subprocess.Popen(
        [sys.executable, *launcher, "-m", "training", *map(str, arguments)],
        cwd=ROOT,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def parsed(*options):
    return build_parser().parse_args(["gpt", *options])


def test_figures_keep_the_contract(finished):
    folder, figures = finished
    assert set(figures) >= CONTRACT
    assert json.loads(json.dumps(figures)) == figures
    assert figures["revision"] is None
    assert figures["val_loss"] < figures["unigram_loss"]
    assert figures["tokens_seen"] == 120 * 480
    progress = json.loads((folder / "progress.json").read_text())
    assert progress["phase"] == "done"
    assert progress["history"]


def test_a_run_killed_in_training_resumes_to_the_same_weights_and_curve(tale_file, tmp_path):
    fixed = ["--no-push", "--max-steps", "24"]
    whole = start(gpt_options(tale_file, tmp_path / "whole", *fixed))
    killed_folder = tmp_path / "killed"
    often = ["--checkpoint-seconds", "0.001"]
    killed = start(gpt_options(tale_file, killed_folder, *fixed, *often))
    pointer = killed_folder / "checkpoint" / "current.json"
    _wait_for(lambda: pointer.exists() and json.loads(pointer.read_text())["step"] >= 3, killed)
    killed.send_signal(signal.SIGKILL)
    killed.wait(timeout=30)
    reached = json.loads(pointer.read_text())["step"]
    assert 3 <= reached < 24
    resumed = start(gpt_options(tale_file, killed_folder, *fixed, "--resume"))
    for process in (whole, resumed):
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    first, second = (path / "repository" for path in (tmp_path / "whole", killed_folder))
    weights = load_file(second / "model.safetensors")
    for name, weight in load_file(first / "model.safetensors").items():
        torch.testing.assert_close(weights[name], weight, atol=1e-6, rtol=0)
    curve, resumed_curve = (
        json.loads((folder / "evaluation.json").read_text())["history"]
        for folder in (first, second)
    )
    assert [point["step"] for point in resumed_curve] == list(range(1, 25))
    losses = [point["loss"] for point in curve]
    assert [point["loss"] for point in resumed_curve] == pytest.approx(losses, abs=1e-4)


def test_resuming_with_other_settings_is_refused(tale_file, tmp_path, capsys):
    fixed = ["--no-push", "--max-steps", "3", "--checkpoint-seconds", "0.001"]
    assert main(gpt_options(tale_file, tmp_path, *fixed)) == 0
    assert main(gpt_options(tale_file, tmp_path, *fixed, "--seed", "9", "--resume")) == 2
    assert "seed=0, not 9" in capsys.readouterr().err


@pytest.mark.slow
def test_two_processes_train_and_publish_one_model(tale_file, tmp_path, hub):
    launch = "-m accelerate.commands.launch --cpu --num_processes 2 --num_cpu_threads_per_process 1"
    options = ["--max-steps", "30", "--repo", "tale-of-two-processes"]
    process = start(gpt_options(tale_file, tmp_path, *options), *launch.split())
    output, errors = process.communicate(timeout=180)
    assert process.returncode == 0, errors[-2000:]
    lines = [line for line in output.splitlines() if line.startswith("{")]
    assert len(lines) == 1
    figures = json.loads(lines[0])
    assert (figures["steps"], figures["tokens_seen"]) == (30, 30 * 480)
    commits = hub.api.list_repo_commits(figures["repo"])
    assert [c.commit_id for c in commits if c.title.startswith("Train on")] == [figures["revision"]]


@pytest.mark.real_hub
def test_who_has_only_transformers_loads_what_was_published_and_generates(
    tale_file, tmp_path, hub, capsys
):
    name = "tale-of-the-cli-tests"
    options = gpt_options(tale_file, tmp_path / "run", "--max-steps", "30", "--repo", name)
    assert main(options) == 0
    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert len(figures["revision"]) == 40
    card = (tmp_path / "run" / "repository" / "README.md").read_text()
    metric = headline_metric(front_matter(card))
    expected = pytest.approx(figures["bits_per_byte"], abs=1e-5)
    assert (metric.type, metric.value) == ("bits_per_byte", expected)

    code = (
        "from importlib.util import find_spec\n"
        "assert not find_spec('training') and not find_spec('hub_utils')\n"
        f"{snippet_of(card)}\n"
        "ids = model.generate(**prompt, max_new_tokens=8, do_sample=False)\n"
        "print(ids[0].tolist())\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-W", "error::FutureWarning", "-c", code],
        cwd=tmp_path,
        env={"HF_ENDPOINT": hub.endpoint, "HOME": str(tmp_path), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    *text, ids = done.stdout.strip().splitlines()
    assert len("\n".join(text)) > 20
    _assert_greedy(tmp_path / "run" / "repository", json.loads(ids), new=8)


def test_a_model_without_a_stock_format_is_refused_before_training(tale_file, tmp_path, capsys):
    assert main(gpt_options(tale_file, tmp_path / "run", *NO_STOCK_FORMAT)) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: ")
    for said in ("--positions alibi", "LlamaForCausalLM", "--positions rope", "--no-push"):
        assert said in error
    assert not (tmp_path / "run" / "checkpoint").exists()
    assert not (tmp_path / "run" / "repository").exists()


def test_without_pushing_it_trains_and_is_measured_and_kept(
    tale_file, tmp_path, capsys, monkeypatch
):
    options = ["--no-push", "--max-steps", "10", *NO_STOCK_FORMAT]
    assert main(gpt_options(tale_file, tmp_path, *options)) == 0
    shown = capsys.readouterr()
    figures = json.loads(shown.out.splitlines()[-1])
    assert figures["format"] is None
    assert shown.err.index("cannot be published") < shown.err.index("train: step")
    folder = Path(figures["folder"])
    measured = json.loads((folder / "evaluation.json").read_text())
    assert measured["loss"] == pytest.approx(figures["val_loss"], abs=1e-6)
    assert len(measured["samples"]) == 3
    monkeypatch.chdir(folder)
    opened = {}
    exec(compile(snippet_of((folder / "README.md").read_text()), "card", "exec"), opened)
    assert opened["model"].config.positions == "alibi"


@pytest.fixture(scope="session")
def refused(tale_file, tmp_path_factory):
    """(exit code, lines of stderr) of a process for each kind of bad input, all started at once."""
    folder = tmp_path_factory.mktemp("bad")
    (folder / "empty.txt").write_bytes(b"")
    (folder / "short.txt").write_text("Once upon a time there was a wolf. " * 3)
    (folder / "photo.txt").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)) * 9)
    cases = {
        "empty": [folder / "empty.txt"],
        "short": [folder / "short.txt", "--tokenizer", "char", "--context", "64"],
        "binary": [folder / "photo.txt"],
        "vocabulary": [tale_file, "--vocab-size", "50000"],
        "context": [tale_file, "--context", "30000000"],
        "push": [tale_file, *NO_STOCK_FORMAT],
    }
    processes = {
        name: start(["gpt", "--output-dir", folder / name, "--data", *options])
        for name, options in cases.items()
    }
    results = {}
    for name, process in processes.items():
        output, errors = process.communicate(timeout=120)
        assert output == ""
        assert not (folder / name / "checkpoint").exists()
        results[name] = process.returncode, errors.splitlines()
    return results


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("empty", "empty.txt is empty. Give a file with text"),
        ("short", "short.txt is too small: its held-out part has"),
        ("binary", "photo.txt is a binary file"),
        ("vocabulary", "--vocab-size"),
        ("context", "A context of 30,000,000 tokens needs about"),
        ("push", "cannot be published"),
    ],
)
def test_bad_input_is_a_sentence_before_training_starts(refused, name, said):
    code, lines = refused[name]
    assert code == 2
    errors = [line for line in lines if not line.startswith("[gpt] load: ")]
    assert len(errors) == 1, lines
    assert errors == lines[-1:]
    assert errors[0].startswith("error: ")
    assert said in errors[0]


def test_options_replace_the_presets_values_and_what_hangs_on_them_follows():
    config = config_from(parsed("--heads", "8", "--width", "192", "--no-tied"))
    assert (config.heads, config.kv_heads, config.hidden, config.tied) == (8, 8, 512, False)
    assert config.max_seconds is not None
    config = config_from(parsed("--heads", "8", "--kv-heads", "2", "--hidden", "99"))
    assert (config.kv_heads, config.hidden) == (2, 99)
    assert config_from(parsed("--width", "192", "--activation", "gelu")).hidden == 768
    config = config_from(parsed("--context", "8192", "--max-steps", "5"))
    assert (config.batch_tokens, config.max_seconds) == (8192, None)


def test_the_card_names_local_files_without_their_folders(tale_file):
    line = command_line(parsed("--data", str(tale_file), "--no-push", "--no-tied"))
    assert line.startswith("python -m training gpt --data tale.txt --preset quick")
    assert line.endswith("--no-tied")
    assert "/" not in line


def _assert_greedy(repository, ids, *, new):
    """The last `new` ids are what the hand-written model likes best after those before."""
    with torch.inference_mode():
        best = from_stock(repository)(torch.tensor([ids])).argmax(-1)[0].tolist()
    assert best[-new - 1 : -1] == ids[-new:]


def _wait_for(condition, process, *, seconds=90):
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline, "it did not come"
        os.sched_yield()
