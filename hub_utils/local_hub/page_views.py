"""What the pages show, gathered from the store: plain values for the templates, no HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from .card_facts import parse_card
from .errors import EntryNotFound, HubError
from .paths import repo_key
from .preview import Rows, Tensors, first_rows, tensors_of
from .records import Entry, Ref, RepoKey, RepoRecord, RepoType
from .render import MAX_CARD, card_html
from .snippets import snippet_for
from .splits import find_splits
from .store import Store

MAX_LINES = 3000
MAX_BLOB = 200_000  # bytes of a text file that are shown
FACT_TAGS = ("license:", "language:", "dataset:", "base_model:", "task_categories:", "size_categ")
PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".webp")


@dataclass(frozen=True)
class At:
    """A repository at a revision, and the addresses that belong to it."""

    record: RepoRecord
    revision: str  # as asked for: a branch, a tag or a commit
    sha: str

    @property
    def home(self) -> str:
        return f"/{self.record.key.url_path}"

    def url(self, kind: str, path: str = "", *, revision: str = "") -> str:
        """Address of a page (`tree`, `blob`, `commits`) or file (`resolve`) at this revision."""
        named = quote(revision or self.revision, safe="")
        return f"{self.home}/{kind}/{named}" + (f"/{quote(path)}" if path else "")

    @property
    def chips(self) -> list[str]:
        """The tags that the page does not also show as facts."""
        languages = _texts(self.record.card_data.get("language"))
        tags = (tag for tag in self.record.tags if tag not in languages)
        return [tag for tag in tags if not tag.startswith(FACT_TAGS)]

    @property
    def card_url(self) -> str:
        return (
            self.home if self.revision == "main" else f"{self.home}?revision={quote(self.revision)}"
        )


@dataclass(frozen=True)
class Metric:
    """One figure of a card's model-index."""

    name: str
    value: str
    dataset: str


@dataclass(frozen=True)
class Fact:
    """A value of the card; `url` when it names a repository that is here."""

    text: str
    url: str = ""


@dataclass(frozen=True)
class CardView:
    """The front of a repository."""

    html: str
    split: str
    splits: Sequence[str]
    rows: Rows | None
    tensors: Tensors | None
    size: int  # bytes of all files
    metrics: Sequence[Metric]
    facts: Sequence[tuple[str, Sequence[Fact]]]  # key of words.TABLE, values
    code_language: str
    code: str


@dataclass(frozen=True)
class BlobView:
    """One file: exactly one of the ways to show it, or none."""

    entry: Entry
    lines: Sequence[str] = ()
    cut: bool = False
    picture: str = ""
    rows: Rows | None = None
    tensors: Tensors | None = None


def at_revision(store: Store, record: RepoRecord, revision: str) -> At:
    """Raises RevisionNotFound."""
    return At(record, revision, store.resolve(record.key, revision))


def view_card(store: Store, at: At, split: str) -> CardView:
    """Everything on a repository's front page."""
    key = at.record.key
    files = [e for e in store.tree(key, at.sha, recursive=True) if e.type == "file"]
    by_path = {entry.path: entry for entry in files}
    card = by_path.get("README.md")
    text = _head(store, key, card, MAX_CARD).decode("utf-8", "replace") if card else ""
    record = at.record
    if at.sha != record.sha:  # the index knows the card of main; this is another revision's
        record = replace(record, card_data=parse_card(text)[0])
    splits = find_splits(record.card_data, list(by_path)) if key.type == "dataset" else {}
    chosen = split if split in splits else next(iter(splits), "")
    rows = _rows(store, key, by_path[splits[chosen]]) if chosen else None
    code_language, code = snippet_for(record)
    return CardView(
        html=card_html(text, files_url=at.url("resolve"), pages_url=at.url("blob")),
        split=chosen,
        splits=list(splits),
        rows=rows,
        tensors=_weights(store, key, files) if key.type == "model" else None,
        size=sum(entry.size for entry in files),
        metrics=metrics_of(record.card_data),
        facts=_facts(store, record),
        code_language=code_language,
        code=code,
    )


def view_blob(store: Store, at: At, path: str) -> BlobView:
    """One file, as far as it can be shown."""
    key = at.record.key
    entry = store.entry(key, at.sha, path)
    if entry.type == "directory":
        raise EntryNotFound(f"{path} is a folder", commit=at.sha)
    lower = path.lower()
    if lower.endswith(PICTURES):
        return BlobView(entry, picture=at.url("resolve", path))
    if lower.endswith(".parquet"):
        return BlobView(entry, rows=_rows(store, key, entry))
    if lower.endswith(".safetensors"):
        return BlobView(entry, tensors=tensors_of(_content(store, key, entry)))
    return _text_view(entry, _head(store, key, entry, MAX_BLOB + 1))


