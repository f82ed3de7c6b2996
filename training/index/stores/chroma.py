"""Chroma: embedded in a folder of the cache, or a server that several processes share.

Only rows and vectors go there; texts and filters stay with the index. Chroma searches an HNSW
graph of float32 vectors. Its telemetry is off. A server that asks for a login takes it from
Chroma's own variables, CHROMA_CLIENT_AUTH_PROVIDER and CHROMA_CLIENT_AUTH_CREDENTIALS.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from weakref import finalize

import numpy as np

from hub_utils.errors import LabError
from training.index.stores.approximate import ApproximateStore
from training.index.stores.base import NOTHING, Floats, Rows, Vectors

COLLECTION = "passages"  # in a folder; on a server "lab-" and the index's stamp
DATABASE = "chroma.sqlite3"
BATCH = 5_000  # vectors sent at a time
PROBES = 8  # vectors that must find themselves before a stored graph is used
GRAPH = {
    "space": "ip",  # vectors have length one: 1 minus the product is the cosine's distance
    "ef_construction": 128,
    "max_neighbors": 24,
    "ef_search": 400,
    "sync_threshold": 20_000,
}


class ChromaStore(ApproximateStore):
    """A Chroma collection whose ids are rows of (n, d) `vectors`."""

    name = "chroma"

    def __init__(self, client: Any, collection: Any, vectors: Vectors) -> None:
        super().__init__(vectors)
        self._collection = collection
        # Also when nobody closes it: Chroma keeps every open folder by itself.
        self._closed = finalize(self, client.close)

    def _candidates(self, queries: Floats, count: int) -> Rows:
        rows = np.full((len(queries), count), NOTHING, np.int64)
        if not count:
            return rows
        answer = self._collection.query(query_embeddings=queries, n_results=count, include=[])
        for query, ids in enumerate(answer["ids"]):
            rows[query, : len(ids)] = [int(id) for id in ids]
        return rows

    def close(self) -> None:
        """Let go of the database."""
        self._closed()


def fill(vectors: Vectors, folder: Path) -> None:
    """Build a collection of `vectors` into `folder`."""
    client = _embedded(folder)
    try:
        collection = _created(client, COLLECTION)
        _add(collection, vectors)
        collection.modify(configuration={"hnsw": {"sync_threshold": 2}})
    finally:
        client.close()
    _write_graph(vectors, folder)


def _write_graph(vectors: Vectors, folder: Path) -> None:
    """Have Chroma write its whole graph to the files.

    It does so after sync_threshold changes; what is left over is put into the graph again at every
    opening, which also changes the files.
    """
    client = _embedded(folder)
    try:
        collection = client.get_collection(COLLECTION, embedding_function=None)
        _add(collection, vectors[:4])
        collection.query(query_embeddings=np.asarray(vectors[:1], np.float32), n_results=1)
    finally:
        client.close()


def open_chroma(vectors: Vectors, folder: Path) -> ChromaStore:
    """Open what `fill` wrote. Raises ValueError if it is damaged or does not fit the vectors."""
    from chromadb.errors import ChromaError

    _check_database(folder / DATABASE)
    client = _embedded(folder)
    try:
        store = ChromaStore(
            client, client.get_collection(COLLECTION, embedding_function=None), vectors
        )
        _check(store)
    except (ChromaError, ValueError) as error:
        client.close()
        raise ValueError(f"Chroma cannot use its folder: {error}") from error
    return store


def connect_chroma(url: str, vectors: Vectors, *, stamp: str, repo: str) -> ChromaStore:
    """The collection of an index on a Chroma server, filled if it is not there or not whole.

    Raises LabError if the server does not answer.
    """
    import httpx
    from chromadb.errors import ChromaError

    name = f"lab-{stamp}"
    try:
        client = _server(url)
        collection = _created(client, name, repo=repo)
        if (collection.metadata or {}).get("complete") != len(vectors):
            _add(collection, vectors)
            collection.modify(metadata={"repo": repo, "complete": len(vectors)})
        store = ChromaStore(client, collection, vectors)
        _check(store)
    except (ChromaError, httpx.HTTPError, ValueError, OSError) as error:
        raise LabError(
            f"The Chroma server at CHROMA_URL={url} cannot be used ({_first_line(error)}).",
            hint="Start it (chroma run --path FOLDER), correct CHROMA_URL, or unset it.",
        ) from error
    return store


def _embedded(folder: Path) -> Any:
    import chromadb

    return chromadb.PersistentClient(str(folder), settings=_quiet())


def _server(url: str) -> Any:
    import chromadb

    parts = urlsplit(url)
    secure = parts.scheme == "https"
    return chromadb.HttpClient(
        host=parts.hostname or "localhost",
        port=parts.port or (443 if secure else 8000),
        ssl=secure,
        settings=_quiet(),
    )


def _quiet() -> Any:
    from chromadb.config import Settings

    return Settings(anonymized_telemetry=False)


def _created(client: Any, name: str, **metadata: str) -> Any:
    return client.get_or_create_collection(
        name,
        metadata=metadata or None,
        configuration={"hnsw": GRAPH},
        embedding_function=None,
    )


def _add(collection: Any, vectors: Vectors) -> None:
    """Send all vectors; again for those that are there, so that a second builder does no harm."""
    for start in range(0, len(vectors), BATCH):
        block = np.ascontiguousarray(vectors[start : start + BATCH], np.float32)
        ids = [str(row) for row in range(start, start + len(block))]
        collection.upsert(ids=ids, embeddings=block)


def _check_database(path: Path) -> None:
    """Raises ValueError if SQLite finds its file damaged."""
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
            found = database.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as error:
        raise ValueError(f"{path.name}: {error}") from error
    finally:
        if "database" in locals():
            database.close()
    if found != ("ok",):
        raise ValueError(f"{path.name}: {found[0]}")


def _check(store: ChromaStore) -> None:
    """Raises ValueError unless all vectors are there and some of them find themselves."""
    vectors = store._vectors
    count = store._collection.count()
    if count != len(vectors):
        raise ValueError(f"it holds {count} vectors, not {len(vectors)}")
    rows = np.unique(np.linspace(0, max(0, count - 1), PROBES, dtype=np.int64))[:count]
    if not count:
        return
    chosen = np.asarray(vectors[rows], np.float32)
    _, scores = store.search(chosen, 1)
    own = (chosen * chosen).sum(axis=1)
    if not np.allclose(scores[:, 0], own, atol=1e-3):
        raise ValueError("its vectors do not find themselves")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
