"""Pictures for a card, drawn without a window: the same run gives the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LIGHT, DARK, ORANGE = "#c6dbef", "#08519c", "#d94801"
SMOOTHED = 25  # pieces of the curve that are averaged

Paint = Callable[["Axes"], None]


def save_pictures(pictures: Mapping[str, Paint], folder: Path) -> list[str]:
    """Save each as folder/name; returns the names."""
    from matplotlib.figure import Figure  # not pyplot: no global state, no window

    folder.mkdir(parents=True, exist_ok=True)
    for name, paint in pictures.items():
        figure = Figure(figsize=(6, 5), dpi=110, layout="constrained")
        paint(figure.add_subplot())
        figure.savefig(folder / name, metadata={"Software": None})
    return list(pictures)


def draw_curve(
    axes: Axes,
    history: Sequence[Mapping[str, float]],
    *,
    along: str = "step",
    label: str = "optimizer step",
    unit: str = "loss",
    scale: str = "log",
) -> None:
    """The loss of each step, its moving mean, and `validation` where a step has one.

    along: the key that gives the horizontal place. scale: of the losses, "log" or "linear".
    """
    import numpy as np

    places = [point[along] for point in history]
    losses = np.array([point["loss"] for point in history])
    axes.plot(places, losses, color=LIGHT, linewidth=1, label="each step")
    window = max(1, len(losses) // SMOOTHED)
    if len(losses) >= window:
        smooth = np.convolve(losses, np.ones(window) / window, mode="valid")
        axes.plot(places[window - 1 :], smooth, color=DARK, label=f"mean of {window}")
    measured = [(p[along], p["validation"]) for p in history if "validation" in p]
    if measured:
        axes.plot(*zip(*measured, strict=True), "o-", color=ORANGE, label="validation")
    axes.set(xlabel=label, ylabel=unit, yscale=scale)
    axes.legend()
