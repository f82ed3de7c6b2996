"""The text of a run: where it comes from, what is held out, and its tokens.

A text file is one document and its last tenth is held out. A Hub data set is a document a row, each
closed by the end-of-text token; its own test or validation split is held out if it has one.
The tokenizer sees the training part only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hub_utils.connection import Hub
from hub_utils.errors import DataError
from training.gpt.config import HELD_OUT_SHARE, TrainConfig
from training.gpt.tokenizer import train_tokenizer
from training.shared.datasets import TEST_SPLITS, pull_dataset, splits_of

TEXT_COLUMN = "text"
PIECE_CHARACTERS = 20_000  # a long text is cut at line ends about here: tokenizers work in parallel


@dataclass(frozen=True)
class Source:
    """Where a text comes from: a Hub data set, or a file by its name."""

    name: str
    revision: str | None = None  # 40-hex commit of the data set; None for a file

    @property
    def is_dataset(self) -> bool:
        """Whether a Hub has it."""
        return self.revision is not None


@dataclass(frozen=True)
class Corpus:
    """Everything a run reads. The held-out part is never trained on."""

    train_ids: np.ndarray  # (n,) uint16, or uint32 for a vocabulary above 65,536
    held_out_ids: np.ndarray  # (m,) of the same type
    held_out_bytes: int  # of its text as UTF-8
    held_out_characters: int
    tokenizer: Any
    source: Source
    held_out_name: str  # for people: "the validation split", "the last tenth of the text"


@dataclass(frozen=True)
class Texts:
    """Documents to learn from and documents held out, not yet tokens."""

    train: tuple[str, ...]
    held_out: tuple[str, ...]
    source: Source
    held_out_name: str
    closed: bool  # whether a document ends with the end-of-text token


def load_corpus(
    data: str,
    *,
    hub: Hub | None,
    eval_data: str | None = None,
    config: TrainConfig,
    text_column: str = TEXT_COLUMN,
) -> Corpus:
    """Tokens to learn from and tokens held out. Raises DataError.

    data, eval_data: a text file, or the id of a Hub data set with a text column. Held out is
    `eval_data` if given, else the data's own test split, else the last tenth of the text.
    """
    texts = _texts(data, hub=hub, column=text_column)
    if eval_data is not None:
        other = _all_texts(eval_data, hub=hub, column=text_column)
        texts = Texts(
            (*texts.train, *texts.held_out), other.train, texts.source,
            f"`{other.source.name}`", texts.closed,
        )  # fmt: skip
    return corpus_of(texts, config)


def corpus_of(texts: Texts, config: TrainConfig) -> Corpus:
    """Train the tokenizer and cut everything into tokens. Raises DataError."""
    tokenizer = train_tokenizer(config.tokenizer, texts.train, vocab_size=config.vocab_size)
    train_ids = encode(texts.train, tokenizer, closed=texts.closed)
    held_out_ids = encode(texts.held_out, tokenizer, closed=texts.closed)
    _require_length(texts.source.name, "training", train_ids, config)
    _require_length(texts.source.name, "held-out", held_out_ids, config)
    return Corpus(
        train_ids=train_ids,
        held_out_ids=held_out_ids,
        held_out_bytes=sum(len(text.encode()) for text in texts.held_out),
        held_out_characters=sum(len(text) for text in texts.held_out),
        tokenizer=tokenizer,
        source=texts.source,
        held_out_name=texts.held_out_name,
    )


def hold_out(text: str, *, share: float = HELD_OUT_SHARE) -> tuple[str, str]:
    """(first part, last part): the last `share` of the characters is held out."""
    cut = int(len(text) * (1 - share))
    return text[:cut], text[cut:]


def encode(texts: Iterable[str], tokenizer: Any, *, closed: bool) -> np.ndarray:
    """All token ids end to end; `closed`: the end-of-text token follows each text."""
    kind = np.uint16 if len(tokenizer) <= 2**16 else np.uint32
    end = [tokenizer.eos_token_id] if closed and tokenizer.eos_token_id is not None else []
    ids: list[np.ndarray] = []
    for text in texts:
        pieces = tokenizer(_pieces(text), add_special_tokens=False)["input_ids"]
        ids.extend(np.asarray(piece, dtype=kind) for piece in (*pieces, end))
    return np.concatenate(ids) if ids else np.zeros(0, kind)


def read_text(path: Path) -> str:
    """A text file's contents. Raises DataError for what is empty or is no text."""
    if path.is_dir():
        raise DataError(f"{path} is a folder.", hint="Give one text file.")
    data = path.read_bytes()
    if not data.strip():
        raise DataError(f"{path} is empty.", hint="Give a file with text to learn from.")
    if b"\0" in data[:1_000_000]:
        raise DataError(
            f"{path} is a binary file: it has the byte 0x00 at offset {data.index(0):,}.",
            hint="Give a text file in UTF-8.",
        )
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not text in UTF-8: byte 0x{data[error.start]:02x} at offset "
            f"{error.start:,}.",
            hint="Save it as UTF-8, for example: iconv -f LATIN1 -t UTF-8",
        ) from None


