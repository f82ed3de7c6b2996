"""The command `python -m training index-eval`: how well a search finds, on BEIR's files.

python -m training index-eval --corpus corpus.jsonl --queries queries.jsonl --qrels qrels.tsv
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.index.config import DEFAULT_ENCODER
from training.shared.cli import hub_for, is_path, quiet_libraries, run_command
from training.shared.progress import Progress

if TYPE_CHECKING:
    from hub_utils.connection import Hub
    from training.index.encoder import Encoder

NAME = "index-eval"
OUTPUT = Path(".lab/runs") / NAME  # where the progress is told
MODES = ("hybrid", "dense", "keyword")
HELP = "measure how well a search finds, on BEIR's files"


def add_parser(subparsers: Any) -> None:
    """Add the command to the recipes' command line."""
    parser = subparsers.add_parser(NAME, help=HELP, description=HELP)
    parser.add_argument("--corpus", required=True, help="corpus.jsonl, or what index --data takes")
    parser.add_argument("--queries", type=Path, required=True, help="queries.jsonl")
    parser.add_argument("--qrels", type=Path, required=True, help="qrels.tsv: the judgements")
    parser.add_argument("--mode", default="hybrid", choices=MODES, help="default: hybrid")
    parser.add_argument(
        "--encoder",
        default=DEFAULT_ENCODER,
        help=f"Hub id or folder of a sentence-transformers model (default: {DEFAULT_ENCODER})",
    )
    parser.add_argument("--encoder-revision", help="its branch, tag or commit")
    parser.add_argument(
        "--ignore-same-ids",
        action="store_true",
        help="a document with the query's id is no answer: queries are documents themselves",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measure and print the figures; returns the exit code."""
    return run_command(lambda: measure(args))


def measure(args: argparse.Namespace) -> Mapping[str, Any]:
    """Index the corpus in memory and hold its rankings to the judgements. Raises DataError."""
    quiet_libraries()
    from training.index.beir import read_qrels, read_queries, require_agreement
    from training.index.documents import read_documents
    from training.index.evaluate import evaluate
    from training.index.inference import index_texts

    progress = Progress(NAME, OUTPUT)
    queries, qrels = read_queries(args.queries), read_qrels(args.qrels)
    hub = hub_for([args.corpus, args.encoder], push=False)
    documents = list(read_documents(args.corpus, hub=hub))
    notice = require_agreement(queries, qrels, {document.id for document in documents})
    if notice:
        progress.say("load", notice)
    encoder = open_encoder(args.encoder, hub=hub, revision=args.encoder_revision)
    progress.say("index", f"{len(documents):,} documents with {encoder.repo}")
    index = index_texts(documents, encoder, mapped=False)
    progress.say("evaluate", f"{len(queries):,} queries among {len(index):,} passages, {args.mode}")
    found = evaluate(index, queries, qrels, mode=args.mode, skip_own=args.ignore_same_ids)
    return {
        **found.figures(),
        "documents": len(documents),
        "passages": len(index),
        "encoder": encoder.repo,
        "encoder_revision": encoder.revision,
    }


def open_encoder(name: str, *, hub: Hub | None, revision: str | None = None) -> Encoder:
    """A sentence-transformers model by Hub id or folder. Raises LabError."""
    from hub_utils.pull import pull
    from training.index.encoder import load_encoder

    if hub is None or is_path(name):
        return load_encoder(Path(name))
    pulled = pull(hub.repo(name), hub=hub, revision=revision)
    return load_encoder(pulled.folder, repo=str(pulled.repo), revision=pulled.revision)
