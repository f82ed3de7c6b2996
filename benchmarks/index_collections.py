"""Collections to measure search on: documents, queries, and which documents answer which query.

BEIR's cannot be downloaded where this was written, so these are made of what installed packages
carry. COLLECTIONS says of each what is asked, what counts as right, and what that can show. How
rankings are fused was chosen on TUNED_ON and on nothing else.
"""

from __future__ import annotations

import importlib
import inspect
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np

from hub_utils.local_hub.seed_text import build_fairy_tales, build_newsgroups, build_reuters_r52
from training.index.documents import Document

LIBRARY = (
    *("numpy", "numpy.linalg", "numpy.fft", "numpy.random", "scipy.stats", "scipy.signal"),
    *("scipy.optimize", "scipy.linalg", "scipy.special", "scipy.ndimage", "scipy.sparse"),
    *("scipy.spatial", "scipy.interpolate", "scipy.integrate", "scipy.cluster.hierarchy"),
    *("sklearn.linear_model", "sklearn.metrics", "sklearn.cluster", "sklearn.decomposition"),
    *("sklearn.ensemble", "sklearn.preprocessing", "sklearn.datasets", "sklearn.manifold"),
    *("sklearn.model_selection", "sklearn.feature_extraction.text", "sklearn.neighbors"),
)
TORCH = (
    *("torch", "torch.nn", "torch.nn.functional", "torch.optim", "torch.linalg", "torch.fft"),
    *("torch.special", "torch.distributions"),
)
QUERIES = 400  # of a collection, at most
DOCUMENTS = 1200  # of functions
POSTS = 3000  # of the weak collections
LEE = "gensim/test/test_data"


@dataclass(frozen=True)
class Collection:
    """What search is measured on. qrels: query → document → gain."""

    documents: list[Document]
    queries: dict[str, str]
    qrels: dict[str, dict[str, int]]
    own: bool = False  # a query is one of the documents, and not its own answer


@dataclass(frozen=True)
class Kind:
    """A collection before it is made."""

    texts: str
    task: str  # query → right answer
    shows: str
    make: Callable[[], Collection | None]  # None: a package that carries it is not installed


def documentation(modules: Iterable[str]) -> Collection:
    """Summary lines of functions and classes, and what their documentation says besides."""
    found: dict[str, tuple[str, str]] = {}  # summary → name, the rest
    for module in modules:
        loaded = importlib.import_module(module)
        for name in sorted(dir(loaded)):
            summary, rest = _documentation(getattr(loaded, name, None), name)
            if 20 <= len(summary) <= 200 and len(rest) >= 150:
                found.setdefault(summary, (f"{module}.{name}", rest))
    kept = _some([(summary, *rest) for summary, rest in found.items()], DOCUMENTS)
    asked = _some(kept, QUERIES)
    return Collection(
        documents=[Document(name, "", rest, {}) for _, name, rest in kept],
        queries={name: summary for summary, name, _ in asked},
        qrels={name: {name: 1} for _, name, _ in asked},
    )


def tales() -> Collection:
    """Summaries of Grimm's tales, and all tales."""
    rows = [row for split in _splits(build_fairy_tales()) for row in split]
    documents = [Document(f"{r['author']}: {r['title']}", "", r["text"], {}) for r in rows]
    queries = {f"{r['author']}: {r['title']}": r["abstract"] for r in rows if r["abstract"]}
    return Collection(documents, queries, {name: {name: 1} for name in queries})


def lee() -> Collection | None:
    """News stories with the likeness that people saw; None where gensim is not installed."""
    try:
        folder = Path(str(distribution("gensim").locate_file(LEE)))
    except PackageNotFoundError:
        return None
    stories = (folder / "lee.cor").read_text("latin-1").splitlines()
    likeness = np.loadtxt(folder / "similarities0-1.txt")
    likeness = np.maximum(likeness, likeness.T)  # one half is given; from 0.2 to 1 in fifths
    names = [str(number) for number in range(len(stories))]
    qrels = {
        name: {
            other: round(5 * float(likeness[row, column])) - 1
            for column, other in enumerate(names)
            if other != name
        }
        for row, name in enumerate(names)
    }
    documents = [Document(name, "", text, {}) for name, text in zip(names, stories, strict=True)]
    return Collection(documents, dict(zip(names, stories, strict=True)), qrels, own=True)


