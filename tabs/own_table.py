"""A reader's table of labelled texts: what is in it, and a classifier trained on it. No layout.

table = look(Path("tickets.csv"));  train(services, path, Choice("message", "team", "router", 3))
"""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hub_utils.errors import DataError
from tabs.i18n import PageError

if TYPE_CHECKING:
    from tabs.services import Services
    from training.shared.tables import Columns, Rows

RECIPE = "bert"
SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")
MINUTES, MOST_MINUTES = 3, 30
LOOKED_AT = 200  # rows, to tell texts from labels


@dataclass(frozen=True)
class Table:
    """The columns of a file, and which of them look like texts and labels."""

    rows: int
    columns: tuple[str, ...]
    text: str | None
    label: str | None


@dataclass(frozen=True)
class Choice:
    """What a reader chose for the training."""

    text: str  # column
    label: str  # column
    name: str  # of the repository
    minutes: float  # at most


def look(path: Path) -> Table:
    """What a file has. Raises DataError or PageError for one that cannot be read."""
    rows = _read(path)
    if not rows.rows:
        raise PageError("mine.no_rows", name=path.name)
    text = _text_column(rows)
    return Table(len(rows.rows), rows.names, text, _label_column(rows, besides=text))


def labels(path: Path, text: str, label: str) -> Counter[str]:
    """How many rows each label has, after every row was checked. Raises DataError or PageError."""
    return _counted(path, _columns(path, text, label))


def name_for(path: Path) -> str:
    """A repository's name from a file's: "My tickets.csv" is "My-tickets-classifier"."""
    letters = (c if c.isascii() and c.isalnum() else "-" for c in path.stem)
    words = [word for word in "".join(letters).split("-") if word]
    return "-".join([*words[:6], "classifier"])


def train(services: Services, path: Path, choice: Choice) -> None:
    """Train and publish a classifier, next in line. Raises DataError, PageError or LabError."""
    services.refuse_read_only()
    name = services.new_name(choice.name)
    columns = _columns(path, choice.text, choice.label)
    _counted(path, columns)
    folder = services.scratch()
    # A copy: Gradio removes uploads after an hour, and the training may wait for its turn.
    data = shutil.copyfile(path, folder / path.name)
    seconds = 60 * min(max(choice.minutes, 1), MOST_MINUTES)
    named = ("--text-column=" + choice.text, "--label-column=" + choice.label)
    arguments = [f"--data={data}", f"--max-seconds={seconds:g}", *(named if columns.chosen else ())]
    services.jobs.start_own(RECIPE, name, arguments, data=folder)


def _counted(path: Path, columns: Columns) -> Counter[str]:
    from training.shared.tables import read_examples

    try:
        return Counter(read_examples(path, columns).labels)
    except DataError as error:
        raise _named(error, path) from error


def _read(path: Path) -> Rows:
    from training.shared.tables import READERS, Columns

    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise PageError("mine.suffix", name=path.name, known=" ".join(READERS))
    try:
        return reader(path, Columns())
    except DataError as error:
        raise _named(error, path) from error


def _named(error: DataError, path: Path) -> DataError:
    """The same complaint about the reader's file, not our copy of it."""
    return DataError(str(error).replace(str(path), path.name), hint=error.hint)


def _columns(path: Path, text: str, label: str) -> Columns:
    """What to tell the recipe: nothing of a file without a header, whose columns have no names."""
    from training.shared.tables import Columns

    if text == label:
        raise PageError("mine.same_column", column=text)
    return Columns() if _read(path).headerless else Columns(text, label)


def _text_column(rows: Rows) -> str | None:
    from training.shared.tables import TEXT_WORDS

    return _by_name(rows.names, TEXT_WORDS) or max(
        rows.names, key=lambda name: sum(map(len, _cells(rows, name))), default=None
    )


def _label_column(rows: Rows, *, besides: str | None) -> str | None:
    """By its name, else the column whose cells repeat the most."""
    from training.shared.tables import LABEL_WORDS

    others = [name for name in rows.names if name != besides]
    different = {name: len(set(_cells(rows, name))) for name in others}
    return _by_name(others, LABEL_WORDS) or min(
        (name for name in others if different[name] > 1), key=different.__getitem__, default=None
    )


def _by_name(names: tuple[str, ...] | list[str], words: set[str]) -> str | None:
    return next((name for name in names if name.lower() in words), None)


def _cells(rows: Rows, name: str) -> list[str]:
    return [str(row.cells.get(name) or "") for row in rows.rows[:LOOKED_AT]]
