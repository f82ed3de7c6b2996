"""What a search answers: three modes, filters, folding, highlights, notices, many callers."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from hub_utils.errors import LabError
from tests.training.index.made_index import in_memory, sentences
from training.index import folding
from training.index.encoder import load_encoder
from training.index.query import MAX_CHARACTERS
from training.index.search import MODES
from training.index.stores.exact import ExactStore

TEXTS = [
    *sentences(90),
    "launching rockets <script>alert('moon')</script> & <b>orbit</b>",
    "月亮的轨道上有一颗卫星",
]
HTML, CHINESE = len(TEXTS) - 2, len(TEXTS) - 1


@pytest.fixture(scope="module")
def encoder(tiny_encoder):
    return load_encoder(tiny_encoder, repo="lab/tiny-encoder", revision="a" * 40)


@pytest.fixture(scope="module")
def index(encoder):
    places = np.random.default_rng(0).uniform(-1, 1, (len(TEXTS), 2)).astype(np.float32)
    places[::2] = np.nan  # half of them are not on the map
    return in_memory(TEXTS, encoder, places=places)


def ids(results):
    return [hit.id for hit in results.hits]


def test_dense_hits_are_the_nearest_vectors(index, encoder):
    results = index.search("rocket launch", 5, mode="dense", fold=False)
    cosines = index.vectors.astype(np.float32) @ encoder.encode_query("rocket launch")
    assert [hit.row for hit in results.hits] == np.argsort(-cosines, kind="stable")[:5].tolist()
    assert [hit.score for hit in results.hits] == pytest.approx(np.sort(cosines)[:-6:-1], abs=1e-4)
    assert all(hit.dense == hit.score and hit.keyword is None for hit in results.hits)
    assert results.seconds > 0
    assert results.notice is None


def test_keyword_hits_have_the_words(index):
    hits = index.search("rockets", mode="keyword", fold=False).hits
    assert hits
    assert all("rocket" in hit.text for hit in hits)
    assert all(hit.keyword == hit.score and hit.dense is None for hit in hits)


def test_hybrid_hits_know_both_scores(index):
    hits = index.search("puck goal 7", mode="hybrid", fold=False).hits
    both = [hit for hit in hits if hit.keyword is not None]
    assert both
    assert all(hit.dense is not None for hit in hits)
    assert sorted((hit.score for hit in hits), reverse=True) == [hit.score for hit in hits]


def test_a_hit_carries_its_passage(index):
    hit = index.search(TEXTS[4], 1, mode="keyword").hits[0]
    assert (hit.id, hit.document, hit.title, hit.row) == ("d1#1", "d1", "letter d1", 4)
    assert hit.text == TEXTS[4]
    assert hit.metadata["year"] == 1994


@pytest.mark.parametrize("mode", MODES)
def test_filters_hold_in_every_mode(index, mode):
    filters = {"topic": "space", "year": {"gte": 1993}}
    hits = index.search("rocket bread puck", 20, mode=mode, filters=filters, fold=False).hits
    assert hits
    assert all(hit.metadata["topic"] == "space" for hit in hits)
    assert all(hit.metadata["year"] >= 1993 for hit in hits)


@pytest.mark.parametrize("mode", MODES)
def test_a_filter_that_nothing_meets_says_so(index, mode):
    results = index.search("rocket", mode=mode, filters={"year": 2030})
    assert results.hits == ()
    assert "filters" in results.notice


def test_highlights_are_the_query_words_whatever_their_ending(index):
    hit = index.search("launched ROCKET", 1, mode="keyword", filters={"id": f"d{HTML // 3}#0"}).hits
    text, spans = hit[0].text, hit[0].highlights
    assert [text[start:end] for start, end in spans] == ["launching", "rockets"]


def test_html_in_a_passage_stays_text(index):
    hit = index.search("alert moon script", 1, mode="keyword").hits[0]
    assert hit.text == TEXTS[HTML]
    assert "<script>alert('moon')</script> & <b>orbit</b>" in hit.text


@pytest.mark.parametrize("mode", MODES)
def test_another_script_is_answered(index, mode):
    results = index.search("卫星轨道", 3, mode=mode, fold=False)
    if mode != "dense":
        assert results.hits[0].row == CHINESE
        assert results.hits[0].highlights
    else:
        assert len(results.hits) == 3


def test_words_that_no_passage_has_say_so(index):
    results = index.search("спутник", mode="keyword")
    assert (results.hits, results.notice) == ((), "No passage has these words.")
    assert index.search("спутник", 3, mode="hybrid", fold=False).hits  # by meaning, then


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("query", ["", "  \n\t ", "\0", "\ud800"])
def test_an_empty_query_finds_nothing_and_says_so(index, query, mode):
    results = index.search(query, mode=mode)
    assert results.hits == ()
    assert "empty" in results.notice


@pytest.mark.parametrize("mode", MODES)
def test_an_endless_query_is_cut_with_a_notice(index, mode):
    query = "rocket launch " * 7_500  # 105 kB
    results = index.search(query, 3, mode=mode)
    assert f"first {MAX_CHARACTERS:,}" in results.notice
    assert ids(results) == ids(index.search(query[:MAX_CHARACTERS], 3, mode=mode))


def test_lone_surrogates_and_control_characters_are_no_trouble(index):
    assert index.search("rocket\ud800\0\x07 launch", 3, fold=False).hits


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "dens"}, "no mode 'dens'.*Did you mean 'dense'"),
        ({"k": 0}, "k=0"),
        ({"k": 1001}, "k=1001"),
        ({"rule": "best"}, "no fusion rule"),
        ({"filters": {"colour": "red"}}, "no column 'colour'"),
    ],
)
def test_what_cannot_be_searched_is_a_sentence(index, options, message):
    with pytest.raises(LabError, match=message):
        index.search("rocket", **options)


def test_without_a_keyword_index_only_dense_search_goes(index, encoder):
    alone = type(index)(index.passages, index.vectors, encoder)
    assert alone.search("rocket", 2, mode="dense", fold=False).hits[0].highlights is not None
    with pytest.raises(LabError, match="no keyword index, which hybrid search needs"):
        alone.search("rocket")


def test_more_hits_than_passages_gives_all(index):
    assert len(index.search("rocket", 500, mode="dense", fold=False).hits) == len(TEXTS)


def test_copies_fold_into_the_best_hit(encoder, monkeypatch):
    monkeypatch.setattr(folding, "SAME_COSINE", 1.1)  # only by the hash of the text
    texts = sentences(40, seed=3)
    index = in_memory([*texts, texts[5], texts[5], texts[7]], encoder)
    hits = index.search(texts[5], 5, mode="dense").hits
    assert hits[0].row == 5
    assert hits[0].duplicates == ("d13#1", "d13#2")
    assert len(hits) == 5
    assert not {"d13#1", "d13#2"} & {hit.id for hit in hits}
    apart = index.search(texts[5], 5, mode="dense", fold=False).hits
    assert [hit.row for hit in apart[:3]] == [5, 40, 41]


def test_folding_looks_further_until_there_are_k(encoder, monkeypatch):
    monkeypatch.setattr(folding, "SAME_COSINE", 1.1)
    texts = sentences(10, seed=4)
    index = in_memory([*[texts[0]] * 60, *texts[1:]], encoder)
    hits = index.search(texts[0], 5, mode="dense").hits
    assert len(hits) == 5
    assert len(hits[0].duplicates) == 59


def test_near_copies_fold_by_their_cosine():
    vectors = np.array([[1, 0], [0.999, 0.0447], [0.7071, 0.7071]], np.float16)
    groups = folding.fold(np.array([4, 9, 2]), vectors, [None, None, None])
    assert [(group.row, group.copies) for group in groups] == [(4, [9]), (2, [])]


def test_more_like_this_is_from_other_documents(index):
    results = index.more_like("d3#1", 5)
    documents = {hit.document for hit in results.hits}
    assert results.hits
    assert "d3" not in documents
    with pytest.raises(LabError, match="no passage 'nobody'"):
        index.more_like("nobody")


def test_a_query_lies_among_its_nearest_that_have_a_place(index):
    place = index.place("rocket launch")
    placed = np.flatnonzero(~np.isnan(index.places).any(axis=1))
    rows, _ = ExactStore(index.vectors).search(
        index.encode("rocket launch")[None], 5, allowed=placed
    )
    near = index.places[rows[0]]
    assert (near.min(axis=0) - 1e-6 <= place).all()
    assert (place <= near.max(axis=0) + 1e-6).all()
    np.testing.assert_allclose(index.place(index.encode("rocket launch")), place)


def test_without_a_map_there_is_no_place(index, encoder):
    assert in_memory(TEXTS[:5], encoder).place("rocket") is None


def test_sixteen_callers_get_the_answers_they_would_get_alone(index):
    queries = [
        f"{word} {other}" for word in ("rocket", "puck", "bread", "moon") for other in "abcd"
    ]
    alone = [ids(index.search(query, 5, fold=False)) for query in queries]
    with ThreadPoolExecutor(16) as pool:
        for _ in range(3):
            found = pool.map(lambda query: ids(index.search(query, 5, fold=False)), queries)
            assert list(found) == alone


def test_a_store_that_cannot_be_opened_leaves_exact_search(encoder):
    def broken():
        raise LabError("The store is gone.", hint="Start it.")

    index = in_memory(TEXTS[:10], encoder)
    index.improve(broken)
    with pytest.raises(LabError, match="store is gone"):
        index.prepare()
    assert index.search("rocket", 3, fold=False).hits
    assert index.store.name == "exact"
    index.close()
