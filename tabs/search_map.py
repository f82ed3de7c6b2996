"""The corpus as a map: a point a passage, coloured by category, with a query and its hits on it.

Points are drawn by WebGL and look the same in light and dark; the categories' names are SVG above
them and follow the page by style.css. Texts are escaped: Plotly reads some tags in them.
"""

from __future__ import annotations

import colorsys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from threading import Lock
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from tabs.i18n import say
from tabs.language import Language
from tabs.search_cards import shortened, title_of
from tabs.searching import Facet, Found, facets

if TYPE_CHECKING:
    from training.index.inference import SearchIndex

SHOWN = 6_000  # points; a larger corpus is drawn by a sample of it
TITLE = 60  # characters, at a point
HEIGHT = 440  # pixels
MARGIN = 0.05  # around the points
NAME_WIDTH, NAME_HEIGHT = 0.034, 0.075  # of a letter and a line, in the map's units: -1 to 1
STAR = "#e0a526"
INK, PAPER = "#1e1d1c", "#faf9f6"


@dataclass(frozen=True)
class Marks:
    """What a search puts on the map; light, and free of the index."""

    hits: tuple[tuple[int, str, float, float], ...]  # rank, title, x, y
    query: tuple[str, float, float] | None  # what is said of it, x, y


@dataclass(frozen=True)
class Ground:
    """What is drawn of a corpus whatever is asked: a sample of its points, by category."""

    rows: np.ndarray  # (m,) of the index
    categories: np.ndarray  # (m,) str
    names: tuple[str, ...]  # of the categories, in their order; empty where there are none
    titles: tuple[str, ...]  # (m,)
    places: np.ndarray  # (m, 2)


_grounds: WeakKeyDictionary[SearchIndex, Ground] = WeakKeyDictionary()  # those that are served
_sampling = Lock()


def ground(index: SearchIndex) -> Ground | None:
    """The sample of a corpus; None where it has no map. The same index is sampled once."""
    if index.places is None:
        return None
    with _sampling:
        if index not in _grounds:
            _grounds[index] = _sample(index, np.asarray(index.places, np.float32))
        return _grounds[index]


def _sample(index: SearchIndex, places: np.ndarray) -> Ground:
    rows = np.flatnonzero(~np.isnan(places).any(axis=1))
    if len(rows) > SHOWN:
        rows = np.sort(np.random.default_rng(0).choice(rows, SHOWN, replace=False))
    table = index.passages.table.select([*_column(index), "title", "text"]).take(rows)
    texts = zip(table["title"].to_pylist(), table["text"].to_pylist(), strict=True)
    titles = tuple(shortened(title or text, TITLE) for title, text in texts)
    column = _column(index)
    cells = table[column[0]].to_pylist() if column else [""] * len(rows)
    categories = np.array(["" if cell is None else str(cell) for cell in cells], dtype=object)
    names = tuple(sorted(set(categories))) if column else ()
    return Ground(rows, categories, names, titles, places[rows])


def _column(index: SearchIndex) -> list[str]:
    """The column that colours the map: words before numbers, then the one with most values."""
    found: Sequence[Facet] = facets(index)
    best = max(found, key=lambda f: (isinstance(f.values[0], str), len(f.values)), default=None)
    return [best.column] if best else []


def marks(found: Found, language: Language) -> Marks:
    """Where the hits of the first mode and the query itself lie."""
    index = found.index
    if index.places is None:
        return Marks((), None)
    spots = [
        (rank, title_of(hit), float(index.places[hit.row][0]), float(index.places[hit.row][1]))
        for rank, hit in enumerate(found.hits, 1)
    ]
    drawn = tuple(spot for spot in spots if not np.isnan(spot[2]))
    asked = index.vector(index.passages.row_of(found.like)) if found.like else found.query
    place = index.place(asked)
    if place is None:
        return Marks(drawn, None)
    said = say("search.your_query", language, query=shortened(found.query, TITLE))
    return Marks(drawn, (said, float(place[0]), float(place[1])))


def figure(drawn: Ground, mark: Marks | None = None) -> Any:
    """The map, and on it what was found."""
    import plotly.graph_objects as go

    traces = _points(drawn, palette(drawn.names))
    if mark is not None:
        traces += [*_numbers(mark), *_star(mark)]
    return go.Figure(traces, _layout(drawn))


