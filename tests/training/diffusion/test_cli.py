"""The command from end to end: published, opened by its id, gone on from; bad input as one line."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from hub_utils.cards import front_matter, snippet_of
from tests.tabs.lab import tiny_clip
from tests.training.diffusion.conftest import TINY, parse
from training.diffusion import config as settings
from training.diffusion.cli import run, train_and_publish
from training.diffusion.inference import load


@pytest.fixture(autouse=True)
def tiny(monkeypatch) -> None:
    monkeypatch.setitem(settings.PRESETS, "tiny", TINY)


def test_published_it_opens_by_its_id_and_can_be_gone_on_from(
    pictures, text_encoder, tmp_path, hub
) -> None:
    options = (pictures, text_encoder, tmp_path, "--repo", "tiny-painter")
    figures = train_and_publish(parse(*options))
    assert figures["repo"] == "lab/tiny-painter"
    assert len(figures["revision"]) == 40
    card = (tmp_path / "repository" / "README.md").read_text("utf-8")
    assert front_matter(card)["pipeline_tag"] == "text-to-image"
    done = subprocess.run(
        [sys.executable, "-I", "-W", "ignore", "-c", snippet_of(card)],
        env={**os.environ, "OMP_NUM_THREADS": "1"}, cwd=tmp_path,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"({TINY.image_size}, {TINY.image_size})"
    painter = load("lab/tiny-painter")
    assert painter.revision == figures["revision"]
    again = train_and_publish(parse(*options, "--from", "lab/tiny-painter", "--max-steps", "2"))
    assert again["revision"] != figures["revision"]
    assert (again["steps"], again["decoder_steps"]) == (2, TINY.decoder_steps)
    card = (tmp_path / "repository" / "README.md").read_text("utf-8")
    assert f"It went on from `lab/tiny-painter` at `{figures['revision']}`." in card
    assert load("lab/tiny-painter", figures["revision"]).revision == figures["revision"]


def test_going_on_is_not_published_where_the_same_judge_finds_it_worse(
    pictures, text_encoder, tmp_path, hub, capsys
) -> None:
    judged = ("--repo", "tiny-painter", "--judge", str(tiny_clip(tmp_path / "judge")))
    options = (pictures, text_encoder, tmp_path / "run", *judged)
    train_and_publish(parse(*options))
    evaluation = tmp_path / "run" / "repository" / "evaluation.json"
    better = {**json.loads(evaluation.read_text("utf-8")), "prompt_accuracy": 1.0}
    published = hub.api.upload_file(
        path_or_fileobj=json.dumps(better).encode(),
        path_in_repo=evaluation.name,
        repo_id="lab/tiny-painter",
    )
    spoiled = ("--from", "lab/tiny-painter", "--max-steps", "2")
    bad = train_and_publish(parse(*options, *spoiled))
    assert bad["prompt_accuracy"] < 1
    assert bad["revision"] is None
    assert "not published: prompt accuracy" in capsys.readouterr().err
    assert load("lab/tiny-painter").revision == published.oid
    elsewhere = train_and_publish(parse(*options, *spoiled, "--repo", "other-painter"))
    assert elsewhere["repo"] == "lab/other-painter"
    assert elsewhere["revision"] is not None


def test_nothing_published_names_a_path_of_this_machine(finished, text_encoder) -> None:
    for path in sorted((finished[0] / "repository").rglob("*")):
        if path.suffix in (".json", ".md"):
            assert str(text_encoder.parent) not in path.read_text("utf-8"), path.name


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--judge", "lab/no-such-judge"), "python -m training clip --preset judge"),
        (("--from", "lab/no-such-painter"), "no-such-painter"),
        (("--pictures", "1"), "--pictures must be at least 2"),
        (("--data", "lab/no-such-pictures"), "There is no data set"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    options, sentence, pictures, text_encoder, tmp_path, hub, capsys
) -> None:
    assert run(parse(pictures, text_encoder, tmp_path, *options)) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ")
    assert sentence in error


def test_without_a_published_judge_the_card_says_that_nobody_measured(
    pictures, text_encoder, tmp_path, hub
) -> None:
    args = parse(pictures, text_encoder, tmp_path)
    args.judge = None
    assert train_and_publish(args)["prompt_accuracy"] is None
    card = (tmp_path / "repository" / "README.md").read_text("utf-8")
    assert "It was not measured: there was no judge." in card
