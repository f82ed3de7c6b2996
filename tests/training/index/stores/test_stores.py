"""Every store finds what exact search finds, filtered or not, from its cache or just built."""

import logging
import shutil

import numpy as np
import pytest

from hub_utils.errors import LabError
from hub_utils.settings import SEARCH_STORES
from training.index.cache import Cache
from training.index.stores import approximate, choice
from training.index.stores.base import NOTHING, best, rescored
from training.index.stores.exact import ExactStore

STORED = tuple(choice.KINDS)
COUNT, WIDTH = 1500, 32


@pytest.fixture(scope="module")
def vectors():
    """Clusters, as real texts make them."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((30, WIDTH))
    found = centres[rng.integers(0, 30, COUNT)] + 0.6 * rng.standard_normal((COUNT, WIDTH))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float16)


@pytest.fixture(scope="module")
def queries(vectors):
    rng = np.random.default_rng(1)
    found = vectors[::50].astype(np.float32) + 0.1 * rng.standard_normal((30, WIDTH))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return Cache(tmp_path_factory.mktemp("cache"), repo="lab/index", stamp="one")


@pytest.fixture(scope="module")
def opened(cache, vectors):
    """Every store that is kept, over the same vectors."""
    stores = {name: choice.open_store(cache, name, vectors) for name in STORED}
    yield stores
    for store in stores.values():
        store.close()


def recall(found, wanted):
    pairs = zip(found.tolist(), wanted.tolist(), strict=True)
    return np.mean([len(set(a) & set(b)) / len(b) for a, b in pairs])


def test_exact_search_is_the_product_sorted(vectors, queries):
    rows, scores = ExactStore(vectors).search(queries, 7)
    cosines = queries @ vectors.astype(np.float32).T
    np.testing.assert_array_equal(rows, np.argsort(-cosines, axis=1)[:, :7])
    np.testing.assert_allclose(scores, -np.sort(-cosines, axis=1)[:, :7], atol=1e-6)


def test_exact_search_in_blocks_is_the_same(vectors, queries, monkeypatch):
    monkeypatch.setattr("training.index.stores.exact.BLOCK", 100 * WIDTH)
    allowed = np.arange(0, COUNT, 3)
    whole, blocks = ExactStore(vectors), ExactStore(vectors, whole=0)
    for options in ({}, {"allowed": allowed}):
        ours, theirs = blocks.search(queries, 9, **options), whole.search(queries, 9, **options)
        np.testing.assert_array_equal(ours[0], theirs[0])
        np.testing.assert_allclose(ours[1], theirs[1], atol=1e-6)


def test_equal_scores_stand_in_the_order_of_their_rows():
    rows, _ = best(np.array([[0.5, 0.9, 0.5, 0.5 + 1e-8, 0.9]], np.float32), 4)
    assert rows.tolist() == [[1, 4, 0, 2]]


def test_fewer_than_k_are_said():
    rows, scores = best(np.array([[0.1, 0.2]], np.float32), 4)
    assert rows.tolist() == [[1, 0, NOTHING, NOTHING]]
    assert np.isneginf(scores[0, 2:]).all()
    rows, _ = ExactStore(np.eye(3, dtype=np.float16)).search(
        np.eye(3, dtype=np.float32), 2, allowed=np.array([], np.int64)
    )
    assert (rows == NOTHING).all()


def test_candidates_are_ranked_once_each_by_their_cosine(vectors, queries):
    candidates = np.array([[5, 3, 5, NOTHING]] * len(queries))
    rows, scores = rescored(vectors, queries, candidates, 3)
    cosines = queries @ vectors[[3, 5]].astype(np.float32).T
    np.testing.assert_allclose(scores[:, 0], cosines.max(axis=1), atol=1e-6)
    assert (rows[:, 2] == NOTHING).all()


@pytest.mark.parametrize("name", STORED)
def test_a_store_finds_what_exact_search_finds(opened, vectors, queries, name):
    rows, scores = opened[name].search(queries, 10)
    exact_rows, exact_scores = ExactStore(vectors).search(queries, 10)
    assert recall(rows, exact_rows) >= 0.99
    assert opened[name].name == name
    same = rows == exact_rows
    np.testing.assert_allclose(scores[same], exact_scores[same], atol=1e-5)


@pytest.mark.parametrize("name", STORED)
@pytest.mark.parametrize("few", [0, approximate.FEW])
def test_a_filter_is_kept_to_by_few_and_by_many_rows(
    opened, vectors, queries, name, few, monkeypatch
):
    monkeypatch.setattr(approximate, "FEW", few)  # 0: the back end's own candidates are filtered
    allowed = np.arange(0, COUNT, 4)
    rows, _ = opened[name].search(queries, 10, allowed=allowed)
    exact, _ = ExactStore(vectors).search(queries, 10, allowed=allowed)
    assert np.isin(rows, allowed).all()
    assert recall(rows, exact) >= 0.99


@pytest.mark.parametrize("name", STORED)
def test_more_than_there_are_ends_in_nothing(cache, name):
    few = np.eye(WIDTH, dtype=np.float16)[:3]
    store = choice.open_store(Cache(cache.folder, repo="few", stamp="s"), name, few)
    rows, _ = store.search(np.eye(WIDTH, dtype=np.float32)[:1], 5)
    assert rows[0].tolist() == [0, 1, 2, NOTHING, NOTHING]
    store.close()


def test_ivfpq_has_lists_and_rounded_vectors_where_there_are_enough(
    vectors, queries, monkeypatch, tmp_path
):
    monkeypatch.setattr("training.index.stores.faiss.SMALL", 1000)
    store = choice.open_store(Cache(tmp_path, repo="r", stamp="s"), "faiss-ivfpq", vectors)
    assert store._index.nlist == 64
    rows, _ = store.search(queries, 10)
    assert recall(rows, ExactStore(vectors).search(queries, 10)[0]) >= 0.99


def test_a_second_opening_builds_nothing(cache, opened, monkeypatch):
    def refuse(*_):
        raise AssertionError("built again")

    for name in STORED:
        kind = choice.KINDS[name]
        monkeypatch.setitem(
            choice.KINDS, name, choice.Kind(kind.settings, refuse, kind.open, kind.changing)
        )
    for name in STORED:
        choice.open_store(cache, name, opened[name]._vectors).close()


def damaged_files(folder):
    return sorted(p for p in folder.rglob("*") if p.suffix in (".bin", ".faiss", ".sqlite3"))


@pytest.mark.parametrize("name", ["chroma", "faiss-hnsw"])
@pytest.mark.parametrize("damage", ["cut", "gone", "other"])
def test_a_damaged_store_is_built_again(vectors, queries, tmp_path, name, damage, caplog):
    cache = Cache(tmp_path, repo="lab/index", stamp="one")
    choice.open_store(cache, name, vectors[:301]).close()
    for path in damaged_files(cache.folder / name):
        data = path.read_bytes()
        half = len(data) // 2
        new = {"cut": data[:half], "gone": None, "other": data[:half] + bytes(len(data) - half)}
        path.unlink() if new[damage] is None else path.write_bytes(new[damage])
    with caplog.at_level(logging.WARNING):
        store = choice.open_store(cache, name, vectors[:301])
    assert "is built again" in caplog.text
    rows, _ = store.search(queries, 10)
    store.close()
    assert recall(rows, ExactStore(vectors[:301]).search(queries, 10)[0]) >= 0.99


def test_a_store_of_other_vectors_is_built_again(vectors, queries, tmp_path):
    cache = Cache(tmp_path, repo="lab/index", stamp="one")
    choice.open_store(cache, "faiss-flat", vectors[:200])
    store = choice.open_store(cache, "faiss-flat", vectors)
    np.testing.assert_array_equal(
        store.search(queries, 10)[0], ExactStore(vectors).search(queries, 10)[0]
    )


def test_a_database_of_chroma_that_lost_its_graph_is_seen(vectors, tmp_path):
    from training.index.stores.chroma import fill, open_chroma

    fill(vectors, tmp_path)
    for folder in [path for path in tmp_path.iterdir() if path.is_dir()]:
        shutil.rmtree(folder)
    with pytest.raises(ValueError, match=r"find themselves|vectors"):
        open_chroma(vectors, tmp_path).close()


def test_auto_goes_by_size():
    assert [choice.chosen("auto", n) for n in (100, 50_000, 10**6)] == [
        "exact",
        "chroma",
        "faiss-ivfpq",
    ]


def test_the_settings_stores_are_those_that_there_are():
    assert set(SEARCH_STORES) == set(choice.NAMES)


def test_an_unknown_store_gets_the_near_name():
    with pytest.raises(LabError, match=r"no vector store 'crhoma'\. Did you mean 'chroma'"):
        choice.chosen("crhoma", 10)
