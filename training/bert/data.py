"""The texts of a run: where they come from, what is held out, how they are cut into tokens."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hub_utils.connection import Hub
from hub_utils.errors import DataError
from training.bert.config import HELD_OUT_SHARE
from training.shared.datasets import TEST_SPLITS, pull_dataset, splits_of
from training.shared.tables import (
    READERS,
    Columns,
    Examples,
    Row,
    examples_from,
    read_examples,
    require_two_labels,
    unknown_column,
)


@dataclass(frozen=True)
class Source:
    """Where examples come from: a Hub data set, or a file by its name."""

    name: str
    revision: str | None = None  # 40-hex commit of the data set; None for a file
    split: str = "train"

    @property
    def is_dataset(self) -> bool:
        """Whether a Hub has it."""
        return self.revision is not None


@dataclass(frozen=True)
class Corpus:
    """Everything a run reads. The held-out examples are never trained on."""

    train: Examples
    held_out: Examples
    source: Source
    held_out_name: str  # for people: "the test split", "a random tenth (seed 0)"

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels, in order; numeric ones by their value."""
        found = {*self.train.labels, *self.held_out.labels}
        return tuple(sorted(found, key=_label_order))


@dataclass(frozen=True)
class Tokens:
    """Token ids of many texts, end to end.

    ids: (total,) int64; starts: (n + 1,) int64, text i is ids[starts[i]:starts[i + 1]].
    """

    ids: np.ndarray
    starts: np.ndarray
    truncated: int  # texts that were longer than the model reads

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def lengths(self) -> np.ndarray:
        """(n,) tokens of each text."""
        return np.diff(self.starts)


def load_corpus(
    data: str,
    *,
    hub: Hub | None,
    eval_data: str | None = None,
    columns: Columns | None = None,
    seed: int = 0,
) -> Corpus:
    """Examples to learn from and examples held out. Raises DataError.

    Held out is `eval_data` if given, else the data's own test split, else a random tenth.
    """
    columns = columns or Columns()
    splits, source = _load(data, hub=hub, columns=columns)
    train = splits.pop("train", None) or splits.pop(next(iter(splits)))
    if eval_data is not None:
        held_splits, held_source = _load(eval_data, hub=hub, columns=columns)
        held = next((held_splits[s] for s in TEST_SPLITS if s in held_splits), None)
        held = held or next(iter(held_splits.values()))
        corpus = Corpus(train, held, source, f"`{held_source.name}`")
    else:
        corpus = _with_held_out(train, splits, source, seed=seed)
    require_two_labels(corpus.train, source=f"the training part of {data}")
    return corpus


def hold_out(examples: Examples, *, share: float, seed: int) -> tuple[Examples, Examples]:
    """(train, held out): a random share of the rows, at least one, the same for the same seed."""
    rows = list(range(len(examples)))
    random.Random(seed).shuffle(rows)  # noqa: S311 - a split, not a secret
    count = max(1, round(share * len(rows)))
    return examples.take(sorted(rows[count:])), examples.take(sorted(rows[:count]))


def tokenize(texts: Sequence[str], tokenizer: Any, *, max_tokens: int) -> Tokens:
    """Cut texts into at most `max_tokens` tokens, special ones included."""
    encoded = tokenizer(list(texts), truncation=True, max_length=max_tokens, padding=False)
    lengths = [len(ids) for ids in encoded["input_ids"]]
    truncated = sum(bool(encoding.overflowing) for encoding in encoded.encodings or ())
    return Tokens(
        ids=np.concatenate([np.asarray(ids, dtype=np.int64) for ids in encoded["input_ids"]]),
        starts=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        truncated=truncated,
    )


def batches_by_length(lengths: np.ndarray, *, max_tokens: int) -> Iterator[np.ndarray]:
    """Rows in groups of similar length and at most `max_tokens` tokens together, longest first.

    Longest first: the machine's memory is tried at once and the short batches even out the end.
    """
    order = (-lengths).argsort(kind="stable")
    start = 0
    while start < len(order):
        stop, total = start, 0
        while stop < len(order) and (stop == start or total + lengths[order[stop]] <= max_tokens):
            total += lengths[order[stop]]
            stop += 1
        yield order[start:stop]
        start = stop


def class_weights(labels: Sequence[str], names: Sequence[str]) -> list[float]:
    """Weights with which all labels count the same: n / (labels * count), at most 20."""
    counts = Counter(labels)
    return [min(20.0, len(labels) / (len(names) * max(1, counts[name]))) for name in names]


def _label_order(label: str) -> tuple[int, float, str]:
    try:
        return (0, float(label), label)
    except ValueError:
        return (1, 0.0, label)


def _load(data: str, *, hub: Hub | None, columns: Columns) -> tuple[dict[str, Examples], Source]:
    path = Path(data)
    if path.exists() or path.suffix.lower() in READERS:
        return {"train": read_examples(path, columns)}, Source(path.name)
    if hub is None or _looks_like_file(data):
        raise DataError(
            f"There is no file {data!r}.",
            hint="Give a .csv, .tsv, .jsonl or .parquet file, or the id of a Hub data set.",
        )
    return _load_dataset(data, hub=hub, columns=columns)


def _looks_like_file(data: str) -> bool:
    return data.startswith((".", "/", "~")) or data.count("/") > 1


def _load_dataset(name: str, *, hub: Hub, columns: Columns) -> tuple[dict[str, Examples], Source]:
    pulled = pull_dataset(name, hub=hub, otherwise="give a .csv, .tsv, .jsonl or .parquet file")
    source = str(pulled.repo)
    tables = splits_of(pulled.folder, source=source, kinds="csv, jsonl or parquet files")
    splits = {
        split: _split_examples(table, columns, source=f"{source} ({split})")
        for split, table in tables.items()
    }
    return splits, Source(source, pulled.revision)


def _split_examples(table: Any, columns: Columns, *, source: str) -> Examples:
    for name in (columns.text_name, columns.label_name):
        if name not in table.column_names:
            raise unknown_column(source, name, table.column_names)
    texts = table[columns.text_name]
    labels = _label_names(table, columns.label_name)
    pairs = zip(texts, labels, strict=True)
    rows = [
        Row(number, {columns.text_name: text, columns.label_name: label})
        for number, (text, label) in enumerate(pairs, start=1)
    ]
    return examples_from(rows, columns, source=source)


def _label_names(table: Any, column: str) -> list[Any]:
    """Labels as words: a ClassLabel column keeps numbers and knows their names."""
    names = getattr(table.features[column], "names", None)
    if names is None:
        return list(table[column])
    return [None if n is None or n < 0 else names[n] for n in table[column]]


def _with_held_out(
    train: Examples, others: dict[str, Examples], source: Source, *, seed: int
) -> Corpus:
    for split in TEST_SPLITS:
        if split in others:
            return Corpus(train, others[split], source, f"the {split} split")
    kept, held = hold_out(train, share=HELD_OUT_SHARE, seed=seed)
    return Corpus(kept, held, source, f"a random tenth of the rows (seed {seed})")