def newsgroups() -> Collection:
    """Twenty words from the middle of training posts; test posts of the same newsgroup."""
    train, test = _splits(build_newsgroups())
    return _labelled(train, test, lambda words: words[len(words) // 2 :][:20])


def reuters() -> Collection:
    """The first words of training stories; test stories of the same topic."""
    train, test = _splits(build_reuters_r52())
    return _labelled(train, test, lambda words: words[:8])


COLLECTIONS: dict[str, Kind] = {
    "library": Kind(
        "documentation of NumPy, SciPy and scikit-learn",
        "a function's summary line → the rest of its documentation",
        "words chosen by the author to stand for the text; fusion was chosen on this one",
        lambda: documentation(LIBRARY),
    ),
    "torch": Kind(
        "documentation of PyTorch",
        "a function's summary line → the rest of its documentation",
        "text of the same kind that was not seen when fusion was chosen",
        lambda: documentation(TORCH),
    ),
    "tales": Kind(
        "fairy tales by Grimm and Andersen",
        "a reader's summary of a plot → the tale",
        "questions in other words than the text's, long documents; few queries",
        tales,
    ),
    "lee": Kind(
        "news stories (Lee, Pincombe and Welsh 2005)",
        "a story → the others, by how alike people found them",
        "judgements of people, in grades; few and short documents, long queries",
        lee,
    ),
    "newsgroups": Kind(
        "posts of 20 Newsgroups",
        "20 words of a post → posts of the same newsgroup",
        "weak: a label names a topic and answers nobody's question",
        newsgroups,
    ),
    "reuters": Kind(
        "stories of Reuters R52",
        "the first 8 words of a story → stories of the same topic",
        "weak, likewise",
        reuters,
    ),
}
TUNED_ON = "library"


def _documentation(thing: object, name: str) -> tuple[str, str]:
    """(summary, the rest) of something that can be called; a signature on top is no summary."""
    if name.startswith("_") or not callable(thing):
        return "", ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is deprecated is still documented
        text = inspect.getdoc(thing) or ""
    summary, _, rest = text.partition("\n\n")
    if summary.partition("(")[0].strip().isidentifier() and "(" in summary:
        summary, _, rest = rest.partition("\n\n")
    return " ".join(summary.split()), rest


def _labelled(
    train: list[dict[str, str]], test: list[dict[str, str]], query: Callable[[list[str]], list[str]]
) -> Collection:
    rows = [test[number] for number in _some(list(range(len(test))), POSTS)]
    documents = [Document(str(number), "", row["text"], {}) for number, row in enumerate(rows)]
    chosen = [train[number] for number in _some(list(range(len(train))), QUERIES)]
    queries = {f"q{n}": " ".join(query(row["text"].split())) for n, row in enumerate(chosen)}
    qrels = {
        f"q{n}": {str(m): 1 for m, row in enumerate(rows) if row["label"] == asked["label"]}
        for n, asked in enumerate(chosen)
    }
    return Collection(documents, {name: q for name, q in queries.items() if q}, qrels)


def _some(items: list, count: int) -> list:
    """`count` of them at random, the same every time, in their order."""
    if len(items) <= count:
        return items
    rows = np.random.default_rng(0).choice(len(items), count, replace=False)
    return [items[row] for row in sorted(rows.tolist())]


def _splits(files: dict[str, bytes]) -> list[list[dict[str, str]]]:
    """The rows of a seed's splits, train first."""
    import io

    import pyarrow.parquet as pq

    paths = sorted((path for path in files if path.endswith(".parquet")), key=_train_first)
    return [pq.read_table(io.BytesIO(files[path])).to_pylist() for path in paths]


def _train_first(path: str) -> tuple[bool, str]:
    return "train" not in path, path
