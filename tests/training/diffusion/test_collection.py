"""What a run learns: one of each group, or all of every group but one detail of each thing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training.clip.conftest import COLORS, SHAPES, draw
from tests.training.diffusion.conftest import TINY, parse
from training.diffusion.collection import JOINT, chosen, selected, slots
from training.diffusion.milestones import FOLDER, Milestones, strip_of
from training.shared.captioned import Pictures

TONES = ("dark skin", "light skin", "medium skin")


def collection(names: dict[str, list[str]]) -> Pictures:
    """Captions by group."""
    captions = [(caption,) for group in names.values() for caption in group]
    groups = [name for name, group in names.items() for _ in group]
    rgba = np.zeros((len(captions), 4, 4, 4), np.uint8)
    return Pictures(rgba, tuple(captions), ("People",) * len(captions), tuple(groups))


def people() -> Pictures:
    with_tones = lambda thing: [thing, *(f"{thing}{JOINT}{tone}" for tone in TONES)]  # noqa: E731
    return collection(
        {
            "hand": with_tones("hand"),
            "run": [*with_tones("person running"), *with_tones("a woman running")],
            "salad": ["salad", "bowl with salad"],
            "moon": ["moon"],
        }
    )


def test_the_collection_takes_one_of_each_group_from_all_categories(corpus) -> None:
    rows = chosen(corpus.train, 8)
    assert rows == sorted(set(rows))
    assert len(rows) == 8
    assert {corpus.train.categories[row] for row in rows} == set(corpus.train.categories)
    assert len({corpus.train.groups[row] for row in rows}) == 8
    assert chosen(corpus.train, None) == corpus.train.firsts()


def test_what_is_kept_back_is_known_in_its_parts_but_not_together() -> None:
    pictures = people()
    found = selected(pictures, count=None, variants=True)
    learnt = {pictures.captions[row][0] for row in found.learnt}
    asked = {pictures.captions[one.row][0]: one for one in found.held_out}
    assert list(asked) == ["hand with dark skin", "person running with light skin"]
    assert not learnt & set(asked)
    assert "a woman running with light skin" not in learnt  # nearly the same picture
    assert {"hand", "hand with light skin", "person running with dark skin"} <= learnt
    assert {"salad", "bowl with salad", "moon"} <= learnt
    one = asked["hand with dark skin"]
    assert one.rivals == ("hand", "hand with light skin", "hand with medium skin")
    assert sorted([*found.learnt, *found.kept_back]) == list(range(len(pictures)))


def test_a_pass_sees_a_group_s_first_and_one_of_its_others() -> None:
    pictures = people()
    found = slots(pictures)
    assert [len(slot) for slot in found] == [1, 1, 1, 1, 3, 7, 1]
    assert sorted(row for slot in found for row in slot) == list(range(len(pictures)))


def test_groups_of_one_are_passed_in_the_order_of_the_data(corpus) -> None:
    assert slots(corpus.train) == [[row] for row in range(len(corpus.train))]


@pytest.fixture(scope="module")
def toned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shapes in groups: each shape, and each with a colour."""
    folder = tmp_path_factory.mktemp("toned") / "shapes"
    folder.mkdir()
    lines = []
    for shape in SHAPES:
        plain, *toned = COLORS
        for color in COLORS:
            name = f"{shape}-{color}.png"
            draw(color, shape, shift=0).save(folder / name)
            caption = shape if color == plain else f"{shape}{JOINT}{color}"
            row = {"file_name": name, "caption": caption, "group": shape, "category": "shape"}
            lines.append(json.dumps(row))
        assert len(toned) >= 3
    (folder / "metadata.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    return folder


def test_a_run_with_variants_says_how_it_paints_what_it_never_saw_together(
    toned: Path, text_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from training.diffusion import config as settings
    from training.diffusion.cli import train_and_publish

    whole = replace(TINY, pictures=None, variants=True)
    monkeypatch.setitem(settings.PRESETS, "tiny", whole)
    figures: dict[str, Any] = dict(
        train_and_publish(parse(toned, text_encoder, tmp_path, "--no-push"))
    )
    assert figures["combinations"] == figures["prompts"] > 1
    assert figures["combination_accuracy"] is None  # there was no judge
    card = (tmp_path / "repository" / "README.md").read_text("utf-8")
    assert "the two together never" in card
    assert (tmp_path / "repository" / "pictures" / "combinations.png").stat().st_size > 0


def test_milestones_are_painted_once_each_and_shown_on_the_card(finished) -> None:
    folder, _ = finished
    names = sorted(path.name for path in (folder / FOLDER).iterdir())
    assert names[-1] == "100.png"
    assert "While it learnt" in (folder / "repository" / "README.md").read_text("utf-8")
    strip = strip_of(folder)
    assert strip is not None
    assert strip.height > strip.width / 8 * (len(names) - 1)


def test_a_resumed_run_keeps_the_milestones_it_has(tmp_path: Path) -> None:
    from PIL import Image

    painted: list[list[str]] = []

    def paint(prompts: Any, seeds: Any) -> list[Image.Image]:
        painted.append(list(prompts))
        return [Image.new("RGB", (4, 4), (seed, 0, 0)) for seed in seeds]

    captions = [f"thing {number}" for number in range(20)]
    first = Milestones(tmp_path, captions, paint)
    for used in (0.0, 0.02, 0.04, 0.05, 0.3):
        first.maybe(used)
    Milestones(tmp_path, captions, paint).maybe(0.31)
    assert len(painted) == 2
    assert len(painted[0]) == 8
    first.clear()
    assert strip_of(tmp_path) is None
