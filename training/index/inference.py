"""Search a published index.

index = load("lab/newsgroups-index")
results = index.search("how do I launch a satellite", k=5)       # hybrid
results.hits[0].text, results.hits[0].score, results.hits[0].highlights
index.search("shuttle", mode="dense", filters={"label": "sci.space"})
index.more_like(results.hits[0].id, k=5); index.context(results.hits[0].id).before
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from hub_utils.connection import Hub, connect
from hub_utils.errors import LabError
from hub_utils.pull import Pulled, pull
from hub_utils.settings import Settings
from training.index.hits import Context, Hit, Results
from training.index.rows import PassageRows
from training.index.search import MODES, About, SearchIndex
from training.index.stores.base import Vectors, VectorStore
from training.index.stores.exact import ExactStore

if TYPE_CHECKING:
    import pyarrow as pa

    from training.index.documents import Document
    from training.index.encoder import Encoder
    from training.index.manifest import Manifest
    from training.index.passages import Passage

__all__ = (
    "MODES", "Context", "Hit", "Results", "SearchIndex", "index_texts", "load", "load_pulled",
)  # fmt: skip


def load(
    repo_or_folder: str | Path, revision: str | None = None, *, store: str | None = None
) -> SearchIndex:
    """Open an index from the Hub or from a folder.

    store: the back end, "exact", "chroma", …; None: the setting LAB_SEARCH_STORE.
    Raises RepoNotFoundError, RevisionNotFoundError, LabError: not an index, a damaged shard, an
    encoder that is not the one it was built with.
    """
    hub = connect(Settings.from_env())
    folder = Path(repo_or_folder)
    if folder.is_dir():
        return _open(folder, hub=hub, store=store, repo=folder.name)
    repo = hub.repo(str(repo_or_folder), "dataset")
    return load_pulled(pull(repo, hub=hub, revision=revision), store=store)


def load_pulled(pulled: Pulled, *, store: str | None = None) -> SearchIndex:
    """Open a snapshot that `hub_utils.pull` fetched."""
    hub = connect(Settings.from_env())
    return _open(
        pulled.folder,
        hub=hub,
        store=store,
        repo=str(pulled.repo),
        revision=pulled.revision,
        away=pulled.away,
    )


def index_texts(
    documents: Iterable[Document], encoder: Encoder, *, mapped: bool = True
) -> SearchIndex:
    """An index in memory: for a small collection of the reader's own.

    mapped: give every passage its place on a map, which takes seconds for thousands.
    Raises LabError if there is no text in it.
    """
    from training.index.keyword import KeywordIndex
    from training.index.map import project
    from training.index.passages import cut

    read = [
        (
            document,
            cut(document, encoder.tokenizer, max_tokens=encoder.max_tokens, overlap_tokens=32),
        )
        for document in documents
    ]
    passages = [passage for _, found in read for passage in found]
    if not passages:
        raise LabError("There is no text in it.", hint="Give a file with a few sentences.")
    vectors = encoder.encode([passage.embedded for passage in passages])
    return SearchIndex(
        PassageRows(_table(read)),
        vectors,
        encoder,
        keyword=KeywordIndex.build(passage.embedded for passage in passages),
        places=project(vectors) if mapped else None,
    )


def _table(read: list[tuple[Document, list[Passage]]]) -> pa.Table:
    """The passages with their documents' metadata, in the columns of a shard."""
    import pyarrow as pa

    rows = [
        {
            **document.metadata,
            "id": passage.id,
            "document": passage.document,
            "title": passage.title,
            "text": passage.text,
            "number": passage.number,
            "start": passage.start,
            "end": passage.end,
            "text_hash": sha256(passage.text.encode("utf-8")).hexdigest(),
        }
        for document, passages in read
        for passage in passages
    ]
    names = dict.fromkeys(name for row in rows for name in row)
    return pa.Table.from_pylist([{name: row.get(name) for name in names} for row in rows])


def _open(
    folder: Path,
    *,
    hub: Hub,
    store: str | None,
    repo: str,
    revision: str | None = None,
    away: bool = False,
) -> SearchIndex:
    from training.index.keyword import KeywordIndex
    from training.index.manifest import read
    from training.index.map import read_map
    from training.index.shards import read_shards

    manifest = read(folder)
    encoder = encoder_of(manifest, hub=hub)
    passages = read_shards(folder, manifest)
    keyword = manifest.keyword
    return SearchIndex(
        PassageRows(passages.table),
        passages.vectors,
        encoder,
        store=open_store(store or "exact", passages.vectors),
        keyword=KeywordIndex.load(folder / keyword["path"]) if keyword else None,
        places=read_map(folder, passages.table["id"]),
        about=About(repo, revision, away, manifest),
    )


def open_store(name: str, vectors: Vectors) -> VectorStore:
    """A back end by name. Raises LabError."""
    if name != "exact":
        raise LabError(f"There is no vector store {name!r}.", hint="Use exact.")
    return ExactStore(vectors)


def encoder_of(manifest: Manifest, *, hub: Hub) -> Encoder:
    """The encoder that an index was made with, at its revision. Raises LabError."""
    from training.index.encoder import load_encoder
    from training.index.manifest import require_encoder

    facts = manifest.encoder
    pulled = pull(hub.repo(facts.repo), hub=hub, revision=facts.revision)
    encoder = load_encoder(pulled.folder, repo=facts.repo, revision=pulled.revision)
    require_encoder(manifest, encoder)
    return encoder
