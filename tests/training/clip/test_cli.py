"""The command from end to end: figures, a kill, publishing, stock libraries, bad input."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hub_utils.cards import front_matter, snippet_of
from tests.training.clip.conftest import clip_options, draw
from training.cli import build_parser, main
from training.clip.cli import train_and_publish

ROOT = Path(__file__).parents[3]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
CONTRACT = {
    "text_to_image_recall_at_1",
    "text_to_image_recall_at_10",
    "image_to_text_recall_at_1",
    "image_to_text_recall_at_10",
    "zero_shot_accuracy",
    "train_seconds",
}


def test_figures_keep_the_contract(finished) -> None:
    folder, figures = finished
    assert set(figures) >= CONTRACT
    assert json.loads(json.dumps(figures)) == figures
    assert figures["revision"] is None
    assert figures["train_text_to_image_recall_at_10"] > 0.9 > figures["chance_recall_at_10"]
    assert (figures["collection"], figures["queries"]) == (24, 2)
    assert json.loads((folder / "progress.json").read_text())["phase"] == "done"


def test_groups_are_never_divided_and_the_card_says_what_was_held_out(finished) -> None:
    import pyarrow.parquet as pq

    rows = pq.read_table(finished[0] / "repository" / "gallery" / "pictures.parquet").to_pylist()
    sides: dict[str, set[str]] = {}
    for row in rows:
        sides.setdefault(row["group"], set()).add(row["split"])
    assert all(len(side) == 1 for side in sides.values())
    card = (finished[0] / "repository" / "README.md").read_text("utf-8")
    assert "among 24 pictures of both parts" in card
    assert "a random tenth (seed 0)" in card


def test_nothing_published_names_a_path_of_this_machine(finished, text_encoder) -> None:
    for path in sorted((finished[0] / "repository").rglob("*")):
        if path.suffix in (".json", ".md"):
            assert str(text_encoder.parent) not in path.read_text("utf-8"), path.name


def test_published_it_loads_by_its_cards_own_snippet_and_gives_the_served_numbers(
    pictures, text_encoder, tmp_path, hub
) -> None:
    from hub_utils.push import push_folder
    from training.clip.inference import load

    push_folder(text_encoder, hub.repo("tiny-text-of-clip"), hub=hub, message="Add")
    options = clip_options(pictures, "lab/tiny-text-of-clip", tmp_path, "--max-steps", "20")
    figures = train_and_publish(build_parser().parse_args([*options, "--repo", "tiny-clip"]))
    assert figures["repo"] == "lab/tiny-clip"
    assert len(figures["revision"]) == 40
    card = (tmp_path / "repository" / "README.md").read_text("utf-8")
    assert front_matter(card)["library_name"] == "open_clip"
    draw("red", "circle").convert("RGB").save(tmp_path / "picture.png")
    code = snippet_of(card) + STRANGER.format(picture=tmp_path / "picture.png")
    code += snippet_of(card.split("## Its collection")[1])
    done = subprocess.run(
        [sys.executable, "-I", "-W", "ignore", "-c", code],
        env=ENVIRONMENT, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    *_, numbers, found = done.stdout.splitlines()
    theirs = json.loads(numbers)
    matcher = load("lab/tiny-clip")
    assert matcher.gallery is not None
    text = next(c for c in matcher.gallery.captions if f'["{c}"]' in card)
    assert matcher.find_by_text(text, 1)[0].caption == found
    picture = draw("red", "circle").convert("RGB")
    ours = matcher.match(picture, ["red circle", "blue square"])
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


STRANGER = """
import json
from PIL import Image
with torch.inference_mode():
    image = model.encode_image(preprocess(Image.open("{picture}"))[None], normalize=True)
    text = model.encode_text(tokenizer(["red circle", "blue square"]), normalize=True)
    print(json.dumps((model.logit_scale.exp() * image @ text.T).softmax(1)[0].tolist()))
"""


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda _: None, "There is no file or folder"),
        (lambda folder: folder.mkdir(), "cannot be read"),
        (lambda folder: folder.write_text("no picture"), "is a file; pictures come in a folder"),
    ],
)
def test_bad_data_is_one_line_and_exit_code_2(make, sentence, text_encoder, tmp_path, hub, capsys):
    make(tmp_path / "data")
    options = clip_options(tmp_path / "data", text_encoder, tmp_path / "work", "--no-push")
    assert main(options) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ")
    assert sentence in error


def test_resuming_with_other_settings_is_refused(pictures, text_encoder, tmp_path, capsys) -> None:
    first = clip_options(
        pictures, text_encoder, tmp_path, "--no-push", "--max-steps", "2",
        "--checkpoint-seconds", "0",
    )  # fmt: skip
    assert main(first) == 0
    assert main([*first, "--resume", "--learning-rate", "0.5"]) == 2
    assert "learning_rate" in capsys.readouterr().err
