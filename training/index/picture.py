"""The map of a corpus as a picture for its card, readable on light and on dark pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa
    from matplotlib.axes import Axes

GROUPS = 20  # colours told apart
MAX_VALUES = 60  # of a column that groups; more would be names
MIN_VALUES = 2
INK = "#80868f"  # contrast 3.7 on white, 5.6 on black
OTHERS = "others"
SIZE = (8.0, 5.0)  # inches


@dataclass(frozen=True)
class Groups:
    """What colours the map: a metadata column, and a value for every passage."""

    column: str
    values: list[str]

    @property
    def largest(self) -> list[str]:
        """At most GROUPS values, the most frequent ones, by name."""
        names, counts = np.unique(np.array(self.values, dtype=object), return_counts=True)
        return sorted(names[np.argsort(-counts, kind="stable")[:GROUPS]].tolist())


def grouping(table: pa.Table, metadata: Mapping[str, str]) -> Groups | None:
    """The metadata column with the most values that colours can tell; None if none fits."""
    import pyarrow.compute as pc

    found: list[tuple[int, str]] = []
    for name, kind in metadata.items():
        count = len(pc.unique(table[name].drop_null())) if kind != "double" else 0
        if MIN_VALUES <= count <= MAX_VALUES:
            found.append((count if count <= GROUPS else MIN_VALUES - count / MAX_VALUES, name))
    if not found:
        return None
    name = max(found)[1]
    return Groups(name, [OTHERS if v is None else str(v) for v in table[name].to_pylist()])


def draw_map(axes: Axes, places: np.ndarray, groups: Groups | None) -> None:
    """A point for every passage at `places` (n, 2), its colour that of its group."""
    axes.figure.set_facecolor("none")
    axes.figure.set_size_inches(*(SIZE if groups else (6.0, 5.0)))
    axes.set_axis_off()
    axes.set_aspect("equal")
    size = float(np.clip(6000 / max(1, len(places)), 0.4, 20))
    if groups is None:
        axes.scatter(*places.T, s=size, color=INK, linewidths=0)
        return
    values = np.array(groups.values, dtype=object)
    largest = groups.largest
    rest = ~np.isin(values, largest)
    if rest.any():
        axes.scatter(*places[rest].T, s=size, color=INK, alpha=0.4, linewidths=0, label=OTHERS)
    for number, name in enumerate(largest):
        axes.scatter(
            *places[values == name].T, s=size, color=_colour(number), linewidths=0, label=name
        )
    _legend(axes, groups.column)


def _colour(number: int) -> tuple[float, float, float]:
    """Hues in turn, of a lightness between that of a light and a dark page."""
    import colorsys

    return colorsys.hls_to_rgb((number * 7 % GROUPS) / GROUPS, (0.50, 0.62, 0.42)[number % 3], 0.75)


def _legend(axes: Axes, title: str) -> None:
    legend = axes.legend(
        title=title, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False,
        labelcolor=INK, fontsize=8, markerscale=0,
    )  # fmt: skip
    legend.get_title().set_color(INK)
    for handle in legend.legend_handles:
        handle.set_sizes([24])
