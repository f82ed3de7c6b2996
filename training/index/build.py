"""Build an index: documents are spread over shards, cut, embedded and written shard by shard.

    output/documents    what was read, by place
    output/shards       the shards that are done, and what each came to
    output/repository   the finished index, replaced as a whole at the end

Memory holds one shard at a time. A shard is done when its record is there, so a run that was killed
goes on with the first that is not. Under `accelerate launch` the shards are shared out.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hub_utils.atomic import read_json
from hub_utils.errors import DataError, SettingsError
from training.index import spool
from training.index.config import IndexConfig, window
from training.index.filling import Draft, draft
from training.index.manifest import Chunking, Counts, EncoderFacts, Manifest, Shard, Source, write
from training.index.reuse import KnownVectors, Previous, open_previous, previous_shards
from training.index.shards import hash_of, shard_path, text_hashes, write_shard
from training.shared.files import alone_in, disk_room, write_text, written
from training.shared.publishing import empty, versions

if TYPE_CHECKING:
    from accelerate import Accelerator

    from training.index.documents import Document
    from training.index.encoder import Encoder
    from training.shared.progress import Progress

LIBRARIES = ("sentence-transformers", "transformers", "torch", "pyarrow", "bm25s")
STATE = "build.json"
MAP = "map.parquet"
_PIECE = 4096  # texts handed to the encoder at once


@dataclass(frozen=True)
class Built:
    """A finished index in `folder`, and what it took."""

    folder: Path
    manifest: Manifest
    encoder: Encoder
    seed: int = 0  # for what is drawn from it
    embedded: int = 0  # vectors computed
    reused: int = 0  # passages whose vector an earlier revision had
    removed: int = 0  # passages of the earlier revision that are gone
    seconds: float = 0.0  # of this build
    encode_seconds: float = 0.0  # inside the encoder, over all processes
    problems: tuple[str, ...] = ()  # what could not be read
    main: bool = True  # False in the other processes of a distributed run

    @property
    def passages_per_second(self) -> float:
        """Passages embedded a second of encoding; 0 where nothing was."""
        return self.embedded / self.encode_seconds if self.encode_seconds else 0.0

    @property
    def figures(self) -> dict[str, Any]:
        """What the command prints last."""
        counts = self.manifest.counts
        return {
            "documents": counts.documents,
            "passages": counts.passages,
            "duplicates": counts.duplicates,
            "embedded": self.embedded,
            "reused": self.reused,
            "removed": self.removed,
            "passages_per_second": round(self.passages_per_second, 1),
            "train_seconds": round(self.seconds, 2),
            "shards": len(self.manifest.shards),
        }


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


def build(
    documents: Iterable[Document],
    encoder: Encoder,
    config: IndexConfig,
    *,
    output: Path,
    previous: Path | None,
    progress: Progress,
    resume: bool = False,
) -> Built:
    """Build the index of `documents` in `output`/repository.

    previous: folder of an index whose shards, rows and vectors are used where they still hold.
    resume: go on with what a killed run left in `output`.
    Raises LabError: settings that cannot work, no documents, a full disk, another build in
    `output`.
    """
    started = time.monotonic()
    accelerator = _accelerator()
    main = bool(accelerator.is_main_process)
    progress.quiet = progress.quiet or not main
    with alone_in(output) if main else nullcontext(), disk_room(output):
        if main:
            _prepare(documents, encoder, config, output=output, previous=previous, resume=resume)
        accelerator.wait_for_everyone()
        job = _job(encoder, config, output=output, previous=previous, progress=progress)
        _fill_all(job, rank=accelerator.process_index, processes=accelerator.num_processes)
        accelerator.wait_for_everyone()
        if not main:
            nothing = _manifest(job, (), documents=0, hashes=np.empty(0, np.uint64))
            return Built(output / "repository", nothing, encoder, main=False)
        return replace(_finish(job), seed=config.seed, seconds=time.monotonic() - started)


def earlier(output: Path) -> Path | None:
    """The index that the run left in `output` builds upon, if it is still there."""
    folder = read_json(output / STATE).get("previous_folder")
    return Path(folder) if folder and (Path(folder) / "manifest.json").is_file() else None


def clear(output: Path) -> None:
    """Forget what a build left for a resumption; the repository stays."""
    (output / STATE).unlink(missing_ok=True)
    for folder in ("documents", "shards", "repository.new"):
        shutil.rmtree(output / folder, ignore_errors=True)


def encoder_facts(encoder: Encoder) -> EncoderFacts:
    """What the manifest says of an encoder."""
    return EncoderFacts(
        repo=str(encoder.repo),
        revision=str(encoder.revision),
        dimension=encoder.dimension,
        normalized=encoder.normalized,
        max_tokens=encoder.max_tokens,
    )


def _accelerator() -> Accelerator:
    """One process, or several under `accelerate launch`; a slow one is waited for."""
    from datetime import timedelta

    from accelerate import Accelerator
    from accelerate.utils import InitProcessGroupKwargs

    from training.shared.device import probe

    patience = InitProcessGroupKwargs(timeout=timedelta(days=7))
    return Accelerator(cpu=probe().device == "cpu", kwargs_handlers=[patience])


def _prepare(
    documents: Iterable[Document],
    encoder: Encoder,
    config: IndexConfig,
    *,
    output: Path,
    previous: Path | None,
    resume: bool,
) -> None:
    """Spool the documents, or keep what is to be resumed. Raises SettingsError."""
    asked = {
        "encoder": asdict(encoder_facts(encoder)),
        "chunking": asdict(_chunking(config, encoder)),
        "previous": hash_of(previous / "manifest.json") if previous is not None else None,
        "shards_asked": config.shards,
        "split": config.split,
    }
    state = read_json(output / STATE)
    if resume and state and spool.complete(output / "documents"):
        if len(list((output / "shards").glob("*.json"))) == state["shards"]:
            del asked["previous"]  # its place may have been taken by what is finished
        _require_same(asked, state)
        return
    for folder in (output / "documents", output / "shards"):
        empty(folder)
    (output / STATE).unlink(missing_ok=True)
    spooled = spool.spread(documents, output / "documents")
    shards = config.shards or spool.shards_for(spooled.size, previous=previous_shards(previous))
    state = {**asked, "shards": shards, "previous_folder": str(previous) if previous else None}
    write_text(output / STATE, json.dumps(state))


def _require_same(asked: Mapping[str, Any], state: Mapping[str, Any]) -> None:
    for name, value in asked.items():
        if state.get(name) != value:
            raise SettingsError(
                f"The run to resume has {name}={state.get(name)!r}, not {value!r}.",
                hint="Give the same options, or start over without --resume.",
            )


def _chunking(config: IndexConfig, encoder: Encoder) -> Chunking:
    return Chunking(window(config, encoder.max_tokens), config.overlap_tokens)


def _job(
    encoder: Encoder,
    config: IndexConfig,
    *,
    output: Path,
    previous: Path | None,
    progress: Progress,
) -> Job:
    spooled = spool.complete(output / "documents")
    assert spooled is not None  # noqa: S101 - the main process has just written it
    chunking, shards = _chunking(config, encoder), int(read_json(output / STATE)["shards"])
    usable, notice = open_previous(
        previous,
        encoder=encoder_facts(encoder),
        chunking=chunking,
        columns=spooled.columns,
        shards=shards,
    )
    if notice:
        progress.say("read", f"the earlier index is not used: {notice}")
    for problem in spooled.problems:
        progress.say("read", problem)
    progress.say("read", f"{spooled.documents:,} documents, for {shards} shards")
    return Job(output, spooled, encoder, chunking, shards, usable, progress)


def _fill_all(job: Job, *, rank: int, processes: int) -> None:
    """Make this process's share of the shards."""
    dimension = job.encoder.dimension
    before = KnownVectors(dimension, job.previous.sound_paths() if job.previous else ())
    now = KnownVectors(dimension)
    watch = _Watch(job, [number for number in range(job.shards) if number % processes == rank])
    job.progress.say("embed", watch.plan)
    for number in watch.numbers:
        record = job.record(number)
        if record is None:
            found = spool.entries(job.documents, number, job.shards)
            record = _kept_shard(job, number, found) or _filled_shard(
                job, number, found, known=(before, now), watch=watch
            )
            write_text(job.done / f"{number:05d}.json", json.dumps(asdict(record)))
        if record.shard.passages:
            now.add(job.path(number))
        watch.finish(record)
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


