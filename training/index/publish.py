"""Complete a built index for the Hub: the keyword index, the map, the figures, the card.

A build leaves manifest.json and data/*.parquet in a folder; this adds the rest beside them. Nothing
written here tells a time or a machine: the same documents give the same bytes, and no commit.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hub_utils.errors import DataError, LabError
from training.index import map as corpus_map
from training.index.card import Credits, Outcome, card
from training.index.check import check, questions
from training.index.keyword import KeywordIndex
from training.index.manifest import Manifest, read, write
from training.index.picture import draw_map, grouping
from training.index.rows import PassageRows
from training.index.search import SearchIndex
from training.index.shards import iterate_shards, read_shards
from training.index.term_counts import TermCounts, texts_of
from training.shared.pictures import save_pictures
from training.shared.publishing import empty, write_json

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from hub_utils.connection import Hub
    from hub_utils.names import RepoId
    from training.index.encoder import TextEncoder

KEYWORD = "keyword"
PICTURES = "pictures"
MOST_COUNTED = 200_000  # passages whose terms are kept in memory during a build


def prepare(previous: Path | None) -> TermCounts | None:
    """What needs no vectors: the libraries, and the terms of an earlier index's passages."""
    import bm25s  # noqa: F401
    import matplotlib.figure  # noqa: F401
    import scipy.sparse  # noqa: F401

    if previous is None:
        return None
    terms = TermCounts()
    try:
        for passages in iterate_shards(previous, read(previous)):
            terms.learn(passages.table)
            if len(terms) >= MOST_COUNTED:
                break
    except DataError:  # whoever builds upon it says what is damaged
        return terms
    return terms


def write_repository(
    folder: Path,
    encoder: TextEncoder,
    repo: RepoId,
    *,
    hub: Hub | None = None,
    previous: Path | None = None,
    terms: TermCounts | None = None,
    seed: int = 0,
) -> Outcome:
    """Add to a built `folder` all that its repository has besides shards and manifest.

    hub: where the card of the source data set is read. previous: an earlier index, if not in
    `folder` itself; passages with the same text keep their place on the map. terms: of passages
    whose terms are known.
    """
    manifest = _described(read(folder))
    shards = read_shards(folder, manifest)
    groups = grouping(shards.table, manifest.metadata)
    with ThreadPoolExecutor(1) as beside:  # the map keeps one core busy, outside of Python
        writing = beside.submit(_write_keyword, folder, shards.table, terms)
        places = _places(shards.table, shards.vectors, previous or folder, seed=seed)
        corpus_map.write_map(folder, shards.table, places)
        empty(folder / PICTURES)
        save_pictures({"map.png": lambda axes: draw_map(axes, places, groups)}, folder / PICTURES)
        index = SearchIndex(PassageRows(shards.table), shards.vectors, encoder, places=places)
        asked = questions(index, seed=seed)
        index.keyword = writing.result()
    write(folder, manifest)
    outcome = Outcome(
        manifest=manifest,
        repo=repo,
        checked=check(index, asked),
        groups=groups.column if groups else None,
        columns=tuple(shards.table.column_names),
        credits=source_credits(manifest, hub=hub),
        bytes=sum((folder / shard.path).stat().st_size for shard in manifest.shards),
        keyword_bytes=sum(p.stat().st_size for p in (folder / KEYWORD).iterdir()),
    )
    write_json(folder / "evaluation.json", outcome.evaluation_figures())
    (folder / "README.md").write_text(card(outcome), "utf-8")
    return outcome


def source_credits(manifest: Manifest, *, hub: Hub | None) -> Credits:
    """Licence and languages as the card of the source data set states them."""
    from hub_utils.cards import front_matter
    from hub_utils.pull import pull

    source = manifest.source
    if hub is None or source.revision is None:
        return Credits()
    try:
        repo = hub.repo(source.name, "dataset")
        pulled = pull(repo, hub=hub, revision=source.revision, allow=["README.md"])
        text = (pulled.folder / "README.md").read_text("utf-8")
    except (LabError, OSError):
        return Credits()
    return Credits.of(front_matter(text))


def _described(manifest: Manifest) -> Manifest:
    """The manifest that names what was added."""
    return replace(manifest, keyword={"path": KEYWORD}, map={"path": corpus_map.FILE})


def _places(table: pa.Table, vectors: np.ndarray, previous: Path, *, seed: int) -> np.ndarray:
    known = corpus_map.read_map(previous, table["text_hash"], column="text_hash")
    return corpus_map.project(vectors, seed=seed, known=known)


def _write_keyword(folder: Path, table: pa.Table, terms: TermCounts | None) -> KeywordIndex:
    if terms is None:
        keyword = KeywordIndex.build(texts_of(table))
    else:
        keyword = KeywordIndex.of(terms.of(table), terms.vocabulary, stemming=terms.stemming)
    empty(folder / KEYWORD)
    keyword.save(folder / KEYWORD)
    return keyword
