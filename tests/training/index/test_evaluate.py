"""Figures of a search: those of the references, over documents, with intervals."""

import random

import numpy as np
import pytest

from hub_utils.errors import DataError
from tests.training.index.conftest import TOPICS, _sentence
from training.index.documents import Document
from training.index.encoder import load_encoder
from training.index.evaluate import METRICS, ask, bootstrap, compare, evaluate, measured
from training.index.inference import index_texts

DOCUMENTS, QUERIES = 160, 12


@pytest.fixture(scope="module")
def collection():
    """(documents, queries, judgements): short texts of three topics, a few relevant to each query."""
    rng = random.Random(3)
    documents = {f"d{n}": _sentence(rng.choice(list(TOPICS)), rng) for n in range(DOCUMENTS)}
    queries = {f"q{n}": _sentence(rng.choice(list(TOPICS)), rng) for n in range(QUERIES)}
    qrels = {name: dict.fromkeys(rng.sample(list(documents), 4), 1) for name in queries}
    return documents, queries, qrels


@pytest.fixture(scope="module")
def encoder(tiny_encoder):
    return load_encoder(tiny_encoder)


@pytest.fixture(scope="module")
def index(collection, encoder):
    return index_of(collection[0], encoder)


def index_of(texts, encoder):
    documents = [
        Document(id=name, title="", text=text, metadata={}) for name, text in texts.items()
    ]
    return index_texts(documents, encoder, mapped=False)


def test_dense_figures_are_those_of_sentence_transformers(collection, index, tiny_encoder):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.evaluation import (
        InformationRetrievalEvaluator,
    )

    documents, queries, qrels = collection
    evaluator = InformationRetrievalEvaluator(
        queries,
        documents,
        {name: set(judged) for name, judged in qrels.items()},
        ndcg_at_k=[10],
        mrr_at_k=[10],
        precision_recall_at_k=[100],
        write_csv=False,
    )
    theirs = evaluator(SentenceTransformer(str(tiny_encoder)))
    ours = evaluate(index, queries, qrels, mode="dense", timed=0)
    assert ours.ndcg_at_10 == pytest.approx(theirs["cosine_ndcg@10"], abs=0.001)
    assert ours.recall_at_100 == pytest.approx(theirs["cosine_recall@100"], abs=0.001)
    assert ours.mrr_at_10 == pytest.approx(theirs["cosine_mrr@10"], abs=0.001)
    assert 0 < ours.ndcg_at_10 < ours.recall_at_100 < 1


def test_graded_gain_is_that_of_scikit_learn():
    from sklearn.metrics import ndcg_score

    rng = np.random.default_rng(0)
    judged = {str(n): int(gain) for n, gain in enumerate(rng.integers(0, 4, size=30))}
    scores = rng.permutation(30)
    ranking = [str(n) for n in np.argsort(-scores)]
    expected = ndcg_score([list(judged.values())], [scores], k=10)
    assert measured(ranking, judged)[0] == pytest.approx(expected)


def test_figures_of_a_ranking_by_hand():
    gain, recall, reciprocal = measured(["x", "a", "y", "b"], {"a": 1, "b": 1, "c": 1, "y": 0})
    ideal = 1 + 1 / np.log2(3) + 1 / np.log2(4)
    assert gain == pytest.approx((1 / np.log2(3) + 1 / np.log2(5)) / ideal)
    assert (recall, reciprocal) == (pytest.approx(2 / 3), 0.5)
    assert measured(["x"], {"a": 1}) == (0, 0, 0)


def test_a_document_stands_where_its_best_passage_does(encoder):
    rng = random.Random(0)
    long = " ".join(_sentence("space", rng) for _ in range(40))  # many passages
    texts = {"long": long, "short": "oven bread salt butter", "other": "puck goal team"}
    index = index_of(texts, encoder)
    assert len(index) > 10
    found = evaluate(
        index, {"q": long[:100]}, {"q": {"short": 1, "other": 1}}, mode="dense", timed=0
    )
    assert found.recall_at_100 == 1  # the long one's passages do not fill the places
    assert found.values["mrr_at_10"][0] == 0.5


@pytest.mark.parametrize("mode", ["hybrid", "dense", "keyword"])
def test_a_document_that_is_the_query_can_be_left_out(collection, index, mode):
    documents, _, _ = collection
    first, second = list(documents)[:2]
    qrels = {first: {first: 1, second: 1}}
    own = evaluate(index, {first: documents[first]}, qrels, mode=mode, timed=0)
    assert own.mrr_at_10 == 1
    left_out = evaluate(index, {first: documents[first]}, qrels, mode=mode, timed=0, skip_own=True)
    assert left_out.mrr_at_10 < 1


def test_the_rule_of_fusion_can_be_chosen(collection, index):
    _, queries, qrels = collection
    by_rule = [
        evaluate(index, queries, qrels, rule=rule, timed=0).values["ndcg_at_10"]
        for rule in ("rrf", "rrf-keyword")
    ]
    assert not np.array_equal(*by_rule)


def test_comparing_gives_what_each_mode_gives_alone(collection, index):
    _, queries, qrels = collection
    for mode, found in compare(index, ask(index, queries, qrels)).items():
        alone = evaluate(index, queries, qrels, mode=mode, timed=0)
        assert found.figures() == alone.figures()


def test_queries_with_nothing_to_find_are_skipped_and_counted(collection, index):
    _, queries, qrels = collection
    more = {**queries, "unjudged": "moon", "all wrong": "puck"}
    found = evaluate(index, more, {**qrels, "all wrong": {"d0": 0}}, mode="keyword", timed=2)
    assert found.figures()["queries"] == QUERIES
    assert found.figures()["skipped"] == 2
    assert found.query_p50_ms > 0
    assert len(found.milliseconds) == 2


def test_nothing_to_find_at_all_is_a_sentence(index):
    with pytest.raises(DataError, match="No query has a relevant document"):
        evaluate(index, {"q": "moon"}, {"q": {"d0": 0}})


def test_intervals_hold_the_mean_and_shrink_with_more_queries():
    values = np.random.default_rng(1).random(400)
    low, high = bootstrap(values)
    expected = 1.96 * values.std() / np.sqrt(400)
    assert (high - low) / 2 == pytest.approx(expected, rel=0.1)
    assert low < values.mean() < high
    assert bootstrap(values) == (low, high)  # the same draws every time
    few_low, few_high = bootstrap(values[:25])
    assert few_high - few_low > 2 * (high - low)
    assert bootstrap(np.ones(5)) == (1, 1)


def test_a_difference_is_told_from_chance_query_by_query(collection, index):
    _, queries, qrels = collection
    found = evaluate(index, queries, qrels, mode="keyword", timed=0)
    for metric in METRICS:
        assert found.ahead_of(found, metric) == (0, 0)
    fewer = evaluate(index, dict(list(queries.items())[:5]), qrels, mode="keyword", timed=0)
    with pytest.raises(ValueError, match="different queries"):
        found.ahead_of(fewer, "ndcg_at_10")
