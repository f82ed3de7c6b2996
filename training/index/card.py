"""The card of an index: what it holds, how to open it, how well it finds, whom to thank."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hub_utils.cards import DatasetFacts, dataset_card, hub_id
from hub_utils.names import RepoId
from training.index.evaluate import METRICS, Evaluation
from training.index.manifest import Manifest
from training.shared.publishing import table_cell

COLUMNS = {
    "id": "of the passage: its document's id, `#` and its number",
    "document": "id of the document it was cut from",
    "title": "of the document; empty where there is none",
    "text": "of the passage",
    "number": "of the passage in its document, from 0",
    "start": "first character of the passage in the document's text",
    "end": "character after its last",
    "text_hash": "of what was encoded (title and text): equal for duplicates",
    "document_hash": "of the whole document: equal where it did not change",
}
MODES = {
    "hybrid": "hybrid: both, fused",
    "dense": "dense: the vectors alone",
    "keyword": "keyword: BM25 alone",
}

LIMITS = (
    "Vectors of another encoder, or of another revision of this one, do not compare with "
    "these. What the encoder was not trained for (other languages, rare names, numbers) it "
    "finds badly; keyword search may help there. The texts are as their source has them."
)


@dataclass(frozen=True)
class Credits:
    """What the card of the source data set says."""

    license: str = "unknown"
    language: tuple[str, ...] = ()

    @classmethod
    def of(cls, metadata: Mapping[str, Any]) -> Credits:
        """From a card's front matter, whoever wrote it."""
        license, language = metadata.get("license"), metadata.get("language")
        languages = [language] if isinstance(language, str) else language
        return cls(
            license=license if isinstance(license, str) and license else "unknown",
            language=tuple(str(name) for name in languages) if isinstance(languages, list) else (),
        )


@dataclass(frozen=True)
class Outcome:
    """All that the card speaks of."""

    manifest: Manifest
    repo: RepoId
    checked: Mapping[str, Evaluation]  # mode → figures; empty if there was nothing to check
    groups: str | None  # the column that colours the map
    columns: tuple[str, ...]
    credits: Credits
    bytes: int  # of the shards
    keyword_bytes: int

    def evaluation_figures(self) -> dict[str, object]:
        """The check as plain numbers, for programs."""
        return {
            "check": "known item: a sentence of a document must find the document",
            "modes": {mode: found.figures() for mode, found in self.checked.items()},
        }


def card(outcome: Outcome) -> str:
    """The README.md of the repository."""
    from training.index.snippet import snippet

    manifest = outcome.manifest
    return dataset_card(
        DatasetFacts(
            title=outcome.repo.name,
            repo=outcome.repo,
            summary=_summary(outcome),
            snippet=snippet(outcome.repo, manifest),
            source=_source(manifest),
            license=outcome.credits.license,
            language=outcome.credits.language,
            task_categories=("text-retrieval",),
            tags=("semantic-search", "embeddings"),
            data_files={"train": "data/train-*.parquet"},
            rows={"train": manifest.counts.passages},
            columns=_columns(outcome),
            limits=LIMITS,
            sections={
                "The corpus as a map": _map(outcome),
                "How well it finds": _checked(outcome.checked),
                "How it was made": _how_made(outcome),
            },
            credits=f"Vectors by {_encoder(manifest)}; see its card.",
        )
    )


def _summary(outcome: Outcome) -> str:
    counts, encoder = outcome.manifest.counts, outcome.manifest.encoder
    twice = f"; {counts.duplicates:,} repeat the text of another" if counts.duplicates else ""
    return (
        f"**{counts.documents:,} documents as {counts.passages:,} passages**{twice}, each with its "
        f"vector of {encoder.dimension} numbers ({_megabytes(outcome.bytes)} of Parquet) and a "
        f"BM25 keyword index ({_megabytes(outcome.keyword_bytes)}): search by meaning, by words, "
        "or by both."
    )


def _columns(outcome: Outcome) -> dict[str, str]:
    encoder = outcome.manifest.encoder
    length = ", of length 1" if encoder.normalized else ""
    vector = f"{encoder.dimension} numbers in float16{length}: of the title and the text"
    known = {name: COLUMNS[name] for name in outcome.columns if name in COLUMNS}
    own = dict.fromkeys(outcome.manifest.metadata, "metadata of the document")
    return {**known, **own, "embedding": vector}


def _map(outcome: Outcome) -> str:
    coloured = f", coloured by `{outcome.groups}`" if outcome.groups else ""
    return (
        f"Every point is a passage{coloured}; near points have near vectors (t-SNE of up to 2,000 "
        "passages, the others at the mean of their nearest ones; only small distances mean "
        f"something). Places: `{(outcome.manifest.map or {}).get('path', '')}`.\n\n"
        "![The corpus as a map](pictures/map.png)"
    )


def _checked(checked: Mapping[str, Evaluation]) -> str:
    if not checked:
        return ""
    count = len(next(iter(checked.values())).queries)
    head = "| search | nDCG@10 | recall@100 | MRR@10 |\n|---|---|---|---|"
    rows = [
        f"| {MODES[mode]} | " + " | ".join(_figure(found, metric) for metric in METRICS) + " |"
        for mode, found in checked.items()
    ]
    return (
        f"{count} sentences, one each from {count} documents drawn at random, were looked for; "
        "right is the document that a sentence was taken from (95 % bootstrap intervals in "
        "brackets). This shows that the parts fit together. It does not show how well questions "
        "are answered, and a sentence that others quote counts against it.\n\n"
        + "\n".join([head, *rows])
    )


def _figure(found: Evaluation, metric: str) -> str:
    low, high = found.interval(metric)
    return f"{found.mean(metric):.3f} ({low:.3f} to {high:.3f})"


def _how_made(outcome: Outcome) -> str:
    manifest = outcome.manifest
    source, chunking = manifest.source, manifest.chunking
    rows = {
        "data": _at(source.name, source.revision)
        + (f", split `{source.split}`" * bool(source.split)),
        "encoder": _encoder(manifest),
        "passages": f"up to {chunking.max_tokens} tokens, {chunking.overlap_tokens} of them shared "
        "with the one before; cut at paragraph and sentence ends",
        "shards": f"{len(manifest.shards)}, a document's passages together in one",
        "command": f"`{manifest.command}`" if manifest.command else "",
        "libraries": ", ".join(f"{name} {number}" for name, number in manifest.versions.items()),
    }
    lines = [f"| {name} | {table_cell(value)} |" for name, value in rows.items() if value]
    return "\n".join(["| | |", "|---|---|", *lines]) + (
        "\n\n`manifest.json` has the same for programs, and the SHA-256 of every shard."
    )


def _source(manifest: Manifest) -> str:
    name, revision = manifest.source.name, manifest.source.revision
    if revision is None:
        return f"Texts: `{name}`, of the person who built this index."
    return f"Texts: the data set {_at(name, revision)}; its card credits their authors."


def _encoder(manifest: Manifest) -> str:
    return _at(manifest.encoder.repo, manifest.encoder.revision)


def _at(name: str, revision: str | None) -> str:
    shown = f"`{hub_id(name) or name.rsplit('/', 1)[-1]}`"
    return f"{shown} at `{revision}`" if revision else shown


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