def palette(names: Sequence[str]) -> dict[str, str]:
    """A colour a name, around the circle in their order: names that begin alike look alike."""
    count = max(1, len(names))
    return {
        name: _hex(number / count, 0.58 if number % 2 else 0.48, 0.55)
        for number, name in enumerate(names)
    }


def _hex(hue: float, light: float, saturation: float) -> str:
    return "#" + "".join(
        f"{round(255 * part):02x}" for part in colorsys.hls_to_rgb(hue, light, saturation)
    )


def _points(drawn: Ground, colours: Mapping[str, str]) -> list[Any]:
    import plotly.graph_objects as go

    traces = []
    for name in drawn.names or ("",):
        chosen = np.flatnonzero(drawn.categories == name)
        traces.append(
            go.Scattergl(
                x=drawn.places[chosen, 0],
                y=drawn.places[chosen, 1],
                text=[_words(drawn.titles[place], name) for place in chosen],
                hoverinfo="text",
                mode="markers",
                marker={"size": 5, "opacity": 0.55, "color": colours.get(name, "#5a9f92")},
                name=escape(name),
            )
        )
    return traces


def _words(title: str, category: str) -> str:
    return escape(title) + (f"<br><i>{escape(category)}</i>" if category else "")


def _names(drawn: Ground) -> list[dict[str, Any]]:
    """The categories' names in the middle of their points, as many as do not cover each other.

    One that would go over the edge stands further inside.
    """
    low, high = drawn.places[:, 0].min(), drawn.places[:, 0].max()
    sizes = {name: np.flatnonzero(drawn.categories == name) for name in drawn.names if name}
    placed: list[tuple[str, np.ndarray]] = []
    for name in sorted(sizes, key=lambda name: -len(sizes[name])):
        middle = np.median(drawn.places[sizes[name]], axis=0)
        half = min(len(name) * NAME_WIDTH, high - low) / 2
        middle[0] = np.clip(middle[0], low + half, high - half)
        if all(_apart(name, middle, *other) for other in placed):
            placed.append((name, middle))
    look = {"showarrow": False, "font": {"size": 11}, "captureevents": False}
    return [
        {"x": float(middle[0]), "y": float(middle[1]), "text": escape(name), **look}
        for name, middle in placed
    ]


def _apart(name: str, middle: np.ndarray, other: str, its: np.ndarray) -> bool:
    width = (len(name) + len(other)) / 2 * NAME_WIDTH
    return bool(abs(middle[0] - its[0]) > width or abs(middle[1] - its[1]) > NAME_HEIGHT)


def _numbers(mark: Marks) -> list[Any]:
    import plotly.graph_objects as go

    if not mark.hits:
        return []
    ranks, titles, across, up = zip(*reversed(mark.hits), strict=True)  # the best lies on top
    trace = go.Scattergl(
        x=across,
        y=up,
        text=[str(rank) for rank in ranks],
        hovertext=[escape(title) for title in titles],
        hoverinfo="text",
        mode="markers+text",
        marker={"size": 19, "color": "#22564e", "line": {"width": 1.5, "color": PAPER}},
        textfont={"size": 10, "color": PAPER},
        name="hits",
    )
    return [trace]


def _star(mark: Marks) -> list[Any]:
    import plotly.graph_objects as go

    if mark.query is None:
        return []
    said, across, up = mark.query
    trace = go.Scattergl(
        x=[across],
        y=[up],
        hovertext=[escape(said)],
        hoverinfo="text",
        mode="markers",
        marker={"symbol": "star", "size": 20, "color": STAR, "line": {"width": 1.5, "color": INK}},
        name="query",
    )
    return [trace]


def _layout(drawn: Ground) -> dict[str, Any]:
    low, high = drawn.places.min(axis=0), drawn.places.max(axis=0)
    pad = MARGIN * (high - low).clip(min=0.1)
    across, up = (
        {"visible": False, "range": [float(low[n] - pad[n]), float(high[n] + pad[n])]}
        for n in (0, 1)
    )
    return {
        "template": "none",
        "height": HEIGHT,
        "margin": {"l": 0, "r": 0, "t": 26, "b": 0},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "showlegend": False,
        "dragmode": "pan",
        "hovermode": "closest",
        "hoverlabel": {"bgcolor": INK, "font": {"color": PAPER, "size": 12}, "align": "left"},
        "xaxis": across,
        "yaxis": up,
        "annotations": _names(drawn),
    }
