"""The map of a corpus as a picture for its card, readable on light and on dark pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa
    from matplotlib.axes import Axes

# Neighbours differ in hue and in lightness; contrast of each at least 2.8 on white and on black.
PALETTE = (
    *("#e63838", "#16b226", "#6646e8", "#d4521a", "#16b054"),
    *("#8a2ee5", "#ab6f15", "#16ae80", "#a619c9", "#897d11"),
    *("#15aaaa", "#b416a4", "#6d8510", "#1ba4de", "#be177b"),
    *("#4e8b11", "#649aec", "#c5184c", "#2b8e12", "#8792f0"),
)
GROUPS = len(PALETTE)
MAX_VALUES = 60  # of a column that groups; more would be names
MIN_VALUES = 2
INK = "#80868f"  # contrast 3.7 on white, 5.6 on black
OTHERS = "others"
SIZE, SIZE_ALONE = (8.0, 5.0), (6.0, 5.0)  # inches, with a legend and without


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

    found: list[tuple[bool, int, str]] = []
    for name, kind in metadata.items():
        count = len(pc.unique(table[name].drop_null())) if kind != "double" else 0
        if MIN_VALUES <= count <= MAX_VALUES:
            told_apart = count <= GROUPS
            found.append((told_apart, count if told_apart else -count, name))
    if not found:
        return None
    name = max(found)[2]
    return Groups(name, [OTHERS if v is None else str(v) for v in table[name].to_pylist()])


def draw_map(axes: Axes, places: np.ndarray, groups: Groups | None) -> None:
    """A point for every passage at `places` (n, 2), its colour that of its group."""
    figure: Any = axes.figure
    figure.set_facecolor("none")
    figure.set_size_inches(*(SIZE if groups else SIZE_ALONE))
    axes.set_axis_off()
    axes.set_aspect("equal")
    size = float(np.clip(6000 / max(1, len(places)), 0.4, 20))
    if groups is None:
        axes.scatter(places[:, 0], places[:, 1], s=size, color=INK, linewidths=0)
        return
    values = np.array(groups.values, dtype=object)
    colours = {OTHERS: INK}  # one of the groups' own name is drawn over it
    colours |= {name: PALETTE[number] for number, name in enumerate(groups.largest)}
    shown = np.where(np.isin(values, groups.largest), values, OTHERS)
    for name, colour in colours.items():
        x, y = places[shown == name].T
        if len(x):
            axes.scatter(x, y, s=size, color=colour, linewidths=0, label=name)
    _legend(axes, groups.column)


def _legend(axes: Axes, title: str) -> None:
    legend: Any = axes.legend(
        title=title, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False,
        labelcolor=INK, fontsize=8,
    )  # fmt: skip
    legend.get_title().set_color(INK)
    for handle in legend.legend_handles:
        handle.set_sizes([24])
