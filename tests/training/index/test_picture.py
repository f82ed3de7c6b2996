"""The picture of the map: its colours, its legend, and pages of either kind."""

import numpy as np
import pyarrow as pa
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from training.index.picture import GROUPS, INK, OTHERS, PALETTE, draw_map, grouping


def table(**columns):
    return pa.table(columns)


def luminance(colour):
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


@pytest.mark.parametrize("colour", [INK, *PALETTE])
def test_every_colour_is_seen_on_white_and_on_black(colour):
    on_white, on_black = 1.05 / (luminance(colour) + 0.05), (luminance(colour) + 0.05) / 0.05
    assert min(on_white, on_black) > 2.8


def test_words_are_legible_on_white_and_on_black():
    assert 1.05 / (luminance(INK) + 0.05) > 3.5
    assert (luminance(INK) + 0.05) / 0.05 > 3.5


def test_the_groups_have_different_colours():
    assert len(set(PALETTE)) == GROUPS


def test_the_column_with_most_values_that_colours_can_tell_is_chosen():
    columns = table(
        one=["a"] * 100,
        two=[bool(n % 2) for n in range(100)],
        ten=[n % 10 for n in range(100)],
        thirty=[str(n % 30) for n in range(100)],
        names=[str(n) for n in range(100)],
        share=[n % 3 / 3 for n in range(100)],
    )
    kinds = {
        "one": "string",
        "two": "bool",
        "ten": "int64",
        "thirty": "string",
        "names": "string",
        "share": "double",
    }
    assert grouping(columns, kinds).column == "ten"
    assert grouping(columns, {"thirty": "string", "names": "string"}).column == "thirty"
    assert grouping(columns, {"one": "string", "names": "string", "share": "double"}) is None


def test_the_legend_names_the_groups_and_gathers_the_rest():
    values = [str(n) for n in range(30) for _ in range(40 - n)] + [None]
    groups = grouping(table(label=values), {"label": "string"})
    axes = Figure().add_subplot()
    draw_map(axes, np.random.default_rng(0).random((len(values), 2)), groups)
    shown = [text.get_text() for text in axes.get_legend().get_texts()]
    assert len(shown) == GROUPS + 1
    assert OTHERS in shown
    assert "0" in shown
    assert "29" not in shown
    assert sum(len(points.get_offsets()) for points in axes.collections) == len(values)


def test_a_corpus_without_groups_is_drawn_in_one_colour():
    axes = Figure().add_subplot()
    draw_map(axes, np.zeros((3, 2)), None)
    assert axes.get_legend() is None
    assert len(axes.collections[0].get_offsets()) == 3
