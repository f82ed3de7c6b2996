"""Texts against pictures, finding, where the model looked: on a tiny trained CLIP."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hub_utils.errors import DataError
from hub_utils.names import RepoId
from tabs.i18n import PageError
from tabs.matching import MAX_TEXTS, filled, find, likeness, looked_at, match, opened, texts_of
from tabs.model_slot import Served
from tests.tabs.lab import tiny_clip
from tests.training.clip.conftest import draw
from training.clip.inference import Matcher, load

REVISION = "c" * 40


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served[Matcher]:
    folder = tiny_clip(tmp_path_factory.mktemp("clip"))
    return Served(load(folder), RepoId("lab", "tiny-clip", "model"), REVISION, folder)


def test_texts_are_lines_without_empty_ones_and_repetitions() -> None:
    assert texts_of(" a cat \n\na  dog\na cat\n") == ["a cat", "a dog"]


def test_texts_of_many_callers_at_once_are_each_callers_own(served: Served[Matcher]) -> None:
    lists = [[f"{n} red square", f"{n} blue circle", "star"][: 1 + n % 3] for n in range(16)]
    alone = [served.model._encoded([own])[0] for own in lists]
    with ThreadPoolExecutor(len(lists)) as pool:
        found = list(pool.map(served.model.encode_texts, lists))
    for ours, expected in zip(found, alone, strict=True):
        np.testing.assert_allclose(ours, expected, atol=1e-5)


@pytest.mark.parametrize("given", ["", "  \n \n", "\n".join(str(n) for n in range(MAX_TEXTS + 1))])
def test_no_texts_and_too_many_are_sentences(given: str) -> None:
    with pytest.raises(PageError):
        texts_of(given)


def test_a_template_holds_each_text_or_is_refused() -> None:
    assert filled("a drawing of {}", ["a cat"]) == ["a drawing of a cat"]
    assert filled(" ", ["a cat"]) == ["a cat"]
    with pytest.raises(PageError, match=r"has no \{\}"):
        filled("a drawing", ["a cat"])


def test_probabilities_are_of_all_texts_and_fall(served: Served[Matcher]) -> None:
    given = match(served, draw("red", "circle").convert("RGB"), "red circle\nblue square\ngreen")
    assert set(given.scores) == {"red circle", "blue square", "green"}
    assert sum(given.scores.values()) == pytest.approx(1)
    assert list(given.scores.values()) == sorted(given.scores.values(), reverse=True)
    assert given.revision == REVISION


def test_a_text_of_ten_thousand_characters_is_matched_by_its_beginning(
    served: Served[Matcher],
) -> None:
    picture = draw("red", "circle").convert("RGB")
    given = match(served, picture, "red circle " * 1000 + "\nblue")
    assert sum(given.scores.values()) == pytest.approx(1)


def test_a_picture_of_the_collection_finds_itself(served: Served[Matcher]) -> None:
    assert served.model.gallery is not None
    sample = served.model.gallery.sample[0]
    found = find(served, sample.image, 3)
    assert len({hit.caption for hit in found.hits}) == 3
    assert found.hits[0].caption == sample.caption
    assert found.hits[0].score > 0.9  # with the mean of itself and changed copies
    scores = [hit.score for hit in found.hits]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize(("what", "k"), [("red", 0), ("red", 61), ("  ", 5)])
def test_an_empty_text_and_an_odd_number_are_sentences(served, what: str, k: int) -> None:
    with pytest.raises(PageError):
        find(served, what, k)


def test_no_picture_and_no_real_picture_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(PageError, match="There is no picture"):
        opened(None)
    (tmp_path / "note.png").write_text("only words")
    with pytest.raises(DataError, match=r"note\.png cannot be opened as a picture"):
        opened(str(tmp_path / "note.png"))


def test_where_it_looked_is_one_number_a_patch_and_brightens_the_picture(
    served: Served[Matcher],
) -> None:
    picture = draw("red", "square").convert("RGB")
    relevance = served.model.relevance(picture, "red square")
    assert relevance.shape == (8, 8)
    assert 0 <= relevance.min() <= relevance.max() <= 1
    marks = np.zeros((8, 8), np.float32)
    marks[0, 0] = 1
    shown = np.asarray(looked_at(Image.new("RGB", (40, 40), "white"), marks), np.float32)
    assert shown[:20, :20].mean() > shown[-20:, -20:].mean() + 50


def test_a_table_of_likeness_escapes_names_and_colours_the_most_alike_most() -> None:
    table = likeness(["<b>one</b>"], ["a", "b"], np.array([[0.1, 0.5]]), "likeness")
    assert "<b>" not in table
    assert "--heat:0%" in table
    assert "--heat:100%" in table
