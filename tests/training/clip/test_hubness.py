"""A collection is ranked so that learned pictures do not crowd out those that were never seen."""

from __future__ import annotations

import io

import numpy as np
import pytest

from tests.training.clip.conftest import draw
from training.clip.gallery import Gallery, read_gallery
from training.clip.hubness import WEIGHT, familiarity, ranked


def unit(*vectors: list[float]) -> np.ndarray:
    found = np.asarray(vectors, np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


CAPTIONS = unit([1, 0, 0], [0, 1, 0])
# A picture that was learned, one like it that never was and is near no caption.
PICTURES = unit([1, 0.1, 0], [0.7, 0, 1])


def test_familiarity_is_the_cosine_with_the_nearest_caption() -> None:
    found = familiarity(PICTURES, CAPTIONS)
    np.testing.assert_allclose(found, (PICTURES @ CAPTIONS.T).max(1))
    assert found.dtype == np.float32
    assert familiarity(PICTURES, CAPTIONS[:0]).tolist() == [0, 0]


def test_a_new_text_finds_the_unseen_and_a_learned_one_its_own() -> None:
    familiar = familiarity(PICTURES, CAPTIONS)
    new, learned = unit([1, 0, 0.6])[0], CAPTIONS[0]
    assert (PICTURES @ new).argmax() == 1 - (PICTURES @ learned).argmax() == 1
    near = unit([1, 0, 0.3])[0]  # by the cosine alone the learned one is nearer
    assert (PICTURES @ near).argmax() == 0
    assert ranked(PICTURES @ near, familiar).argmax() == 1
    assert ranked(PICTURES @ learned, familiar).argmax() == 0


def test_a_weight_below_one_tells_learned_pictures_apart_by_their_own_captions() -> None:
    pictures = unit([1, 0.2, 0], [0.2, 1, 0])
    values = ranked(CAPTIONS @ pictures.T, familiarity(pictures, CAPTIONS))
    assert 0 < WEIGHT < 1
    assert values.argmax(1).tolist() == [0, 1]


def test_pictures_are_compared_with_pictures_by_the_cosine_alone() -> None:
    png = io.BytesIO()
    draw("red", "circle").save(png, "PNG")
    gallery = Gallery(
        pngs=(png.getvalue(),) * 2,
        captions=("learned", "unseen"),
        categories=("",) * 2,
        groups=("a", "b"),
        vectors=PICTURES,
        familiarity=familiarity(PICTURES, CAPTIONS),
    )
    near = unit([1, 0, 0.3])[0]
    assert [hit.caption for hit in gallery.like(near, 2)] == ["learned", "unseen"]
    assert [hit.caption for hit in gallery.showing(near, 2)] == ["unseen", "learned"]
    assert gallery.showing(near, 1)[0].score == pytest.approx(float(PICTURES[1] @ near))


def test_a_gallery_published_without_familiarity_is_searched_by_the_cosine(
    finished, tmp_path
) -> None:
    import pyarrow.parquet as pq

    path = finished[0] / "repository" / "gallery" / "pictures.parquet"
    (tmp_path / "gallery").mkdir()
    pq.write_table(
        pq.read_table(path).drop_columns(["familiarity"]), tmp_path / "gallery" / path.name
    )
    old, new = read_gallery(tmp_path), read_gallery(finished[0] / "repository")
    assert old is not None
    assert new is not None
    assert not old.familiarity.any()
    assert new.familiarity.min() > 0
    query = new.vectors[3]
    shown = [(hit.caption, hit.score) for hit in old.showing(query, 3)]
    assert shown == [(hit.caption, hit.score) for hit in new.like(query, 3)]
    assert shown[0][1] == pytest.approx(1, abs=1e-5)
