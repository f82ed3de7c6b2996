"""What an earlier revision already has: whole shards, documents' rows, vectors by their text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hub_utils.errors import LabError
from training.index.manifest import Chunking, EncoderFacts, Manifest, Shard, read
from training.index.shards import Passages, check, read_shard, shortened, text_hashes


class KnownVectors:
    """Vectors by text hash, found in shards on disk. In memory are 12 bytes a passage."""

    def __init__(self, dimension: int, paths: Iterable[Path] = ()) -> None:
        self.dimension = dimension
        self._waiting = list(paths)
        self._shards: list[tuple[Path, np.ndarray, np.ndarray]] = []  # path, hashes, their rows

    def add(self, path: Path) -> None:
        """Look in this shard too."""
        self._waiting.append(path)

    def read(self) -> None:
        """Read the hashes of the shards that were added; else `find` does."""
        for path in self._waiting:
            hashes = text_hashes(path)
            order = np.argsort(hashes, kind="stable")
            self._shards.append((path, hashes[order], order.astype(np.int32)))
        self._waiting = []

    def find(self, hashes: Iterable[str]) -> dict[str, np.ndarray]:
        """Those of `hashes` that are known, each with its (d,) float16 vector."""
        self.read()
        missing, found = set(hashes), dict[str, np.ndarray]()
        for path, known, rows in self._shards:
            if not missing:
                break
            found.update(self._in_shard(path, known, rows, sorted(missing)))
            missing -= found.keys()
        return found

    def _in_shard(
        self, path: Path, known: np.ndarray, rows: np.ndarray, wanted: list[str]
    ) -> dict[str, np.ndarray]:
        if not len(known):
            return {}
        keys = shortened(wanted)
        places = np.minimum(np.searchsorted(known, keys), len(known) - 1)
        hits = np.flatnonzero(known[places] == keys)
        if not len(hits):
            return {}
        passages = read_shard(path, dimension=self.dimension, columns=["text_hash"])
        full = passages.table["text_hash"].take(rows[places[hits]]).to_pylist()
        pairs = zip(full, rows[places[hits]], hits, strict=True)
        # Only the first half of a hash was compared so far.
        return {name: passages.vectors[row] for name, row, hit in pairs if name == wanted[hit]}


@dataclass
class Previous:
    """An earlier revision of the index, as far as it can be used for this build."""

    folder: Path
    manifest: Manifest
    rows_fit: bool  # cut in the same way, with the same metadata columns
    same_shards: bool  # and spread over as many shards
    notices: list[str] = field(default_factory=list)
    _sound: dict[str, bool] = field(default_factory=dict)

    def unchanged(self, number: int, content: str) -> Shard | None:
        """The shard of this number if it holds these documents and is whole."""
        shard = self._at(number)
        return shard if shard is not None and shard.content == content else None

    def passages(self, number: int) -> Passages | None:
        """The shard of this number, to take rows from."""
        shard = self._at(number)
        if shard is None:
            return None
        return read_shard(self.folder / shard.path, dimension=self.manifest.encoder.dimension)

    def sound_paths(self) -> list[Path]:
        """The shards that are whole."""
        return [self.folder / s.path for s in self.manifest.shards if self._is_sound(s)]

    def _at(self, number: int) -> Shard | None:
        if not (self.rows_fit and self.same_shards):
            return None
        found = [shard for shard in self.manifest.shards if shard.number == number]
        return found[0] if found and self._is_sound(found[0]) else None

    def _is_sound(self, shard: Shard) -> bool:
        if shard.path not in self._sound:
            try:
                check(self.folder, shard)
            except LabError as error:
                self.notices.append(f"{error} It is built again.")
                self._sound[shard.path] = False
            else:
                self._sound[shard.path] = True
        return self._sound[shard.path]


def previous_shards(folder: Path | None) -> int | None:
    """How many places for shards the index in `folder` has; None if it cannot be read."""
    try:
        return read(folder).shards[0].places if folder is not None else None
    except (LabError, IndexError):
        return None


def open_previous(
    folder: Path | None,
    *,
    encoder: EncoderFacts,
    chunking: Chunking,
    columns: Mapping[str, str],
    shards: int,
) -> tuple[Previous | None, str | None]:
    """(what of the index in `folder` can be used, a sentence if it is there but nothing can)."""
    if folder is None:
        return None, None
    try:
        manifest = read(folder)
    except LabError as error:
        return None, f"{error} Everything is built again."
    if not manifest.shards:
        return None, None
    if manifest.encoder != encoder:
        then = manifest.encoder
        return None, f"it was made with {then.repo} at {then.revision}; everything is built again"
    fit = manifest.chunking == chunking and dict(manifest.metadata) == dict(columns)
    return Previous(folder, manifest, fit, manifest.shards[0].places == shards), None