def _texts(data: str, *, hub: Hub | None, column: str) -> Texts:
    path = Path(data)
    if path.exists():
        kept, held = hold_out(read_text(path))
        return Texts((kept,), (held,), Source(path.name), "the last tenth of the text", False)
    splits, source = _splits(data, hub=hub, column=column)
    train = splits.pop("train", None) or splits.pop(next(iter(splits)))
    for split in TEST_SPLITS:
        if split in splits:
            return Texts(train, splits[split], source, f"the {split} split", True)
    kept_rows, held_rows = _hold_out_rows(train)
    return Texts(kept_rows, held_rows, source, "the last tenth of the rows", True)


def _all_texts(data: str, *, hub: Hub | None, column: str) -> Texts:
    """Everything of a file, or the test split (else the first split) of a data set, as `train`."""
    path = Path(data)
    if path.exists():
        return Texts((read_text(path),), (), Source(path.name), "", False)
    splits, source = _splits(data, hub=hub, column=column)
    chosen = next((s for s in TEST_SPLITS if s in splits), next(iter(splits)))
    return Texts(splits[chosen], (), source, "", True)


def _hold_out_rows(texts: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if len(texts) == 1:
        kept, held = hold_out(texts[0])
        return (kept,), (held,)
    ends = np.cumsum([len(text) for text in texts])
    cut = int(np.searchsorted(ends, ends[-1] * (1 - HELD_OUT_SHARE)))
    cut = min(max(cut, 1), len(texts) - 1)
    return tuple(texts[:cut]), tuple(texts[cut:])


def _splits(
    name: str, *, hub: Hub | None, column: str
) -> tuple[dict[str, tuple[str, ...]], Source]:
    """The rows of every split of a Hub data set."""
    if hub is None or name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise DataError(
            f"There is no file {name!r}.", hint="Give a text file, or the id of a Hub data set."
        )
    pulled = pull_dataset(name, hub=hub, otherwise="give a text file")
    source = str(pulled.repo)
    tables = splits_of(pulled.folder, source=source, kinds="text, csv, jsonl or parquet files")
    rows = {split: _rows(table, column, f"{source} ({split})") for split, table in tables.items()}
    return rows, Source(source, pulled.revision)


def _rows(table: Any, column: str, source: str) -> tuple[str, ...]:
    if column not in table.column_names:
        raise DataError(
            f"{source} has no column {column!r}; it has "
            f"{', '.join(map(repr, table.column_names))}.",
            hint="Name the column that holds the text with --text-column.",
        )
    rows = tuple(str(text) for text in table[column] if text and str(text).strip())
    if not rows:
        raise DataError(f"{source} has no text.", hint="Give a data set with text to learn from.")
    return rows


def _pieces(text: str) -> list[str]:
    """`text` cut at line ends into pieces of about PIECE_CHARACTERS; joined they are the text."""
    pieces, start = [], 0
    while start < len(text):
        stop = text.find("\n", start + PIECE_CHARACTERS) + 1 or len(text)
        pieces.append(text[start:stop])
        start = stop
    return pieces or [""]


def _require_length(name: str, part: str, ids: np.ndarray, config: TrainConfig) -> None:
    if len(ids) <= config.context:
        raise DataError(
            f"{name} is too small: its {part} part has {len(ids):,} tokens, a context of "
            f"{config.context} needs {config.context + 1} at least.",
            hint="Give a longer text or a smaller --context.",
        )
