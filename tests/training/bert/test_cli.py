"""The command from end to end: a kill in an epoch, two processes, publishing, bad input."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from hub_utils.cards import front_matter, headline_metric, snippet_of
from training.bert.cli import command_line, config_from
from training.bert.inference import load
from training.cli import build_parser, main

ROOT = Path(__file__).parents[3]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
CONTRACT = {
    "accuracy",
    "macro_f1",
    "train_seconds",
    "eval_texts_per_second",
    "parameters",
    "trainable_parameters",
    "repo",
    "revision",
}


def command(corpus_file, encoder, folder, *more):
    options = f"bert --data {corpus_file} --base {encoder} --output-dir {folder} --batch-size 16"
    return [*options.split(), *more]


def start(arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "training", *arguments],
        cwd=ROOT,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_figures_keep_the_contract(finished):
    folder, figures = finished
    assert set(figures) >= CONTRACT
    assert json.loads(json.dumps(figures)) == figures
    assert figures["revision"] is None
    assert figures["accuracy"] >= 0.9
    progress = json.loads((folder / "progress.json").read_text())
    assert progress["phase"] == "done"
    assert progress["history"]


@pytest.mark.filterwarnings("ignore:.*gradient_checkpointing:FutureWarning")  # peft's own
def test_the_adapter_gives_what_the_merged_model_gives(finished, encoder):
    repository = finished[0] / "repository"
    merged = AutoModelForSequenceClassification.from_pretrained(repository).eval()
    base = AutoModelForSequenceClassification.from_pretrained(encoder, num_labels=3)
    adapted = PeftModel.from_pretrained(base, repository / "adapter").eval()
    inputs = AutoTokenizer.from_pretrained(repository)("oil barrel prices", return_tensors="pt")
    with torch.inference_mode():
        torch.testing.assert_close(
            adapted(**inputs).logits, merged(**inputs).logits, atol=1e-4, rtol=0
        )


def test_nothing_published_names_a_path_of_this_machine(finished, encoder):
    for path in (finished[0] / "repository").rglob("*"):
        if path.suffix in (".json", ".md"):
            assert str(encoder.parent) not in path.read_text(), path


def test_a_run_killed_in_an_epoch_resumes_to_the_same_weights(corpus_file, encoder, tmp_path):
    fixed = ["--no-push", "--max-steps", "40", "--trained-layers", "2"]
    whole = start(command(corpus_file, encoder, tmp_path / "whole", *fixed))
    killed_folder = tmp_path / "killed"
    killed = start(
        command(corpus_file, encoder, killed_folder, *fixed, "--checkpoint-seconds", "0")
    )
    pointer = killed_folder / "checkpoint" / "current.json"
    _wait_for(lambda: pointer.exists() and json.loads(pointer.read_text())["step"] >= 5, killed)
    killed.send_signal(signal.SIGKILL)
    killed.wait(timeout=30)
    reached = json.loads(pointer.read_text())["step"]
    assert 5 <= reached < 40
    resumed = start(command(corpus_file, encoder, killed_folder, *fixed, "--resume"))
    for process in (whole, resumed):
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    first = load_file(tmp_path / "whole" / "repository" / "model.safetensors")
    second = load_file(killed_folder / "repository" / "model.safetensors")
    for name, weight in first.items():
        torch.testing.assert_close(second[name], weight, atol=1e-6, rtol=0)


def test_resuming_with_other_settings_is_refused(corpus_file, encoder, tmp_path, capsys):
    fixed = ["--no-push", "--max-steps", "6", "--checkpoint-seconds", "0"]
    assert main(command(corpus_file, encoder, tmp_path, *fixed)) == 0
    assert main(command(corpus_file, encoder, tmp_path, *fixed, "--seed", "9", "--resume")) == 2
    assert "seed=0, not 9" in capsys.readouterr().err


def test_two_processes_train_one_model(corpus_file, encoder, tmp_path):
    launch = "-m accelerate.commands.launch --cpu --num_processes 2 --num_cpu_threads_per_process 1"
    arguments = command(corpus_file, encoder, tmp_path, "--no-push", "--max-steps", "30")
    done = subprocess.run(
        [sys.executable, *launch.split(), "-m", "training", *arguments],
        cwd=ROOT,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    assert len(lines) == 1
    assert json.loads(lines[0])["steps"] == 30
    assert load(tmp_path / "repository").labels == ("crude", "earn", "grain")


@pytest.mark.real_hub
def test_published_it_loads_by_its_cards_own_snippet(corpus_file, encoder, tmp_path, hub, capsys):
    name = "topics-of-the-cli-tests"
    arguments = command(corpus_file, encoder, tmp_path, "--max-steps", "20", "--repo", name)
    assert main(arguments) == 0
    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert len(figures["revision"]) == 40
    card = (tmp_path / "repository" / "README.md").read_text()
    headline = headline_metric(front_matter(card))
    assert headline is not None
    assert headline.value == pytest.approx(figures["accuracy"], abs=1e-5)
    for said in ("tf-idf", "confusion.png", "reliability.png", "Longer were", "seed", "adapter"):
        assert said in card
    exec(compile(snippet_of(card), "card", "exec"), {})
    printed = capsys.readouterr().out
    assert any(label in printed for label in ("crude", "earn", "grain"))
    classifier = load(figures["repo"])
    assert classifier.revision == figures["revision"]


def test_bad_data_is_one_line_and_exit_code_2(tmp_path, encoder, capsys):
    (tmp_path / "a.csv").write_text("text,label\none,a\ntwo,a\n")
    options = f"bert --data {tmp_path}/a.csv --base {encoder} --no-push --output-dir {tmp_path}/out"
    assert main(options.split()) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].startswith("error: All 2 rows")


def test_options_replace_the_presets_values():
    args = build_parser().parse_args(
        ["bert", "--lora-rank", "0", "--epochs", "2", "--balance-classes"]
    )
    config = config_from(args)
    assert (config.lora_rank, config.epochs, config.balance_classes) == (0, 2, True)
    assert config.max_seconds is not None
    planned = config_from(build_parser().parse_args(["bert", "--max-steps", "5"]))
    assert planned.max_seconds is None


def test_the_card_names_local_files_without_their_folders(corpus_file):
    args = build_parser().parse_args(["bert", "--data", str(corpus_file), "--no-push"])
    assert command_line(args).startswith("python -m training bert --data news.tsv --preset quick")
    assert "/" not in command_line(args)


def _wait_for(condition, process, *, seconds=90):
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline, "it did not come"
        os.sched_yield()
