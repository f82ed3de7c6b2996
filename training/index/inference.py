"""Search a published index.

index = load("lab/newsgroups-index")
results = index.search("how do I launch a satellite", k=5)       # hybrid
results.hits[0].text, results.hits[0].score, results.hits[0].highlights
index.search("shuttle", mode="dense", filters={"label": "sci.space"})
index.more_like(results.hits[0].id, k=5); index.context(results.hits[0].id).before
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hub_utils.connection import Hub, connect
from hub_utils.errors import DataError, LabError
from hub_utils.origin import Origin
from hub_utils.pull import Pulled, pull
from hub_utils.settings import Settings
from training.index.hits import Context, Hit, Results
from training.index.rows import PassageRows
from training.index.search import MODES, About, SearchIndex

if TYPE_CHECKING:
    import pyarrow as pa

    from training.index.cache import Cache
    from training.index.documents import Document
    from training.index.encoder import TextEncoder
    from training.index.manifest import Manifest
    from training.index.passages import Passage
    from training.index.shards import Passages

log = logging.getLogger(__name__)
__all__ = (
    "MODES", "Context", "Hit", "Results", "SearchIndex", "index_texts", "load", "load_pulled",
)  # fmt: skip


def load(
    repo_or_folder: str | Path, revision: str | None = None, *, store: str | None = None
) -> SearchIndex:
    """Open an index from the Hub or from a folder.

    store: the back end, "exact", "chroma", …, ready when this returns. None: that of the setting
    LAB_SEARCH_STORE; while it is built, which happens once a revision, search is exact.
    Raises RepoNotFoundError, RevisionNotFoundError, LabError: not an index, a damaged shard, an
    encoder that is not the one it was built with.
    """
    settings = Settings.from_env()
    hub = connect(settings)
    folder = Path(repo_or_folder)
    if folder.is_dir():
        origin = Origin(folder, folder.name, None)
    else:
        repo = hub.repo(str(repo_or_folder), "dataset")
        origin = Origin.of(pull(repo, hub=hub, revision=revision))
    return _open(origin, hub=hub, settings=settings, store=store)


def load_pulled(
    pulled: Pulled, *, store: str | None = None, device: str | None = None
) -> SearchIndex:
    """Open a snapshot that `hub_utils.pull` fetched. device: of its encoder; None: a GPU if any."""
    settings = Settings.from_env()
    hub = connect(settings)
    return _open(Origin.of(pulled), hub=hub, settings=settings, store=store, device=device)


def index_texts(
    documents: Iterable[Document], encoder: TextEncoder, *, mapped: bool = True
) -> SearchIndex:
    """An index in memory: for a small collection of the reader's own.

    mapped: give every passage its place on a map, which takes seconds for thousands.
    Raises LabError if there is no text in it.
    """
    from training.index.keyword import KeywordIndex
    from training.index.map import project
    from training.index.passages import cut

    whole = list(documents)
    size = {"max_tokens": encoder.max_tokens, "overlap_tokens": 32}
    read = list(zip(whole, cut(whole, encoder.tokenizer, **size), strict=True))
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

    from training.index.shards import text_hash

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
            "text_hash": text_hash(passage.embedded),
        }
        for document, passages in read
        for passage in passages
    ]
    names = dict.fromkeys(name for row in rows for name in row)
    return pa.Table.from_pylist([{name: row.get(name) for name in names} for row in rows])


def _open(
    origin: Origin,
    *,
    hub: Hub,
    settings: Settings,
    store: str | None,
    device: str | None = None,
) -> SearchIndex:
    from training.index.keyword import KeywordIndex
    from training.index.manifest import read
    from training.index.map import read_map
    from training.index.stores.choice import chosen, open_store

    folder, manifest = origin.folder, read(origin.folder)
    name = chosen(store or settings.search_store, manifest.counts.passages)
    encoder = encoder_of(manifest, hub=hub, device=device)
    passages, cache = _passages(origin, manifest, hub=hub)
    better = None
    if cache is not None and name != "exact":
        url = settings.chroma_url
        better = partial(open_store, cache, name, passages.vectors, chroma_url=url)
    keyword = manifest.keyword
    index = SearchIndex(
        PassageRows(passages.table),
        passages.vectors,
        encoder,
        store=better() if better and store else None,
        keyword=KeywordIndex.load(folder / keyword["path"]) if keyword else None,
        places=read_map(folder, passages.table["id"]),
        about=About(origin.repo, origin.revision, origin.away, manifest),
    )
    if cache is not None:
        index.hold(cache.close)
    if better is not None and not store:
        index.improve(better)
    return index


def _passages(origin: Origin, manifest: Manifest, *, hub: Hub) -> tuple[Passages, Cache | None]:
    """The passages mapped from the cache; read into memory where there can be no cache."""
    from training.index.cache import Cache, stamp_of
    from training.index.manifest import FILE
    from training.index.mapped import open_passages
    from training.index.shards import read_shards

    try:
        stamp = stamp_of(origin.revision, (origin.folder / FILE).read_bytes())
        cache = Cache(_cache_root(hub), repo=origin.repo, stamp=stamp)
        return open_passages(cache, origin.folder, manifest), cache
    except DataError:
        raise
    except (LabError, OSError) as error:
        log.warning("%s is opened without a cache: %s", origin.repo, error)
        return read_shards(origin.folder, manifest), None


def _cache_root(hub: Hub) -> Path:
    """Beside the downloaded revisions."""
    from huggingface_hub import constants

    return Path(hub.cache or constants.HF_HUB_CACHE).parent / "search"


def encoder_of(manifest: Manifest, *, hub: Hub, device: str | None = None) -> TextEncoder:
    """The encoder that an index was made with, at its revision. Raises LabError."""
    from training.index.encoder import load_encoder
    from training.index.manifest import require_encoder

    facts = manifest.encoder
    pulled = pull(hub.repo(facts.repo), hub=hub, revision=facts.revision, exports=False)
    encoder = load_encoder(pulled.folder, repo=facts.repo, revision=pulled.revision, device=device)
    require_encoder(manifest, encoder)
    return encoder
