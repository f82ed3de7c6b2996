"""Model and data set cards, made from the facts of the run that was just evaluated.

    (folder / "README.md").write_text(model_card(facts))

The front matter is what the Hub reads (model-index among it), the text is what people read, and the
first Python block loads the artefact with its stock library: `snippet_of(card)` returns it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hub_utils.errors import InvalidNameError, LabError
from hub_utils.names import RepoId

_FRONT_MATTER = re.compile(r"\A\s*---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|\Z)", re.S)
_PYTHON_BLOCK = re.compile(r"^```python\n(.*?)^```\s*$", re.S | re.M)
_DATA_SUFFIXES = (".csv", ".tsv", ".json", ".jsonl", ".parquet", ".txt", ".zip")
_SHARES = ("accuracy", "f1", "recall", "precision", "mrr", "ndcg")


@dataclass(frozen=True)
class Metric:
    """One figure of an evaluation: "Accuracy", "accuracy", 0.978."""

    name: str  # as people read it
    type: str  # the Hub's metric id
    value: float


@dataclass(frozen=True)
class ModelFacts:
    """What a model card says. Ids of data and base that are local paths stay out of the card."""

    title: str
    repo: RepoId
    pipeline_tag: str
    library_name: str
    snippet: str  # Python that loads it with its stock library and prints something
    metrics: tuple[Metric, ...] = ()
    base_model: str | None = None
    base_revision: str | None = None
    dataset_id: str | None = None
    dataset_revision: str | None = None
    dataset_split: str | None = None
    language: str | None = "en"
    license: str = "apache-2.0"
    tags: tuple[str, ...] = ()
    command: str = ""
    seed: int | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    hardware: str = ""
    train_seconds: float | None = None
    intended_use: str = ""
    limits: str = ""
    sections: Mapping[str, str] = field(default_factory=dict)  # heading → Markdown
    credits: str = ""


@dataclass(frozen=True)
class DatasetFacts:
    """What a data set card says."""

    title: str
    repo: RepoId
    summary: str
    snippet: str
    source: str = ""
    license: str = "other"
    language: tuple[str, ...] = ("en",)
    task_categories: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    data_files: Mapping[str, str] = field(default_factory=dict)  # split → file pattern
    rows: Mapping[str, int] = field(default_factory=dict)  # split → number of rows
    columns: Mapping[str, str] = field(default_factory=dict)  # column → meaning
    limits: str = ""
    sections: Mapping[str, str] = field(default_factory=dict)
    credits: str = ""


def model_card(facts: ModelFacts) -> str:
    """The README.md of a model."""
    from huggingface_hub import ModelCardData

    base, data = hub_id(facts.base_model), hub_id(facts.dataset_id)
    results = _eval_results(facts)
    metadata = ModelCardData(
        language=facts.language,
        license=facts.license,
        library_name=facts.library_name,
        pipeline_tag=facts.pipeline_tag,
        base_model=base,
        datasets=[data] if data else None,
        tags=list(facts.tags) or None,
        metrics=[metric.type for metric in facts.metrics] or None,
        model_name=facts.title if results else None,
        eval_results=results or None,
    )
    return _card(
        metadata.to_yaml(),
        facts.title,
        {
            "": _figures(facts.metrics),
            "Use it": _python(facts.snippet),
            "How it was made": _how_made(facts),
            **facts.sections,
            "Intended use": facts.intended_use,
            "Limits": facts.limits,
            "Licence and credits": _paragraphs(f"Licence: {facts.license}.", facts.credits),
        },
    )


def dataset_card(facts: DatasetFacts) -> str:
    """The README.md of a data set."""
    from huggingface_hub import DatasetCardData

    files = [{"split": split, "path": path} for split, path in facts.data_files.items()]
    metadata = DatasetCardData(
        language=list(facts.language),
        license=facts.license,
        pretty_name=facts.title,
        task_categories=list(facts.task_categories) or None,
        tags=list(facts.tags) or None,
        configs=[{"config_name": "default", "data_files": files}] if files else None,
    )
    rows = [(split, f"{count:,}") for split, count in facts.rows.items()]
    return _card(
        metadata.to_yaml(),
        facts.title,
        {
            "": facts.summary,
            "Use it": _python(facts.snippet),
            "Splits": _table(("split", "rows"), rows),
            "Columns": _table(("column", "meaning"), list(facts.columns.items())),
            **facts.sections,
            "Limits": facts.limits,
            "Source, licence and credits": _paragraphs(
                facts.source, f"Licence: {facts.license}.", facts.credits
            ),
        },
    )


def snippet_of(card_text: str) -> str:
    """The first Python block of a card. Raises LabError if there is none."""
    found = _PYTHON_BLOCK.search(card_text)
    if not found:
        raise LabError("This card has no Python block.", hint="Publish it again with a snippet.")
    return found[1]


def front_matter(card_text: str) -> dict[str, Any]:
    """The card's YAML; empty if there is none or it is damaged."""
    import yaml

    try:
        content = yaml.safe_load(split_card(card_text)[0])
    except yaml.YAMLError:
        return {}
    return content if isinstance(content, dict) else {}


