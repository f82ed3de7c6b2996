"""manifest.json of an index: which encoder made its vectors, how passages were cut, which files.

The Parquet shards hold the passages; this file says what is needed to use them rightly, and the
SHA-256 of each, so that a damaged or half-downloaded one is seen before it is used.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from hub_utils.errors import DataError
from training.shared.files import write_text

FILE = "manifest.json"
FORMAT = 1
# Columns that every index has; others are the corpus's metadata.
COLUMNS = (
    *("id", "document", "title", "text", "number", "start", "end"),
    *("text_hash", "document_hash", "embedding"),
)
LOCAL = "sha256-"  # how the revision of an encoder from a folder begins
# The only paths that a manifest may name: it comes from a Hub.
_SHARD_PATH = re.compile(r"data/train-(\d{5})-of-(\d{5})\.parquet")


class NamedEncoder(Protocol):
    """What is asked of an encoder before its vectors meet an index's."""

    @property
    def repo(self) -> str | None: ...
    @property
    def revision(self) -> str | None: ...
    @property
    def dimension(self) -> int: ...


@dataclass(frozen=True)
class EncoderFacts:
    """Which encoder made the vectors."""

    repo: str  # Hub id; of a folder its name
    revision: str  # 40-hex commit; of a folder "sha256-…" of its files
    dimension: int
    normalized: bool  # vectors have length 1: their product is the cosine
    max_tokens: int  # that it reads

    @property
    def commit(self) -> str:
        """The revision on a Hub; "" of an encoder from a folder."""
        return "" if self.revision.startswith(LOCAL) else self.revision


@dataclass(frozen=True)
class Chunking:
    """How documents were cut, in tokens of the encoder."""

    max_tokens: int
    overlap_tokens: int


@dataclass(frozen=True)
class Counts:
    """What the index holds. duplicates: passages whose text another one has already."""

    documents: int
    passages: int
    duplicates: int


@dataclass(frozen=True)
class Shard:
    """A Parquet file of passages."""

    path: str  # in the repository
    documents: int
    passages: int
    sha256: str  # of the file
    content: str  # SHA-256 over its documents: equal where nothing changed

    @property
    def number(self) -> int:
        """Its place, from 0. Places without passages have no file."""
        return int(self.path[11:16])

    @property
    def places(self) -> int:
        """How many places there are."""
        return int(self.path[20:25])


@dataclass(frozen=True)
class Source:
    """Where the documents came from: a Hub data set, or a file or folder by its name."""

    name: str
    revision: str | None = None
    split: str | None = None


@dataclass(frozen=True)
class Manifest:
    """All of manifest.json. Rows are numbered through the shards in their order here."""

    encoder: EncoderFacts
    chunking: Chunking
    counts: Counts
    shards: tuple[Shard, ...]
    source: Source
    metadata: Mapping[str, str] = field(
        default_factory=dict
    )  # column → string, int64, double, bool
    keyword: Mapping[str, Any] | None = None  # {"path": folder, …}
    map: Mapping[str, Any] | None = None  # {"path": file, …}
    command: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    format: int = FORMAT


def write(folder: Path, manifest: Manifest) -> Path:
    """Write manifest.json into `folder`; the same manifest gives the same bytes."""
    path = folder / FILE
    write_text(path, json.dumps(asdict(manifest), indent=1, ensure_ascii=False) + "\n")
    return path


def read(folder: Path) -> Manifest:
    """The manifest in `folder`. Raises DataError that says what is wrong with it."""
    path = folder / FILE
    if not path.is_file():
        raise DataError(
            f"{folder.name} is no index: it has no {FILE}.",
            hint="Build one with: python -m training index",
        )
    try:
        content = json.loads(path.read_text("utf-8"))
        _require_format(content["format"])
        return _parsed(content)
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{FILE} is damaged ({type(error).__name__}: {error}).",
            hint="Download the index again, or build it again.",
        ) from None


def require_encoder(manifest: Manifest, encoder: NamedEncoder) -> None:
    """Raises DataError if vectors of `encoder` do not belong with those of the index."""
    facts = manifest.encoder
    if (encoder.repo, encoder.revision) != (facts.repo, facts.revision):
        raise DataError(
            f"The index was made with {facts.repo} at {facts.revision}, "
            f"not with {encoder.repo} at {encoder.revision}.",
            hint="Load that revision of the encoder, or build the index again with this one.",
        )
    if encoder.dimension != facts.dimension:
        raise DataError(
            f"The index's vectors have {facts.dimension} numbers, those of {encoder.repo} "
            f"{encoder.dimension}.",
            hint="Build the index again with this encoder.",
        )


def _require_format(found: Any) -> None:
    if found != FORMAT:
        raise DataError(
            f"The index has format {found}; this version reads format {FORMAT}.",
            hint="Build the index again, or use the version of the program that built it.",
        )


def _parsed(content: Mapping[str, Any]) -> Manifest:
    for shard in content["shards"]:
        if not _SHARD_PATH.fullmatch(shard["path"]):
            raise ValueError(f"{shard['path']!r} is no shard's path")
    parts: dict[str, Any] = {
        "encoder": EncoderFacts(**content["encoder"]),
        "chunking": Chunking(**content["chunking"]),
        "counts": Counts(**content["counts"]),
        "shards": tuple(Shard(**shard) for shard in content["shards"]),
        "source": Source(**content["source"]),
    }
    return Manifest(**{**content, **parts})