def _filled_shard(
    job: Job,
    number: int,
    found: Sequence[spool.Entry],
    *,
    known: tuple[KnownVectors, KnownVectors],
    watch: _Watch,
) -> Record:
    from training.index.passages import cut

    tokenizer, size = job.encoder.tokenizer, asdict(job.chunking)
    planned = draft(
        found,
        job.previous.passages(number) if job.previous else None,
        cut=lambda documents: cut(documents, tokenizer, **size),
        columns=job.spooled.columns,
        names=job.spooled.names,
    )
    vectors, figures = _vectors(job, planned, known=known, watch=watch)
    passages = planned.finished(vectors)
    sha256 = write_shard(job.path(number), passages)  # an empty one is left out at the end
    path, content = shard_path(number, job.shards), spool.content(found)
    shard = Shard(path, len(found), len(passages), sha256, content)
    return Record(shard, **figures)


def _vectors(
    job: Job, planned: Draft, *, known: tuple[KnownVectors, KnownVectors], watch: _Watch
) -> tuple[np.ndarray, dict[str, Any]]:
    """The (new, d) float16 vectors of a draft's new passages; a text is embedded once."""
    texts = dict(zip(planned.hashes, planned.embedded, strict=True))
    before = known[0].find(texts)
    now = known[1].find(texts.keys() - before.keys())
    found = {**before, **now}
    # Alike lengths together: little padding. The hash makes the order certain.
    missing = sorted(texts.keys() - found.keys(), key=lambda name: (len(texts[name]), name))
    started = time.monotonic()
    for start in range(0, len(missing), _PIECE):
        piece = missing[start : start + _PIECE]
        computed = job.encoder.encode([texts[name] for name in piece], report=watch.embedded)
        found.update(zip(piece, computed.astype(np.float16), strict=True))
    seconds = time.monotonic() - started if missing else 0.0
    vectors = np.empty((len(planned.hashes), job.encoder.dimension), np.float16)
    for row, name in enumerate(planned.hashes):
        vectors[row] = found[name]
    reused = planned.kept + sum(name in before for name in planned.hashes)
    return vectors, {"embedded": len(missing), "reused": reused, "encode_seconds": seconds}


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


