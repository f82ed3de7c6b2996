"""Time, recall and memory of every vector store; the time of a whole query, alone and in a crowd.

Run: python -m benchmarks.index_search [REPO] [--million-slow]     (default: newsgroups-index)

Synthetic vectors lie in topics of uneven size, each with directions of its own and some noise in
all directions. Queries are new draws from the same, and passages' own sentences for a published
index: none is a stored vector. Recall@10 is against exact search, at each store's defaults. Every
store is measured in a process of its own; memory is all that this process has resident after it
answered, Python, libraries and mapped pages included. At a million, graphs take long to build:
--million-slow measures them too. A whole query is text in to hits out: hybrid, folded and
highlighted, over 40,000 passages of 20 Newsgroups.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from hub_utils.connection import Hub
    from training.index.search import SearchIndex

MIDDLING, LARGE, DIMENSION = 40_000, 1_000_000, 384
TOPICS, DIRECTIONS = 2_000, 24
QUERIES = 300
USERS, EACH = 16, 12  # at once; queries of each
BLOCK = 50_000
STORES = ("exact", "chroma", "faiss-flat", "faiss-hnsw", "faiss-ivfpq")
QUICK_WHEN_LARGE = ("faiss-flat", "faiss-ivfpq")
ONE_STORE = "--one-store"


@dataclass(frozen=True)
class Sample:
    """A folder of vectors.f16 (n, d), queries.npy (q, d) and their rows exact.npy (q, 10)."""

    folder: Path
    count: int
    width: int = DIMENSION

    @property
    def vectors(self) -> np.ndarray:
        """(n, d) float16, mapped."""
        path = self.folder / "vectors.f16"
        return np.memmap(path, np.float16, "r", shape=(self.count, self.width))


def main(arguments: list[str]) -> int:
    """Measure and print the table and the figures."""
    if arguments[:1] == [ONE_STORE]:
        print(json.dumps(one_store(Path(arguments[1]), arguments[2], int(arguments[3]))))
        return 0
    slow = "--million-slow" in arguments
    names = [argument for argument in arguments if not argument.startswith("--")]
    with TemporaryDirectory() as folder:
        figures = {"stores": stores(Path(folder), repo=names[0] if names else None, slow=slow)}
    figures["query"] = whole_query()
    print(table(figures))
    print(json.dumps(figures))
    return 0


def stores(folder: Path, *, repo: str | None, slow: bool) -> list[dict[str, Any]]:
    """A row of figures for each store and sample."""
    samples = {
        "published": published(folder / "published", repo),
        "synthetic": synthetic(folder / "middling", MIDDLING),
        "synthetic, large": synthetic(folder / "large", LARGE),
    }
    rows = []
    for kind, sample in samples.items():
        for name in STORES if sample else ():
            if sample.count < LARGE or slow or name in QUICK_WHEN_LARGE:
                rows.append({"vectors": kind, **in_own_process(sample, name)})
                print(rows[-1], file=sys.stderr, flush=True)
    return rows


def in_own_process(sample: Sample, name: str) -> dict[str, Any]:
    """Build in one process, measure in another: what building needed is not counted."""
    command = [sys.executable, "-m", "benchmarks.index_search", ONE_STORE]
    command += [str(sample.folder), name, str(sample.count)]
    built, measured = (
        json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
        for _ in range(2)
    )
    return {**measured, "build_seconds": built["open_seconds"]}


def one_store(folder: Path, name: str, count: int) -> dict[str, Any]:
    """Open a store (the first time: build it), ask every query alone; recall, times, memory."""
    import psutil

    from training.index.cache import Cache
    from training.index.stores.choice import open_store

    queries, exact = np.load(folder / "queries.npy"), np.load(folder / "exact.npy")
    sample = Sample(folder, count, queries.shape[1])
    cache = Cache(folder / "cache", repo="benchmark", stamp="sample")
    open_seconds, store = timed(lambda: open_store(cache, name, sample.vectors))
    store.search(queries[:1], 10)
    answers = [timed(lambda query=query: store.search(query[None], 10)[0][0]) for query in queries]
    right = sum(
        len(set(a.tolist()) & set(b.tolist())) for (_, a), b in zip(answers, exact, strict=True)
    )
    return {
        "store": name,
        "count": count,
        "recall_at_10": round(right / exact.size, 4),
        **milliseconds([seconds for seconds, _ in answers]),
        "resident_mb": round(psutil.Process().memory_info().rss / 1e6),
        "disk_mb": round(sum(f.stat().st_size for f in cache.folder.glob(f"{name}/**/*")) / 1e6),
        "open_seconds": round(open_seconds, 2),
    }


def synthetic(folder: Path, count: int, *, seed: int = 0) -> Sample:
    """Clustered vectors, written block by block."""
    draw = clusters(seed)
    sample = Sample(folder, count)
    folder.mkdir(parents=True)
    with (folder / "vectors.f16").open("wb") as file:
        for start in range(0, count, BLOCK):
            file.write(draw(min(BLOCK, count - start)).astype(np.float16).tobytes())
    return asked(sample, draw(QUERIES))


def clusters(seed: int) -> Callable[[int], np.ndarray]:
    """A source of (m, DIMENSION) vectors of length one, in topics."""
    rng = np.random.default_rng(seed)
    centres = normalised(rng.standard_normal((TOPICS, DIMENSION), np.float32))
    own = rng.standard_normal((TOPICS, DIRECTIONS, DIMENSION), np.float32)
    own *= np.float32(0.8 / np.sqrt(DIRECTIONS * DIMENSION))
    sizes = 1 / np.sqrt(np.arange(1, TOPICS + 1))

    def draw(count: int) -> np.ndarray:
        topics = rng.choice(TOPICS, count, p=sizes / sizes.sum())
        noise = rng.standard_normal((count, DIMENSION), np.float32)
        found = centres[topics] + np.float32(0.4 / np.sqrt(DIMENSION)) * noise
        order = np.argsort(topics, kind="stable")
        edges = np.searchsorted(topics[order], np.arange(TOPICS + 1))
        for topic, (start, end) in enumerate(pairwise(edges)):
            weights = rng.standard_normal((end - start, DIRECTIONS), np.float32)
            found[order[start:end]] += weights @ own[topic]
        return normalised(found)

    return draw


def published(folder: Path, repo: str | None) -> Sample | None:
    """The vectors of an index on the Hub; its passages' last sentences are the queries."""
    from hub_utils.errors import LabError
    from training.index.config import DEFAULT_REPO
    from training.index.inference import load

    try:
        index = load(repo or DEFAULT_REPO, store="exact")
    except LabError as error:
        print(f"published vectors are left out: {error.line()}", file=sys.stderr)
        return None
    folder.mkdir(parents=True)
    vectors = np.asarray(index.vectors)
    (folder / "vectors.f16").write_bytes(vectors.tobytes())
    rows = np.random.default_rng(0).choice(len(index), min(QUERIES, len(index)), replace=False)
    texts = [index.passages.cell(int(row), "text")[-80:] for row in rows]
    queries = np.stack([index.encoder.encode_query(text) for text in texts])
    return asked(Sample(folder, *vectors.shape), queries)


