"""The corpus as a map: what is drawn, and that texts in it are texts."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from tabs import search_map
from tabs.search_map import Ground, figure, ground, marks, palette
from tabs.searching import ALL, asked, more_like, search
from training.index.inference import SearchIndex


@pytest.fixture(scope="module")
def drawn(index: SearchIndex) -> Ground:
    made = ground(index)
    assert made is not None
    return made


def traces(shown) -> list[dict]:
    return json.loads(shown.to_json())["data"]


def test_every_passage_is_a_point_in_the_colour_of_its_category(drawn: Ground, index: SearchIndex):
    shown = figure(drawn)
    assert [trace.name for trace in shown.data] == ["cooking", "hockey", "space"]
    assert sum(len(trace.x) for trace in shown.data) == len(index)
    assert {trace.type for trace in shown.data} == {"scattergl"}
    assert len({trace.marker.color for trace in shown.data}) == 3
    assert {note.text for note in shown.layout.annotations} <= {"cooking", "hockey", "space"}
    assert shown.layout.annotations


def test_a_long_name_stays_on_the_map(drawn: Ground, monkeypatch: pytest.MonkeyPatch):
    width = 0.2
    monkeypatch.setattr(search_map, "NAME_WIDTH", width)
    low, high = drawn.places[:, 0].min(), drawn.places[:, 0].max()
    notes = figure(drawn).layout.annotations
    assert notes
    for note in notes:
        half = min(len(note.text) * width, high - low) / 2
        assert low - 1e-6 <= note.x - half < note.x + half <= high + 1e-6


def test_a_large_corpus_is_drawn_by_the_same_sample_each_time(
    index: SearchIndex, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(search_map, "SHOWN", 20)
    parts = (index.passages, index.vectors, index.encoder)
    first, again = (ground(SearchIndex(*parts, places=index.places)) for _ in range(2))
    assert len(first.rows) == 20
    np.testing.assert_array_equal(first.rows, again.rows)


def test_hits_and_query_lie_on_the_map(drawn: Ground, index: SearchIndex):
    found = search(index, asked("rocket", 4, ALL))
    hits, star = figure(drawn, marks(found, "en")).data[-2:]
    assert sorted(hits.text) == ["1", "2", "3", "4"]
    for rank, x, y in zip(hits.text, hits.x, hits.y, strict=True):
        place = index.places[found.hits[int(rank) - 1].row]
        assert (x, y) == pytest.approx(tuple(place))
    assert star.marker.symbol == "star"
    assert star.hovertext == ("Your question: rocket",)


def test_the_star_of_more_like_this_lies_by_its_passage(drawn: Ground, index: SearchIndex):
    hit = search(index, asked("rocket", 1, "dense")).hits[0]
    mark = marks(more_like(index, hit.id, 3, None), "en")
    nearest = index.place(index.vector(hit.row))
    assert mark.query[1:] == pytest.approx(tuple(nearest))


def test_titles_are_shown_as_text(drawn: Ground):
    evil = replace(drawn, titles=("<a href='javascript:x'>t</a>",) * len(drawn.titles))
    texts = [text for trace in traces(figure(evil)) for text in trace["text"]]
    assert not [text for text in texts if "<a" in text]
    assert texts[0].startswith("&lt;a href=")


def test_an_index_without_a_map_has_no_ground_and_marks_nothing(index: SearchIndex):
    bare = SearchIndex(index.passages, index.vectors, index.encoder, keyword=index.keyword)
    assert ground(bare) is None
    assert marks(search(bare, asked("rocket", 2, "dense")), "en").hits == ()


def test_neighbours_in_order_have_different_colours_on_both_papers():
    names = [f"name-{number:02d}" for number in range(20)]
    colours = palette(names)
    assert len(set(colours.values())) == 20
    lightness = [
        sum(int(colour[n : n + 2], 16) for n in (1, 3, 5)) / 765 for colour in colours.values()
    ]
    assert 0.2 < min(lightness) < max(lightness) < 0.8