def metrics_of(card: Mapping[str, Any]) -> list[Metric]:
    """The figures of `model-index`; whatever else a card may hold there is left out."""
    found = []
    for model in _dicts(card.get("model-index")):
        for result in _dicts(model.get("results")):
            dataset = result.get("dataset")
            name = str(dataset.get("name", "")) if isinstance(dataset, dict) else ""
            found += [_metric(metric, name) for metric in _dicts(result.get("metrics"))]
    return found[:12]


def _metric(metric: Mapping[str, Any], dataset: str) -> Metric:
    value = metric.get("value")
    shown = f"{value:.4g}" if isinstance(value, float) else str(value)
    return Metric(str(metric.get("name") or metric.get("type") or ""), shown, dataset)


def _dicts(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _facts(store: Store, record: RepoRecord) -> list[tuple[str, list[Fact]]]:
    card = record.card_data
    task = [record.pipeline_tag or "", *_texts(card.get("task_categories"))]
    licence = _texts(card.get("license_name") or card.get("license"))
    facts = [
        ("task", _plain(task)),
        ("library", _plain([record.library_name or ""])),
        ("licence", _plain(licence)),
        ("languages", _plain([", ".join(_texts(card.get("language")))])),
        ("base_model", [_linked(store, "model", name) for name in _texts(card.get("base_model"))]),
        ("trained_on", [_linked(store, "dataset", name) for name in _texts(card.get("datasets"))]),
    ]
    return [(name, values) for name, values in facts if values]


def _plain(values: Sequence[str]) -> list[Fact]:
    return [Fact(value) for value in values if value]


def _linked(store: Store, type: RepoType, name: str) -> Fact:
    namespace, _, rest = name.partition("/")
    try:
        record = store.get_repo(repo_key(type, namespace, rest))
    except HubError:
        return Fact(name)
    return Fact(name, f"/{record.key.url_path}")


def _texts(value: Any) -> list[str]:
    return [str(item) for item in (value if isinstance(value, list) else [value]) if item]


def _weights(store: Store, key: RepoKey, files: Sequence[Entry]) -> Tensors | None:
    weights = [e for e in files if e.path.endswith(".safetensors")]
    main = [e for e in weights if e.path == "model.safetensors"] or weights
    return tensors_of(_content(store, key, main[0])) if len(main) == 1 else None


def _rows(store: Store, key: RepoKey, entry: Entry) -> Rows:
    return first_rows(entry.path, _content(store, key, entry))


def _content(store: Store, key: RepoKey, entry: Entry) -> Any:
    return store.local_path(key, entry) or store.blob(key, entry.oid)


def _head(store: Store, key: RepoKey, entry: Entry, limit: int) -> bytes:
    path = store.local_path(key, entry)
    if path is None:
        return store.blob(key, entry.oid)[:limit]
    with path.open("rb") as file:
        return file.read(limit)


def _text_view(entry: Entry, head: bytes) -> BlobView:
    if b"\0" in head:
        return BlobView(entry)
    lines = head[:MAX_BLOB].decode("utf-8", "replace").splitlines()
    cut = len(head) > MAX_BLOB or len(lines) > MAX_LINES
    return BlobView(entry, lines=lines[:MAX_LINES] or [""], cut=cut)


def folder_steps(path: str) -> list[tuple[str, str]]:
    """(name, path) of each folder that leads to a path, for the line above a listing."""
    parts = path.split("/") if path else []
    return [(part, "/".join(parts[: n + 1])) for n, part in enumerate(parts)]


def size_text(size: int) -> str:
    """Bytes for people: 22.1 MB; a thousand bytes are a kB, as on the Hub."""
    return _short(size, ("B", "kB", "MB", "GB"), " ")


def count_text(count: int) -> str:
    """A count for people: 22.7M."""
    return _short(count, ("", "k", "M", "B"), "")


def _short(value: float, units: Sequence[str], gap: str) -> str:
    unit = 0
    while value >= 999.5 and unit < len(units) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.3g}{gap}{units[unit]}"


def ref_names(refs: Sequence[Ref]) -> list[str]:
    """Names, main first."""
    return sorted((ref.name for ref in refs), key=lambda name: (name != "main", name))
