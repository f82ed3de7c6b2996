"""The command `python -m training index`: texts in, a published index out.

Run again on changed data, it embeds only what changed.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub_utils.errors import DataError, RepoNotFoundError, SettingsError
from hub_utils.names import RepoId
from training.index.config import (
    DEFAULT_DATA,
    DEFAULT_ENCODER,
    DEFAULT_OUTPUT,
    DEFAULT_REPO,
    PRESETS,
    IndexConfig,
    checked,
    preset,
)
from training.index.encoder_process import Load, UnexpectedEncoderError, loading
from training.index.manifest import FILE, EncoderFacts, read, write
from training.shared.cli import (
    add_common_options,
    add_overrides,
    command_line,
    hub_for,
    overridden,
    quiet_libraries,
    run_command,
)
from training.shared.files import disk_room
from training.shared.progress import Progress
from training.shared.publishing import publish

if TYPE_CHECKING:
    from hub_utils.connection import Hub
    from training.index.build import Built
    from training.index.documents import Documents
    from training.index.encoder import TextEncoder
    from training.index.term_counts import TermCounts

NEEDED = [FILE, "data/*", "map.parquet"]  # of an earlier revision
# Options that replace a value of the preset when given.
OVERRIDES: dict[str, dict[str, Any]] = {
    "encoder": {"help": f"sentence-transformers model, Hub id or folder ({DEFAULT_ENCODER})"},
    "encoder_revision": {"help": "its branch, tag or commit"},
    "max_tokens": {"type": int, "help": "tokens of a passage (default: all the encoder reads)"},
    "overlap_tokens": {"type": int, "help": "that a passage repeats of the one before"},
    "shards": {"type": int, "help": "files, a power of two (default: follows the corpus's size)"},
    "split": {"help": "of a Hub data set (default: all)"},
}


def add_parser(subparsers: Any) -> None:
    """Add this recipe to the program's command line."""
    parser = subparsers.add_parser("index", help="semantic search: index", description=__doc__)
    parser.add_argument(
        "--data",
        default=DEFAULT_DATA,
        help="Hub id; .csv .tsv .jsonl .parquet; folder of .txt .md .html .pdf",
    )
    parser.add_argument("--text-column", help="default: text")
    parser.add_argument("--title-column", help="default: title, if there is one")
    parser.add_argument("--id-column", help="names documents from build to build")
    add_common_options(
        parser, presets=PRESETS, output=DEFAULT_OUTPUT, repo=DEFAULT_REPO, budget=False
    )
    add_overrides(parser, OVERRIDES)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Build and publish; returns the exit code."""
    return run_command(lambda: build_and_publish(args))


def build_and_publish(args: argparse.Namespace) -> Mapping[str, Any] | None:
    """The whole way. Returns the figures; None in the other processes of a distributed run."""
    config = config_from(args)
    quiet_libraries()
    with loading() as load:
        return _build_and_publish(args, config, load)


def _build_and_publish(
    args: argparse.Namespace, config: IndexConfig, load: Load
) -> Mapping[str, Any] | None:
    progress = Progress("index", args.output_dir)
    hub = hub_for([args.data, config.encoder], push=args.push)
    repo = (
        hub.repo(args.repo, "dataset")
        if hub
        else RepoId.parse(args.repo, type="dataset", namespace="local")
    )
    previous = _previous(args, repo, hub=hub)
    documents = _documents(args, config, hub=hub)
    progress.say("load", f"encoder {config.encoder_name}")
    encoder = _encoder(config, load, hub=hub, previous=previous)
    from training.index.build import build
    from training.index.publish import prepare

    terms = prepare(previous)  # there is time: the encoder is being loaded

    def once(documents: Documents) -> Mapping[str, Any] | None:
        built = build(
            documents,
            encoder,
            config,
            output=args.output_dir,
            previous=previous,
            progress=progress,
            resume=args.resume,
        )
        if not built.main:
            return None
        return _published(args, built, repo, hub=hub, terms=terms, progress=progress)

    try:
        return once(documents)
    except UnexpectedEncoderError as error:
        progress.say("load", error.line())
        return once(_documents(args, config, hub=hub))


def config_from(args: argparse.Namespace) -> IndexConfig:
    """The preset with the options that were given. Raises SettingsError.

    A preset's split is one of the default data set; of other data, all splits are meant.
    """
    if args.data != DEFAULT_DATA and args.split is None:
        args.preset = "full"
    return checked(overridden(preset(args.preset), args))


def _documents(args: argparse.Namespace, config: IndexConfig, *, hub: Hub | None) -> Documents:
    from training.index.documents import read_documents

    return read_documents(
        args.data,
        hub=hub,
        split=config.split,
        text_column=args.text_column,
        title_column=args.title_column,
        id_column=args.id_column,
    )


def _encoder(
    config: IndexConfig, load: Load, *, hub: Hub | None, previous: Path | None
) -> TextEncoder:
    folder = Path(config.encoder)
    if folder.is_dir():
        name = config.encoder_name
        revision = folder_revision(folder)
        known = _known_facts(previous, name, revision)
        return load(folder, repo=name, revision=revision, known=known)
    if hub is None:
        raise SettingsError(
            f"There is no folder {config.encoder!r}.", hint="Name a folder or a Hub id."
        )
    from hub_utils.pull import pull

    repo = hub.repo(config.encoder)
    pulled = pull(repo, hub=hub, revision=config.encoder_revision, exports=False)
    known = _known_facts(previous, str(repo), pulled.revision)
    return load(pulled.folder, repo=str(repo), revision=pulled.revision, known=known)


def _known_facts(previous: Path | None, repo: str, revision: str) -> EncoderFacts | None:
    """What the earlier index says of this revision of the encoder, which cannot have changed."""
    try:
        facts = read(previous).encoder if previous else None
    except DataError:
        return None
    return facts if facts and (facts.repo, facts.revision) == (repo, revision) else None


def folder_revision(folder: Path) -> str:
    """A name for the model in a folder by its contents, as a commit is for one on a Hub."""
    from training.index.shards import hash_of

    digest = sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix in (".safetensors", ".json", ".txt"):
            digest.update(f"{path.relative_to(folder).as_posix()} {hash_of(path)}\n".encode())
    return f"sha256-{digest.hexdigest()[:40]}"


def _previous(args: argparse.Namespace, repo: RepoId, *, hub: Hub | None) -> Path | None:
    """Folder of the index to build upon: what is published, else what lies in the work folder."""
    from training.index.build import earlier

    local = args.output_dir / "repository"
    begun = earlier(args.output_dir) if args.resume else None
    published = _published_before(repo, local, hub=hub) if args.push and hub else None
    found = begun or published or local
    return found if (found / FILE).is_file() else None


def _published_before(repo: RepoId, local: Path, *, hub: Hub) -> Path | None:
    """The published index, downloaded; None if there is none. Raises SettingsError."""
    from hub_utils.pull import pull

    try:
        pulled = pull(repo, hub=hub, allow=[FILE])
    except RepoNotFoundError:
        return None
    manifest = pulled.folder / FILE
    if not manifest.is_file():
        _refuse_other_content(repo, pulled.revision, hub=hub)
        return None
    if (local / FILE).is_file() and (local / FILE).read_bytes() == manifest.read_bytes():
        return local  # the same files are here
    return pull(repo, hub=hub, revision=pulled.revision, allow=NEEDED).folder


def _refuse_other_content(repo: RepoId, revision: str, *, hub: Hub) -> None:
    """Raises SettingsError if `repo` holds data that are no index: they would be replaced."""
    names = hub.api.list_repo_files(str(repo), repo_type=repo.type, revision=revision)
    if set(names) - {".gitattributes", "README.md"}:
        raise SettingsError(
            f"{repo} holds a data set that is no index; an index would replace it.",
            hint="Give the index another name with --repo.",
        )


def _published(
    args: argparse.Namespace,
    built: Built,
    repo: RepoId,
    *,
    hub: Hub | None,
    terms: TermCounts | None,
    progress: Progress,
) -> Mapping[str, Any]:
    """Complete the folder, push it if asked, and give the figures."""
    from training.index.build import clear
    from training.index.publish import write_repository

    progress.say("publish", "keyword index, map and card")
    with disk_room(args.output_dir):
        write(built.folder, replace(built.manifest, command=command_line(args)))
        write_repository(built.folder, built.encoder, repo, hub=hub, terms=terms, seed=built.seed)
    pushed = publish(
        built.folder,
        repo,
        hub=hub if args.push else None,
        message=_message(built),
        progress=progress,
    )
    clear(args.output_dir)
    return {**built.figures, "repo": str(repo), **pushed}


def _message(built: Built) -> str:
    counts = built.manifest.counts
    return (
        f"Index {built.manifest.source.name}: {counts.passages:,} passages, {built.embedded:,} "
        f"embedded, {built.removed:,} removed"
    )
