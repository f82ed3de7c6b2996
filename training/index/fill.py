"""Fill the shards of an index: a shard is taken over as it is, or cut, embedded and written."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import islice, repeat
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hub_utils.atomic import read_json
from training.index import spool
from training.index.draft import Draft, Outline
from training.index.manifest import Chunking, Shard
from training.index.passages import cut
from training.index.reuse import KnownVectors, Previous
from training.index.shards import shard_path, write_shard
from training.shared.device import cores
from training.shared.files import write_text, written

if TYPE_CHECKING:
    from training.index.encoder import TextEncoder
    from training.shared.progress import Progress

TOGETHER = 2**19  # new characters: shards wait for each other until there are so many
MOST_ROWS = 32_768  # of shards that wait: they are in memory
_PIECE = 4096  # texts handed to the encoder at once


@dataclass(frozen=True)
class Record:
    """A shard that is done. Its file lies beside."""

    shard: Shard
    embedded: int
    reused: int
    encode_seconds: float


@dataclass(frozen=True)
class Job:
    """What all shards of a build have in common."""

    output: Path
    spooled: spool.Spooled
    encoder: TextEncoder
    chunking: Chunking
    shards: int
    previous: Previous | None
    progress: Progress

    @property
    def documents(self) -> Path:
        """Where the documents are spooled."""
        return self.output / "documents"

    @property
    def done(self) -> Path:
        """Where finished shards are."""
        return self.output / "shards"

    def path(self, number: int) -> Path:
        """The file of a shard that is done."""
        return self.done / shard_path(number, self.shards)

    def record(self, number: int) -> Record | None:
        """What a shard came to; None if it is not done."""
        found = read_json(self.done / f"{number:05d}.json")
        if not found:
            return None
        return Record(**{**found, "shard": Shard(**found["shard"])})


def fill_all(job: Job, *, rank: int, processes: int) -> None:
    """Make this process's share of the shards."""
    watch = _Watch(job, [number for number in range(job.shards) if number % processes == rank])
    job.progress.say("embed", watch.plan)
    filler = _Filler(job, watch)
    for number in watch.numbers:
        record = job.record(number)
        if record is not None:
            filler.there(record)
            continue
        found = spool.entries(job.documents, number, job.shards)
        record = _kept_shard(job, number, found)
        if record is not None:
            filler.done(record)
        else:
            filler.plan(number, found)
    filler.fill()
    for notice in job.previous.notices if job.previous else ():
        job.progress.say("embed", notice)


def _kept_shard(job: Job, number: int, found: Sequence[spool.Entry]) -> Record | None:
    """The earlier revision's shard as it is, if its documents are these."""
    content = spool.content(found)
    shard = job.previous.unchanged(number, content) if job.previous else None
    if shard is None or job.previous is None:
        return None
    with written(job.path(number)) as partial:
        shutil.copyfile(job.previous.folder / shard.path, partial)
    return Record(shard, embedded=0, reused=shard.passages, encode_seconds=0.0)


@dataclass(frozen=True)
class _Planned:
    """A shard whose new documents wait to be cut and embedded."""

    number: int
    outline: Outline