def asked(sample: Sample, queries: np.ndarray) -> Sample:
    """Write the queries and their ten nearest beside the vectors."""
    from training.index.stores.exact import ExactStore

    exact, _ = ExactStore(sample.vectors, whole=0).search(queries, 10)
    np.save(sample.folder / "queries.npy", queries)
    np.save(sample.folder / "exact.npy", exact)
    return sample


def whole_query() -> dict[str, Any]:
    """Milliseconds of hybrid queries over MIDDLING passages: one by one, then USERS at once."""
    from hub_utils.connection import connect
    from hub_utils.settings import Settings

    index, texts = crowd_index(connect(Settings.from_env()))
    for text in texts[:10]:
        index.search(text)
    alone = [timed(lambda text=text: index.search(text))[0] for text in texts[:QUERIES]]

    def user(number: int) -> list[float]:
        mine = texts[number::USERS][:EACH]
        return [timed(lambda text=text: index.search(text))[0] for text in mine]

    with ThreadPoolExecutor(USERS) as pool:
        crowd = [seconds for part in pool.map(user, range(USERS)) for seconds in part]
    return {"passages": len(index), "alone": milliseconds(alone), "crowd": milliseconds(crowd)}


def crowd_index(hub: Hub) -> tuple[SearchIndex, list[str]]:
    """An index over pieces of posts with synthetic vectors, and queries cut from the posts."""
    import pyarrow as pa

    from hub_utils.pull import pull
    from training.index.config import DEFAULT_DATA, DEFAULT_ENCODER
    from training.index.documents import read_documents
    from training.index.encoder import load_encoder
    from training.index.keyword import KeywordIndex
    from training.index.rows import PassageRows
    from training.index.search import SearchIndex

    pulled = pull(hub.repo(DEFAULT_ENCODER), hub=hub)
    posts = [document.text for document in read_documents(DEFAULT_DATA, hub=hub)]
    pieces = [post[start : start + 800] for post in posts for start in range(0, len(post), 800)]
    pieces = pieces[:MIDDLING]
    ids = [str(row) for row in range(len(pieces))]
    cells = {"id": ids, "document": ids, "title": ids, "text": pieces, "text_hash": ids}
    words = [post.split() for post in posts[:: max(1, len(posts) // (USERS * EACH + QUERIES))]]
    index = SearchIndex(
        PassageRows(pa.table(cells)),
        clusters(0)(len(pieces)).astype(np.float16),
        load_encoder(pulled.folder, repo=DEFAULT_ENCODER, revision=pulled.revision),
        keyword=KeywordIndex.build(pieces),
    )
    return index, [" ".join(post[len(post) // 2 :][:8]) for post in words if len(post) > 20]


def milliseconds(seconds: list[float]) -> dict[str, float]:
    """The median and what 95 % stay below."""
    p50, p95 = np.percentile(seconds, [50, 95])
    return {"p50_ms": round(1000 * float(p50), 2), "p95_ms": round(1000 * float(p95), 2)}


def normalised(vectors: np.ndarray) -> np.ndarray:
    """Rows of length one."""
    scaled: np.ndarray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return scaled


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """(seconds, result)."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


COLUMNS = {
    "vectors": lambda row: f"{row['count']:,} {row['vectors'].split(',')[0]}",
    "store": lambda row: row["store"],
    "recall@10": lambda row: f"{row['recall_at_10']:.4f}",
    "p50 ms": lambda row: f"{row['p50_ms']:.2f}",
    "p95 ms": lambda row: f"{row['p95_ms']:.2f}",
    "resident MB": lambda row: f"{row['resident_mb']:,}",
    "disk MB": lambda row: f"{row['disk_mb']:,}",
    "build s": lambda row: f"{row['build_seconds']:.1f}",
    "open s": lambda row: f"{row['open_seconds']:.2f}",
}


def table(figures: dict[str, Any]) -> str:
    """The figures as Markdown."""
    query, alone, crowd = (figures["query"], *(figures["query"][k] for k in ("alone", "crowd")))
    rows = [[cell(row) for cell in COLUMNS.values()] for row in figures["stores"]]
    lines = [f"| {' | '.join(cells)} |" for cells in (COLUMNS, ["---"] * len(COLUMNS), *rows)]
    return "\n".join(
        [
            *lines,
            "",
            f"A whole query over {query['passages']:,} passages: p50 {alone['p50_ms']} ms, p95 "
            f"{alone['p95_ms']} ms; {USERS} users at once: p50 {crowd['p50_ms']} ms, p95 "
            f"{crowd['p95_ms']} ms.",
        ]
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
