"""A small index in a folder or in memory, made from sentences with the tiny encoder's vectors."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from tests.training.index.conftest import FILLER, TOPICS
from training.index.encoder import Encoder
from training.index.keyword import KeywordIndex
from training.index.manifest import Chunking, Counts, EncoderFacts, Manifest, Shard, Source, write
from training.index.rows import PassageRows
from training.index.search import SearchIndex
from training.index.shards import Passages, schema, shard_path, text_hash, write_shard

COLUMNS = {"topic": "string", "year": "int64"}


@dataclass(frozen=True)
class Made:
    """An index in a folder."""

    folder: Path
    manifest: Manifest
    passages: Passages


def sentences(count: int, *, seed: int = 0) -> list[str]:
    """Different sentences, each of one topic's words."""
    rng = random.Random(seed)
    return [
        " ".join([*rng.sample(FILLER, 4), *rng.sample(TOPICS[topic], 3), str(number)])
        for number, topic in enumerate(rng.choices(list(TOPICS), k=count))
    ]


def make_table(texts: Sequence[str], *, per_document: int = 3) -> Any:
    """A table of passages, `per_document` in each document, end to end with a space between."""
    import pyarrow as pa

    cells: dict[str, list[Any]] = {name: [] for name in schema(COLUMNS).names}
    start = 0
    for row, text in enumerate(texts):
        number = row % per_document
        start = 0 if number == 0 else start
        document = f"d{row // per_document}"
        values = {
            "id": f"{document}#{number}",
            "document": document,
            "title": f"letter {document}",
            "text": text,
            "number": number,
            "start": start,
            "end": start + len(text),
            "topic": next((t for t, words in TOPICS.items() if set(words) & set(text.split())), None),
            "year": 1990 + row % 10,
            "text_hash": text_hash(text),
            "document_hash": text_hash(document),
        }  # fmt: skip
        start += len(text) + 1
        for name, value in values.items():
            cells[name].append(value)
    return pa.table(cells, schema=schema(COLUMNS))


def in_memory(texts: Sequence[str], encoder: Encoder, **options: Any) -> SearchIndex:
    """An index over these passages."""
    vectors = encoder.encode(list(texts)).astype(np.float16)
    keyword = KeywordIndex.build(texts)
    return SearchIndex(PassageRows(make_table(texts)), vectors, encoder, keyword=keyword, **options)


def make_index(folder: Path, texts: Sequence[str], encoder: Encoder, *, shards: int = 2) -> Made:
    """The same as files: Parquet shards, keyword index, manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    table, vectors = make_table(texts), encoder.encode(list(texts)).astype(np.float16)
    bounds = np.linspace(0, len(texts), shards + 1, dtype=int)
    facts = []
    for number, (start, end) in enumerate(pairwise(bounds)):
        path = shard_path(number, shards)
        part = Passages(table.slice(start, end - start), vectors[start:end])
        digest = write_shard(folder / path, part)
        documents = len(set(part.table["document"].to_pylist()))
        facts.append(Shard(path, documents, len(part), digest, digest))
    KeywordIndex.build(texts).save(folder / "keyword")
    documents = len(set(table["document"].to_pylist()))
    manifest = Manifest(
        encoder=EncoderFacts(
            encoder.repo, str(encoder.revision), encoder.dimension, True, encoder.max_tokens
        ),
        chunking=Chunking(encoder.max_tokens, 0),
        counts=Counts(documents, len(texts), 0),
        shards=tuple(facts),
        source=Source("sentences"),
        metadata=COLUMNS,
        keyword={"path": "keyword"},
    )
    write(folder, manifest)
    return Made(folder, manifest, Passages(table, vectors))
