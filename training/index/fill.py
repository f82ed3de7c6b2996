"""Fill the shards of an index: a shard is taken over as it is, or cut, embedded and written."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hub_utils.atomic import read_json
from training.index import spool
from training.index.draft import Draft, draft
from training.index.manifest import Chunking, Shard
from training.index.passages import cut
from training.index.reuse import KnownVectors, Previous
from training.index.shards import shard_path, write_shard
from training.shared.files import write_text, written

if TYPE_CHECKING:
    from training.index.encoder import Encoder
    from training.shared.progress import Progress

TOGETHER = 512  # new texts: shards wait for each other until there are so many
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
    encoder: Encoder
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
    """A shard whose new passages wait for their vectors."""

    number: int
    documents: int
    content: str  # hash of its documents
    draft: Draft


class _Filler:
    """Shards on their way: what is new in several of them is embedded together.

    A build that changes little has a few texts for every shard, and few at a time keep no core
    busy.
    """

    def __init__(self, job: Job, watch: _Watch) -> None:
        self._job, self._watch = job, watch
        dimension, previous = job.encoder.dimension, job.previous
        self._before = KnownVectors(dimension, previous.sound_paths() if previous else ())
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
        """Cut the documents of a shard; fill the shards that wait when there is enough to do."""
        job = self._job
        tokenizer, size = job.encoder.tokenizer, asdict(job.chunking)
        planned = draft(
            found,
            job.previous.passages(number) if job.previous else None,
            cut=lambda documents: cut(documents, tokenizer, **size),
            columns=job.spooled.columns,
            names=job.spooled.names,
        )
        self._waiting.append(_Planned(number, len(found), spool.content(found), planned))
        new = sum(len(other.draft.hashes) for other in self._waiting)
        rows = sum(len(other.draft.order) for other in self._waiting)
        # A shard that is all new is embedded by itself, to the same bytes whatever came before it.
        if planned.earlier is None or new >= TOGETHER or rows >= MOST_ROWS:
            self.fill()

    def fill(self) -> None:
        """Embed what waits, and write its shards."""
        waiting, self._waiting = self._waiting, []
        texts: dict[str, str] = {}
        for planned in waiting:
            texts.update(zip(planned.draft.hashes, planned.draft.embedded, strict=True))
        before = self._before.find(texts)
        now = self._now.find(texts.keys() - before.keys())
        missing = texts.keys() - before.keys() - now.keys()
        started = time.monotonic()
        found = {**before, **now, **self._embedded({name: texts[name] for name in missing})}
        each = (time.monotonic() - started) / max(1, len(missing))
        for planned in waiting:
            mine = missing & set(planned.draft.hashes)
            missing -= mine  # the first shard with a text counts it
            self._write(planned, found, known=before.keys(), embedded=len(mine), each=each)

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

    def _write(
        self,
        planned: _Planned,
        found: Mapping[str, np.ndarray],
        *,
        known: Collection[str],
        embedded: int,
        each: float,
    ) -> None:
        """Write a planned shard. each: seconds that a text took; known: hashes from before."""
        job, hashes = self._job, planned.draft.hashes
        vectors = np.empty((len(hashes), job.encoder.dimension), np.float16)
        for row, name in enumerate(hashes):
            vectors[row] = found[name]
        passages = planned.draft.finished(vectors)
        # An empty one is left out at the end.
        sha256 = write_shard(job.path(planned.number), passages)
        path = shard_path(planned.number, job.shards)
        shard = Shard(path, planned.documents, len(passages), sha256, planned.content)
        reused = planned.draft.kept + sum(name in known for name in hashes)
        self.done(Record(shard, embedded, reused, encode_seconds=embedded * each))


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