def _finish(job: Job) -> Built:
    """Gather the shards, count, and put the repository in its place."""
    records = [record for record in map(job.record, range(job.shards)) if record]
    shards = [record.shard for record in records if record.shard.passages]
    if not shards:
        raise DataError(
            f"{job.spooled.source['name']} holds no text to search in.",
            hint="Name the column of the texts with --text-column.",
        )
    final, folder = job.output / "repository", job.output / "repository.new"
    empty(folder)
    for shard in shards:
        _link(job.done / shard.path, folder / shard.path)
    _carry_over(job.previous, folder)
    hashes = np.concatenate([text_hashes(folder / shard.path) for shard in shards])
    documents = sum(record.shard.documents for record in records)
    manifest = _manifest(job, shards, documents=documents, hashes=hashes)
    removed = _removed(job, shards, hashes)
    write(folder, manifest)
    shutil.rmtree(final, ignore_errors=True)
    folder.rename(final)
    return Built(
        folder=final,
        manifest=manifest,
        encoder=job.encoder,
        embedded=sum(record.embedded for record in records),
        reused=sum(record.reused for record in records),
        removed=removed,
        encode_seconds=sum(record.encode_seconds for record in records),
        problems=job.spooled.problems,
    )


def _link(source: Path, target: Path) -> None:
    """The same file under a second name; a copy where the file system has no such thing."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _carry_over(previous: Previous | None, folder: Path) -> None:
    """Keep the earlier map: what is known has its place on it."""
    path = (previous.manifest.map or {}).get("path") if previous else None
    if previous and path == MAP and (previous.folder / MAP).is_file():
        shutil.copyfile(previous.folder / MAP, folder / MAP)


def _manifest(job: Job, shards: Sequence[Shard], *, documents: int, hashes: np.ndarray) -> Manifest:
    duplicates = len(hashes) - len(np.unique(hashes))
    return Manifest(
        encoder=encoder_facts(job.encoder),
        chunking=job.chunking,
        counts=Counts(documents, len(hashes), duplicates),
        shards=tuple(shards),
        source=Source(**job.spooled.source),
        metadata=dict(job.spooled.columns),
        versions=versions(LIBRARIES),
    )


def _removed(job: Job, shards: Sequence[Shard], hashes: np.ndarray) -> int:
    """Passages of the earlier revision that this one does not have, by their texts."""
    if job.previous is None:
        return 0
    before = job.previous.manifest.shards
    if [shard.sha256 for shard in before] == [shard.sha256 for shard in shards]:
        return 0
    paths = job.previous.sound_paths()
    earlier = np.concatenate([text_hashes(path) for path in paths] or [hashes[:0]])
    names, counts = np.unique(earlier, return_counts=True)
    present, present_counts = np.unique(hashes, return_counts=True)
    remaining = np.zeros(len(names), np.int64)
    _, old, new = np.intersect1d(names, present, assume_unique=True, return_indices=True)
    remaining[old] = present_counts[new]
    return int(np.maximum(counts - remaining, 0).sum())
