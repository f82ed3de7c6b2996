"""What the Classify tab does, without its layout: answer, explain, classify a file."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hub_utils.errors import DataError
from tabs.i18n import PageError
from tabs.model_slot import Served

if TYPE_CHECKING:
    from training.bert.inference import Classifier

MAX_CHARACTERS = 50_000
MAX_ROWS = 10_000
MAX_MEGABYTES = 20
CHUNK = 128  # rows between two reports of progress
WEAK, STRONG = 0.15, 0.5  # contributions of a word, of at most 1


@dataclass(frozen=True)
class Answer:
    """One classified text."""

    text: str
    scores: dict[str, float]  # label → probability, descending
    seconds: float
    revision: str

    @property
    def label(self) -> str:
        """The most probable label."""
        return next(iter(self.scores))


@dataclass(frozen=True)
class Batch:
    """A classified file."""

    result: Path
    done: int
    rows: int
    seconds: float


def answer(served: Served[Classifier], text: str) -> Answer:
    """Classify one text; PageError when there is none, or far too much of it."""
    if not text.strip():
        raise PageError("classify.empty")
    if len(text) > MAX_CHARACTERS:
        raise PageError("classify.too_long", given=len(text), limit=MAX_CHARACTERS)
    started = time.perf_counter()
    scores = served.model.classify([text])[0]
    return Answer(text, scores, time.perf_counter() - started, served.revision)


def explain(served: Served[Classifier], given: Answer) -> list[tuple[str, float]]:
    """The words of the text with their signed contribution to its label, -1 to 1."""
    return served.model.attribute(given.text, given.label)


def degree(score: float) -> str | None:
    """The key of the words for a contribution: strongly for, for, against … or None: hardly any."""
    if abs(score) < WEAK:
        return None
    side = "for" if score > 0 else "against"
    return f"classify.{side}_much" if abs(score) >= STRONG else f"classify.{side}"


def classify_file(
    served: Served[Classifier],
    path: Path,
    folder: Path,
    *,
    report: Callable[[int, int], None],
    stopped: Callable[[], bool] = lambda: False,
) -> Batch:
    """Classify the rows of a file in chunks and write `folder`/NAME-classified.csv.

    `report(done, rows)` is called after each chunk. Stopping keeps what is done.
    Raises DataError or PageError for a file that cannot be used.
    """
    texts = read_file(path)
    started = time.perf_counter()
    answers: list[dict[str, float]] = []
    while len(answers) < len(texts) and not stopped():
        report(len(answers), len(texts))
        answers += served.model.classify(texts[len(answers) : len(answers) + CHUNK])
    result = folder / f"{path.stem}-classified.csv"
    _write(result, texts, answers)
    return Batch(result, len(answers), len(texts), time.perf_counter() - started)


def read_file(path: Path) -> list[str]:
    """The texts of a file, within the page's bounds. Raises DataError or PageError."""
    megabytes = path.stat().st_size / 1e6
    if megabytes > MAX_MEGABYTES:
        given = f"{megabytes:.1f}"
        raise PageError("batch.too_big", name=path.name, given=given, limit=MAX_MEGABYTES)
    texts = _texts(path)
    if len(texts) > MAX_ROWS:
        raise PageError("batch.too_many", name=path.name, given=len(texts), limit=MAX_ROWS)
    return texts


def _texts(path: Path) -> list[str]:
    from training.shared.tables import READERS, TEXT_COLUMN, Columns

    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise PageError("batch.suffix", name=path.name, known=" ".join(READERS))
    try:
        table = reader(path, Columns())
    except DataError as error:  # name the user's file, not our copy of it
        raise DataError(str(error).replace(str(path), path.name), hint=error.hint) from error
    column = TEXT_COLUMN if len(table.names) != 1 else table.names[0]
    if not table.rows:
        raise PageError("batch.no_rows", name=path.name)
    if column not in table.names:
        raise PageError("batch.no_text", name=path.name, columns=", ".join(table.names))
    return [_text(row.cells.get(column), row.number, path) for row in table.rows]


def _text(cell: object, row: int, path: Path) -> str:
    text = "" if cell is None else str(cell)
    if not text.strip():
        raise PageError("batch.empty_row", name=path.name, row=row)
    return text


def _write(result: Path, texts: Sequence[str], answers: Sequence[dict[str, float]]) -> None:
    with result.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["text", "label", "confidence"])
        for text, scores in zip(texts, answers, strict=False):
            label, confidence = next(iter(scores.items()))
            rows.writerow([text, label, f"{confidence:.4f}"])