def split_card(card_text: str) -> tuple[str, str]:
    """The YAML of the front matter (empty if there is none) and the text below it."""
    found = _FRONT_MATTER.match(card_text)
    return (found[1], card_text[found.end() :]) if found else ("", card_text)


def headline_metric(metadata: Mapping[str, Any]) -> Metric | None:
    """The first figure in the `model-index` of a card's front matter, if there is one."""
    try:
        results = metadata["model-index"][0]["results"]
        first = next(metric for result in results for metric in result["metrics"])
        return Metric(
            name=str(first.get("name") or first["type"]),
            type=str(first["type"]),
            value=float(first["value"]),
        )
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, StopIteration):
        return None  # somebody else's card, or a damaged one: it simply has no headline


def headline_of_card(folder: Path) -> Metric | None:
    """The first figure of the card in `folder`, if it has one."""
    try:
        card = (folder / "README.md").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
    return headline_metric(front_matter(card))


def hub_id(text: str | None) -> str | None:
    """`text` if it can be the id of a repository on a Hub; None for a local path.

    The real Hub answers a local path in a card's `datasets:` with 400.
    """
    if text is None or text.startswith(("/", ".", "~")) or Path(text).exists():
        return None
    if text.lower().endswith(_DATA_SUFFIXES):
        return None
    try:
        return str(RepoId.parse(text))
    except InvalidNameError:
        return None


def _eval_results(facts: ModelFacts) -> list[Any]:
    from huggingface_hub import EvalResult

    data = hub_id(facts.dataset_id)
    return [
        EvalResult(
            task_type=facts.pipeline_tag,
            dataset_type=data or "local",
            dataset_name=data or _data_name(facts),
            dataset_split=facts.dataset_split,
            dataset_revision=facts.dataset_revision if data else None,
            metric_type=metric.type,
            metric_name=metric.name,
            metric_value=round(float(metric.value), 6),  # numpy's numbers break the Hub's YAML
        )
        for metric in facts.metrics
        if math.isfinite(metric.value)
    ]


def _how_made(facts: ModelFacts) -> str:
    seconds = facts.train_seconds
    rows = [
        ("base model", _at(facts.base_model, facts.base_revision)),
        ("data", _at(_data_name(facts), facts.dataset_revision)),
        ("evaluated on", facts.dataset_split or ""),
        ("command", _code(facts.command)),
        ("seed", "" if facts.seed is None else str(int(facts.seed))),
        ("training time", "" if seconds is None else f"{float(seconds):.0f} s"),
        ("hardware", facts.hardware),
        ("libraries", ", ".join(f"{name} {version}" for name, version in facts.versions.items())),
    ]
    return _table(("", ""), [row for row in rows if row[1]])


def _data_name(facts: ModelFacts) -> str:
    if facts.dataset_id is None:
        return "not named"
    return _public_name(facts.dataset_id)


def _public_name(name: str) -> str:
    # Of a local path only the last part: the rest is nobody's business.
    return hub_id(name) or name.replace("\\", "/").rstrip("/").split("/")[-1]


def _at(name: str | None, revision: str | None) -> str:
    if not name:
        return ""
    known = _code(_public_name(name))
    return f"{known} at {_code(revision)}" if revision else known


def _figures(metrics: tuple[Metric, ...]) -> str:
    return _table(("metric", "value"), [(m.name, f"**{_number(m)}**") for m in metrics])


def _number(metric: Metric) -> str:
    value = float(metric.value)
    if any(word in metric.type for word in _SHARES) and 0 <= value <= 1:
        return f"{100 * value:.2f} %"
    return f"{value:.4g}"


def _table(head: tuple[str, str], rows: list[tuple[str, str]]) -> str:
    if not rows:
        return ""
    lines = [f"| {head[0]} | {head[1]} |", "|---|---|"]
    lines += [f"| {_cell(left)} | {_cell(right)} |" for left, right in rows]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def _code(text: str) -> str:
    return f"`{text.replace('`', chr(39))}`" if text else ""


def _python(snippet: str) -> str:
    return f"```python\n{snippet.strip()}\n```"


def _paragraphs(*texts: str) -> str:
    return "\n\n".join(text for text in texts if text)


def _card(yaml_text: str, title: str, sections: Mapping[str, str]) -> str:
    parts = [f"---\n{yaml_text.strip()}\n---", f"# {title}"]
    for heading, body in sections.items():
        if body.strip():
            parts += [f"## {heading}"] if heading else []
            parts.append(body.strip())
    return "\n\n".join(parts) + "\n"
