"""What the Search tab does, without its layout."""

from __future__ import annotations

import json

import pytest

from hub_utils.errors import LabError
from tabs.i18n import PageError
from tabs.searching import (
    ALL,
    FEW,
    MAX_CHARACTERS,
    MODES,
    as_json,
    asked,
    choices,
    facets,
    filters_of,
    more_like,
    search,
)
from training.index.inference import SearchIndex


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_finds_passages_best_first_within_the_number_asked_for(
    index: SearchIndex, mode: str
):
    found = search(index, asked("the rocket and the moon", 2, mode))
    assert list(found.by_mode) == [mode]
    scores = [hit.score for hit in found.hits]
    assert len(scores) == 2
    assert scores == sorted(scores, reverse=True)
    assert found.seconds > 0


def test_side_by_side_searches_by_all_three_and_knows_each_rank(index: SearchIndex):
    found = search(index, asked("rocket", 3, ALL))
    assert tuple(found.by_mode) == MODES
    for mode in MODES:
        hits = found.by_mode[mode].hits
        assert found.ranks[mode] == {hit.id: rank for rank, hit in enumerate(hits, 1)}


def test_filters_leave_only_what_was_chosen(index: SearchIndex):
    known = dict(choices(facets(index)))
    chosen = [known["topic: space"], known["topic: cooking"]]
    found = search(index, asked("the new team", 20, "dense", chosen))
    assert {hit.metadata["topic"] for hit in found.hits} == {"space", "cooking"}


def test_columns_with_few_values_become_filters_named_where_there_are_several(index: SearchIndex):
    found = {facet.column: facet.values for facet in facets(index)}
    assert found["topic"] == ("cooking", "hockey", "space")
    assert all(2 <= len(values) <= FEW for values in found.values())
    assert "serial" not in found  # as many values as documents
    assert ("topic: hockey", json.dumps(["topic", "hockey"])) in choices(facets(index))
    alone = [facet for facet in facets(index) if facet.column == "topic"]
    assert [label for label, _ in choices(alone)] == ["cooking", "hockey", "space"]


def test_more_like_this_leaves_the_passage_s_own_document_out(index: SearchIndex):
    hit = search(index, asked("rocket", 1, "keyword")).hits[0]
    found = more_like(index, hit.id, 5, None)
    assert found.like == hit.id
    assert found.query == hit.title
    assert hit.document not in {other.document for other in found.hits}
    assert len(found.hits) == 5
    with pytest.raises(LabError, match="no passage 'nowhere#9'"):
        more_like(index, "nowhere#9", 5, None)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((" \n", 5, "dense"), "nothing to look for"),
        (("x" * (MAX_CHARACTERS + 1), 5, "dense"), f"{MAX_CHARACTERS + 1} characters"),
        (("moon", 0, "dense"), "k is 0"),
        (("moon", 51, "dense"), "k is 51"),
        (("moon", None, "dense"), "k is None"),
        (("moon", 5, "sparse"), "no mode sparse"),
        (("moon", 5, "dense", ["topic=space"]), "topic=space is not a filter"),
        (("moon", 5, "dense", ["[1]"]), "is not a filter"),
    ],
)
def test_what_cannot_be_searched_for_is_a_sentence(given: tuple, said: str):
    with pytest.raises(PageError, match=said):
        asked(*given)


def test_a_filter_on_a_column_that_is_not_there_is_a_sentence(index: SearchIndex):
    with pytest.raises(LabError, match="no column 'colour'"):
        search(index, asked("moon", 5, "dense", [json.dumps(["colour", "red"])]))


def test_filters_of_one_column_are_alternatives_and_columns_add_up():
    tokens = [
        json.dumps(pair) for pair in (["topic", "space"], ["year", 1990], ["topic", "hockey"])
    ]
    assert filters_of(tokens) == {"topic": ["space", "hockey"], "year": [1990]}


def test_programs_get_plain_values(index: SearchIndex):
    found = as_json(search(index, asked("rocket", 3, "hybrid")))
    assert json.loads(json.dumps(found)) == found
    assert list(found[0]) == ["id", "document", "title", "text", "score", "metadata"]
    assert found[0]["id"].startswith(found[0]["document"])
    assert found[0]["metadata"]["topic"] in ("space", "hockey", "cooking")