class _Filler:
    """Shards on their way: what is new in several of them is cut and embedded together.

    A build that changes little has a few texts for every shard, and few at a time keep no core
    busy. Until then the encoder is not needed: it may still be on its way, too.
    """

    def __init__(self, job: Job, watch: _Watch) -> None:
        self._job, self._watch = job, watch
        dimension, previous = job.encoder.dimension, job.previous
        self._before = KnownVectors(dimension, previous.sound_paths() if previous else ())
        self._before.read()  # now, while the encoder may still be on its way
        self._now = KnownVectors(dimension)
        self._waiting: list[_Planned] = []

    def there(self, record: Record) -> None:
        """A shard has its file and its record."""
        if record.shard.passages:
            self._now.add(self._job.path(record.shard.number))
        self._watch.finish(record)

    def done(self, record: Record) -> None:
        """A shard has its file: write the record, which says so to a resumed run."""
        name = f"{record.shard.number:05d}.json"
        write_text(self._job.done / name, json.dumps(asdict(record)))
        self.there(record)

    def plan(self, number: int, found: Sequence[spool.Entry]) -> None:
        """See what is new in a shard; fill the shards that wait when there is enough to do."""
        previous = self._job.previous
        outline = Outline.of(found, previous.passages(number) if previous else None)
        self._waiting.append(_Planned(number, outline))
        new = sum(planned.outline.characters for planned in self._waiting)
        rows = sum(planned.outline.earlier_rows for planned in self._waiting)
        # A shard that is all new is embedded by itself, to the same bytes whatever came before it.
        if outline.earlier is None or new >= TOGETHER or rows >= MOST_ROWS:
            self.fill()

    def fill(self) -> None:
        """Cut and embed what waits, and write its shards."""
        waiting, self._waiting = self._waiting, []
        drafts = self._drafts([planned.outline for planned in waiting])
        texts: dict[str, str] = {}
        for draft in drafts:
            texts.update(zip(draft.hashes, draft.embedded, strict=True))
        before = self._before.find(texts)
        now = self._now.find(texts.keys() - before.keys())
        missing = texts.keys() - before.keys() - now.keys()
        if missing:
            self._job.encoder.wait()  # its loading is no encoding
        started = time.monotonic()
        found = {**before, **now, **self._embedded({name: texts[name] for name in missing})}
        each = (time.monotonic() - started) / max(1, len(missing))
        digests = self._written([planned.number for planned in waiting], drafts, found)
        for planned, draft in zip(waiting, drafts, strict=True):
            mine = missing & set(draft.hashes)
            missing -= mine  # the first shard with a text counts it
            shard = self._shard(planned, draft, next(digests))
            reused = draft.kept + sum(name in before for name in draft.hashes)
            self.done(Record(shard, len(mine), reused, encode_seconds=len(mine) * each))

    def _drafts(self, outlines: Sequence[Outline]) -> list[Draft]:
        job = self._job
        documents = [document for outline in outlines for document in outline.documents]
        size = asdict(job.chunking)
        passages = iter(cut(documents, job.encoder.tokenizer, **size) if documents else ())
        return [
            outline.draft(
                list(islice(passages, len(outline.documents))),
                columns=job.spooled.columns,
                names=job.spooled.names,
            )
            for outline in outlines
        ]

    def _embedded(self, texts: Mapping[str, str]) -> dict[str, np.ndarray]:
        """(d,) float16 vectors of texts by their hash."""
        found: dict[str, np.ndarray] = {}
        # Alike lengths together: little padding. The hash makes the order certain.
        names = sorted(texts, key=lambda name: (len(texts[name]), name))
        for start in range(0, len(names), _PIECE):
            piece = names[start : start + _PIECE]
            computed = self._job.encoder.encode(
                [texts[name] for name in piece], report=self._watch.embedded
            )
            found.update(zip(piece, computed.astype(np.float16), strict=True))
        return found

    def _written(
        self, numbers: Sequence[int], drafts: Sequence[Draft], found: Mapping[str, np.ndarray]
    ) -> Iterator[str]:
        """Write shards, one a core; the SHA-256 of each in their order."""
        with ThreadPoolExecutor(min(cores(), max(1, len(numbers)))) as pool:
            yield from pool.map(self._write, numbers, drafts, repeat(found))

    def _write(self, number: int, draft: Draft, found: Mapping[str, np.ndarray]) -> str:
        """Write a shard; the SHA-256 of its file. found: vectors by text hash."""
        vectors = np.empty((len(draft.hashes), self._job.encoder.dimension), np.float16)
        for row, name in enumerate(draft.hashes):
            vectors[row] = found[name]
        # An empty one is left out at the end.
        return write_shard(self._job.path(number), draft.finished(vectors))

    def _shard(self, planned: _Planned, draft: Draft, sha256: str) -> Shard:
        entries = planned.outline.entries
        path = shard_path(planned.number, self._job.shards)
        return Shard(path, len(entries), len(draft.order), sha256, spool.content(entries))


class _Watch:
    """How far a process is with its shards, in bytes of text."""

    def __init__(self, job: Job, numbers: list[int]) -> None:
        self.job, self.numbers = job, numbers
        sizes = {n: spool.size(job.documents, n, job.shards) for n in numbers}
        self._left = {n: size for n, size in sizes.items() if job.record(n) is None}
        self._total = sum(self._left.values())
        self._started = time.monotonic()
        self._passages = 0

    @property
    def plan(self) -> str:
        """What there is to do, before anything is done."""
        there = len(self.numbers) - len(self._left)
        return f"{len(self._left)} shards" + (f", {there} are there already" if there else "")

    def embedded(self, count: int) -> None:
        """The encoder is so far in this shard."""
        self._tell(self._passages + count)

    def finish(self, record: Record) -> None:
        """A shard is done."""
        self._left.pop(record.shard.number, None)
        self._passages += record.embedded
        self._tell(self._passages)

    def _tell(self, passages: int) -> None:
        left, seconds = sum(self._left.values()), time.monotonic() - self._started
        done = self._total - left
        self.job.progress.update(
            step=len(self.numbers) - len(self._left),
            steps=len(self.numbers),
            loss=None,
            seconds_left=seconds / done * left if done else None,
            message=f"{passages:,} passages embedded, {passages / max(seconds, 1e-9):.0f}/s",
        )
