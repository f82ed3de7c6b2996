"""Build an index: documents are spread over shards, cut, embedded and written shard by shard.

    output/documents    what was read, by place
    output/shards       the shards that are done, and what each came to
    output/repository   the finished index, replaced as a whole at the end

Memory holds one shard at a time, or a few where each has little that is new. A shard is done when
its record is there, so a run that was killed goes on with the first that is not. Under `accelerate
launch` the shards are shared out.
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
from training.index.fill import Job, fill_all
from training.index.manifest import Chunking, Counts, EncoderFacts, Manifest, Shard, Source, write
from training.index.reuse import Previous, open_previous, previous_shards
from training.index.shards import hash_of, text_hashes
from training.shared.files import alone_in, disk_room, write_text
from training.shared.publishing import empty, versions

if TYPE_CHECKING:
    from accelerate import Accelerator

    from training.index.documents import Document
    from training.index.encoder import TextEncoder
    from training.shared.progress import Progress

LIBRARIES = ("sentence-transformers", "transformers", "torch", "pyarrow", "bm25s")
STATE = "build.json"
MAP = "map.parquet"


@dataclass(frozen=True)
class Built:
    """A finished index in `folder`, and what it took."""

    folder: Path
    manifest: Manifest
    encoder: TextEncoder
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


def build(
    documents: Iterable[Document],
    encoder: TextEncoder,
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
    processes = _processes()
    main = processes.is_main_process
    progress.quiet = progress.quiet or not main
    with alone_in(output) if main else nullcontext(), disk_room(output):
        if main:
            _prepare(documents, encoder, config, output=output, previous=previous, resume=resume)
        processes.wait_for_everyone()
        job = _job(encoder, config, output=output, previous=previous, progress=progress)
        fill_all(job, rank=processes.process_index, processes=processes.num_processes)
        processes.wait_for_everyone()
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


def encoder_facts(encoder: TextEncoder) -> EncoderFacts:
    """What the manifest says of an encoder."""
    return EncoderFacts(
        repo=str(encoder.repo),
        revision=str(encoder.revision),
        dimension=encoder.dimension,
        normalized=encoder.normalized,
        max_tokens=encoder.max_tokens,
    )


@dataclass(frozen=True)
class _Alone:
    """A run's only process, in accelerate's words, without the seconds that its import takes."""

    is_main_process: bool = True
    process_index: int = 0
    num_processes: int = 1

    def wait_for_everyone(self) -> None:
        """There is nobody else."""


def _processes() -> _Alone | Accelerator:
    """This process among those of the run, as torch's launchers tell it."""
    return _accelerator() if int(os.environ.get("WORLD_SIZE", "1")) > 1 else _Alone()


def _accelerator() -> Accelerator:
    """One of several processes under `accelerate launch`; a slow one is waited for."""
    from datetime import timedelta

    from accelerate import Accelerator
    from accelerate.utils import InitProcessGroupKwargs

    from training.shared.device import probe

    patience = InitProcessGroupKwargs(timeout=timedelta(days=7))
    return Accelerator(cpu=probe().device == "cpu", kwargs_handlers=[patience])


def _prepare(
    documents: Iterable[Document],
    encoder: TextEncoder,
    config: IndexConfig,
    *,
    output: Path,
    previous: Path | None,
    resume: bool,
) -> None:
    """Spool the documents, or keep what is to be resumed. Raises SettingsError."""
    state = read_json(output / STATE)
    if resume and state and spool.complete(output / "documents"):
        asked = _asked(encoder, config, previous=previous)
        if len(list((output / "shards").glob("*.json"))) == state["shards"]:
            del asked["previous"]  # its place may have been taken by what is finished
        _require_same(asked, state)
        return
    for folder in (output / "documents", output / "shards"):
        empty(folder)
    (output / STATE).unlink(missing_ok=True)
    spooled = spool.spread(documents, output / "documents")
    shards = config.shards or spool.shards_for(spooled.size, previous=previous_shards(previous))
    asked = _asked(encoder, config, previous=previous)
    state = {**asked, "shards": shards, "previous_folder": str(previous) if previous else None}
    write_text(output / STATE, json.dumps(state))


def _asked(encoder: TextEncoder, config: IndexConfig, *, previous: Path | None) -> dict[str, Any]:
    """What a run that is resumed must have in common with the one that was killed."""
    return {
        "encoder": asdict(encoder_facts(encoder)),
        "chunking": asdict(_chunking(config, encoder)),
        "previous": hash_of(previous / "manifest.json") if previous is not None else None,
        "shards_asked": config.shards,
        "split": config.split,
    }


def _require_same(asked: Mapping[str, Any], state: Mapping[str, Any]) -> None:
    for name, value in asked.items():
        if state.get(name) != value:
            raise SettingsError(
                f"The run to resume has {name}={state.get(name)!r}, not {value!r}.",
                hint="Give the same options, or start over without --resume.",
            )


def _chunking(config: IndexConfig, encoder: TextEncoder) -> Chunking:
    return Chunking(window(config, encoder.max_tokens), config.overlap_tokens)


def _job(
    encoder: TextEncoder,
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
