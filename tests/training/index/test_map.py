"""The map: near passages near each other, the same every time, and stable when little changes."""

import numpy as np
import pyarrow as pa
import pytest

from training.index.map import place, project, read_map, write_map

TOPICS, EACH = 3, 20


@pytest.fixture(scope="module")
def vectors():
    """Three topics of 20 passages each, of length 1."""
    rng = np.random.default_rng(0)
    centres = np.repeat(rng.normal(size=(TOPICS, 16)), EACH, axis=0)
    return unit(centres + 0.3 * rng.normal(size=centres.shape))


@pytest.fixture(scope="module")
def places(vectors):
    return project(vectors)


def unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def test_passages_of_a_topic_lie_together(places):
    distances = np.linalg.norm(places[:, None] - places[None], axis=-1)
    np.fill_diagonal(distances, np.inf)
    topics = np.repeat(np.arange(TOPICS), EACH)
    assert (topics[distances.argmin(axis=1)] == topics).all()
    assert np.abs(places).max() == pytest.approx(1, abs=0.01)


def test_the_same_vectors_give_the_same_places(vectors, places):
    np.testing.assert_array_equal(project(vectors), places)


def test_what_has_a_place_keeps_it_and_what_is_new_goes_to_its_like(vectors, places):
    known = places.copy()
    known[5] = np.nan
    again = project(vectors, known=known)
    others = np.arange(len(places)) != 5
    np.testing.assert_array_equal(again[others], places[others])
    nearest = np.linalg.norm(places[others] - again[5], axis=1).argmin()
    assert nearest < EACH  # of its own topic


def test_a_map_of_which_most_is_new_is_drawn_anew(vectors, places):
    known = np.full_like(places, np.nan)
    known[:3] = 5.0  # nowhere on a map
    assert np.abs(project(vectors, known=known)).max() <= 1


def test_a_query_lies_at_its_nearest_passages(vectors, places):
    found = place(vectors[:1], vectors, places)
    assert found.shape == (1, 2)
    assert np.linalg.norm(found[0] - places[:EACH].mean(axis=0)) < np.ptp(places) / 4


@pytest.mark.parametrize("count", [0, 1, 2, 9, 10, 40])
def test_a_corpus_of_any_size_has_a_map(vectors, count):
    found = project(vectors[:count])
    assert found.shape == (count, 2)
    assert np.isfinite(found).all()


def test_equal_passages_have_one_place():
    found = project(np.tile(unit(np.ones((1, 8))), (12, 1)))
    assert (found == found[0]).all()


def test_more_passages_than_landmarks_are_all_placed(vectors, monkeypatch):
    monkeypatch.setattr("training.index.map.LANDMARKS", 30)
    found = project(vectors)
    assert np.isfinite(found).all()
    middles = found.reshape(TOPICS, EACH, 2).mean(axis=1)
    spread = found.reshape(TOPICS, EACH, 2).std(axis=1).max()
    assert (
        min(np.linalg.norm(middles[a] - middles[b]) for a, b in [(0, 1), (0, 2), (1, 2)]) > spread
    )


def test_the_file_gives_places_by_id_and_by_text(tmp_path):
    table = pa.table({"id": ["a#0", "b#0"], "text_hash": ["11", "22"]})
    places = np.array([[0.5, -0.5], [1, 0]], np.float32)
    write_map(tmp_path, table, places)
    np.testing.assert_array_equal(read_map(tmp_path, table["id"]), places)
    found = read_map(tmp_path, ["22", "33"], column="text_hash")
    np.testing.assert_array_equal(found[0], places[1])
    assert np.isnan(found[1]).all()


def test_no_file_and_a_damaged_one_give_no_map(tmp_path):
    assert read_map(tmp_path, ["a#0"]) is None
    (tmp_path / "map.parquet").write_bytes(b"PAR1 half a file")
    assert read_map(tmp_path, ["a#0"]) is None
