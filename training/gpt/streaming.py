"""A Hub data set too large to keep: read row by row, cut into tokens, kept as files of numbers.

    corpus = stream_corpus("HuggingFaceFW/fineweb", hub=hub, config=config, folder=folder, …)

Nothing but the tokens stays: two bytes each, mapped into memory, so a text may be larger than the
memory is. A run that finds its tokens in the folder reads no row again; of several processes one
reads and the others wait.
"""

from __future__ import annotations

import fcntl
import itertools
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hub_utils.atomic import read_json, write_json
from hub_utils.connection import Hub
from hub_utils.errors import DataError
from training.gpt.config import TrainConfig
from training.gpt.data import Corpus, Source, encode
from training.gpt.tokenizer import train_tokenizer
from training.shared.datasets import TEST_SPLITS
from training.shared.progress import Progress

TOKENIZER_CHARACTERS = 50_000_000  # from the start of the training rows
HELD_OUT_CHARACTERS = 4_000_000
HELD_OUT_EVERY = 100  # rows, where the data set has no test split
ROWS = 1000  # that are cut into tokens at a time
FILE = "tokens.json"  # written last: the others are complete


@dataclass(frozen=True)
class Rows:
    """The texts of a data set, read as they are asked for."""

    splits: dict[str, Any]  # name → the datasets library's stream
    column: str
    source: Source

    @property
    def test_split(self) -> str | None:
        """The split that is held out, if there is one."""
        return next((name for name in TEST_SPLITS if name in self.splits), None)

    @property
    def held_out_name(self) -> str:
        """What is held out, for people."""
        if self.test_split:
            return f"the {self.test_split} split"
        return f"every {HELD_OUT_EVERY}th row, from the first on"

    def held_out(self) -> Iterator[str]:
        """Rows to measure on, HELD_OUT_CHARACTERS of them at most."""
        if self.test_split:
            return _at_most(HELD_OUT_CHARACTERS, self._texts(self.test_split))
        rows = itertools.islice(self._texts(self._first), 0, None, HELD_OUT_EVERY)
        return _at_most(HELD_OUT_CHARACTERS, rows)

    def train(self) -> Iterator[str]:
        """All other rows. Without a test split no held-out place is learned from, read or not."""
        rows = enumerate(self._texts(self._first))
        return (text for n, text in rows if self.test_split or n % HELD_OUT_EVERY)

    @property
    def _first(self) -> str:
        return "train" if "train" in self.splits else next(iter(self.splits))

    def _texts(self, split: str) -> Iterator[str]:
        for row in self.splits[split]:
            if self.column not in row:
                raise DataError(
                    f"{self.source.name} has no column {self.column!r}; it has "
                    f"{', '.join(map(repr, row))}.",
                    hint="Name the column that holds the text with --text-column.",
                )
            if row[self.column]:
                yield str(row[self.column])


def stream_corpus(
    data: str,
    *,
    hub: Hub,
    config: TrainConfig,
    folder: Path,
    text_column: str,
    progress: Progress,
) -> Corpus:
    """`config.stream_tokens` tokens of a Hub data set, kept in `folder`. Raises DataError."""
    rows = _open(data, hub=hub, column=text_column)
    wanted = {
        "data": rows.source.name,
        "revision": rows.source.revision,
        "column": text_column,
        "tokenizer": config.tokenizer,
        "vocab_size": config.vocab_size,
        "tokens": config.stream_tokens,
    }
    with _alone(folder):
        facts = read_json(folder / FILE)
        if facts.get("wanted") != wanted:
            facts = _read(rows, config, folder, progress=progress) | {"wanted": wanted}
            write_json(folder / FILE, facts)
    return _corpus(rows, config, folder, facts)


def _open(data: str, *, hub: Hub, column: str) -> Rows:
    from datasets import load_dataset

    from hub_utils.pull import resolve

    repo = hub.repo(data, type="dataset")
    revision = resolve(repo, hub=hub)
    try:
        splits = load_dataset(
            str(repo), revision=revision, streaming=True, token=hub.token or False
        )
    except (ValueError, FileNotFoundError, RuntimeError) as error:
        raise DataError(
            f"The data set {repo} cannot be read ({str(error).splitlines()[0]}).",
            hint="It must hold text, csv, jsonl or parquet files.",
        ) from None
    return Rows(dict(splits), column, Source(str(repo), revision))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process at a time; the kernel drops the lock of one that dies."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _read(rows: Rows, config: TrainConfig, folder: Path, *, progress: Progress) -> dict[str, Any]:
    """Write tokenizer and tokens; what `_corpus` has to know besides."""
    (folder / FILE).unlink(missing_ok=True)
    shutil.rmtree(folder / "tokenizer", ignore_errors=True)
    progress.say("load", f"tokenizer from the first rows of {rows.source.name}")
    sample = _at_most(TOKENIZER_CHARACTERS, rows.train())
    tokenizer = train_tokenizer(config.tokenizer, sample, vocab_size=config.vocab_size)
    tokenizer.save_pretrained(folder / "tokenizer")
    held_out = list(rows.held_out())
    encode(held_out, tokenizer, closed=True).tofile(folder / "held_out.bin")
    with (folder / "train.bin").open("wb") as file:
        for tokens in _cut(rows.train(), tokenizer, limit=config.stream_tokens or 0):
            tokens.tofile(file)
            done = file.tell() // tokens.itemsize
            progress.update(
                step=done,
                steps=config.stream_tokens or 0,
                loss=None,
                seconds_left=None,
                message=f"{done:,} tokens read",
            )
    return {
        "bytes": sum(len(text.encode()) for text in held_out),
        "characters": sum(len(text) for text in held_out),
    }


def _cut(texts: Iterable[str], tokenizer: Any, *, limit: int) -> Iterator[np.ndarray]:
    """Tokens of many rows at a time, `limit` together at most."""
    texts = iter(texts)
    while limit > 0 and (some := list(itertools.islice(texts, ROWS))):
        tokens = encode(some, tokenizer, closed=True)[:limit]
        limit -= len(tokens)
        yield tokens


def _corpus(rows: Rows, config: TrainConfig, folder: Path, facts: dict[str, Any]) -> Corpus:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder / "tokenizer")
    kind = np.uint16 if len(tokenizer) <= 2**16 else np.uint32
    parts = {}
    for name in ("train", "held_out"):
        path = folder / f"{name}.bin"
        count = path.stat().st_size // np.dtype(kind).itemsize
        if count <= config.context:
            raise DataError(
                f"{rows.source.name} is too small: its part {name!r} has {count:,} tokens, a "
                f"context of {config.context} needs {config.context + 1} at least.",
                hint="Give a larger data set or a smaller --context.",
            )
        parts[name] = np.memmap(path, dtype=kind, mode="r")
    return Corpus(
        train_ids=parts["train"],
        held_out_ids=parts["held_out"],
        held_out_bytes=facts["bytes"],
        held_out_characters=facts["characters"],
        tokenizer=tokenizer,
        source=rows.source,
        held_out_name=rows.held_out_name,
    )


def _at_most(characters: int, texts: Iterable[str]) -> Iterator[str]:
    """Whole texts until `characters` are reached."""
    for text in texts:
        yield text
        characters -= len(text)
        if characters <= 0:
            return
