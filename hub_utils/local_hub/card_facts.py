"""What the real Hub derives from a repository's files: card data, tags, library, task. Pure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from .records import RepoType

FACT_FILES = ("README.md", "config.json", "adapter_config.json", "model_index.json")
_FRONT_MATTER = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?)^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_LIBRARY_FILES = {  # the first that is there decides
    "modules.json": "sentence-transformers",
    "adapter_config.json": "peft",
    "model_index.json": "diffusers",
    "open_clip_config.json": "open_clip",
    "config.json": "transformers",
}
_TASKS = {  # how an architecture's name ends → the task it is for
    "ForSequenceClassification": "text-classification",
    "ForTokenClassification": "token-classification",
    "ForQuestionAnswering": "question-answering",
    "ForCausalLM": "text-generation",
    "LMHeadModel": "text-generation",
    "ForMaskedLM": "fill-mask",
    "ForConditionalGeneration": "text2text-generation",
    "ForImageClassification": "image-classification",
}
_PREFIXED = {
    "license": "license:{}", "datasets": "dataset:{}", "base_model": "base_model:{}",
    "task_categories": "task_categories:{}", "task_ids": "task_ids:{}",
    "size_categories": "size_categories:{}", "annotations_creators": "annotations_creators:{}",
    "multilinguality": "multilinguality:{}", "source_datasets": "source_datasets:{}",
    "models": "model:{}",
}  # fmt: skip
MAX_YAML, MAX_NODES = 1_000_000, 50_000


@dataclass(frozen=True)
class CardFacts:
    """What a listing and a model's info say beyond git."""

    card_data: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    pipeline_tag: str | None = None
    library_name: str | None = None
    config: Mapping[str, Any] = field(default_factory=dict)


def read_facts(type: RepoType, files: Mapping[str, bytes], names: Iterable[str]) -> CardFacts:
    """Derive the facts from the bytes of FACT_FILES and the names of all top-level files."""
    card, _ = parse_card(files.get("README.md", b"").decode("utf-8", "replace"))
    if type != "model":
        return CardFacts(card, _tags(type, card, card.get("library_name"), None))
    config = _config(_json(files.get("config.json", b"")))
    if "adapter_config.json" in files:
        config |= {"peft": _peft(_json(files["adapter_config.json"]))}
    if "model_index.json" in files:
        pipeline = _json(files["model_index.json"]).get("_class_name")
        config |= {"diffusers": {"_class_name": pipeline}}
    library = _string(card.get("library_name")) or _library(set(names), config)
    task = _string(card.get("pipeline_tag")) or _task(config)
    tags = _tags(type, card, library, task, config)
    return CardFacts(card, tags, task, library, config)


def parse_card(text: str) -> tuple[dict[str, Any], str | None]:
    """The YAML front matter of a card as plain JSON values, and what is wrong with it."""
    match = _FRONT_MATTER.match(text[:MAX_YAML])
    if match is None:
        return {}, None
    try:
        data = yaml.load(match[1], Loader=_LOADER)  # noqa: S506 - a safe loader, in C
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        return {}, f"The YAML at the card's top cannot be read: {error}"
    if data is None:
        return {}, None
    if not isinstance(data, dict):
        return {}, "The YAML at the card's top must be a mapping of names to values."
    try:
        return _plain(data, [MAX_NODES]), None
    except (ValueError, RecursionError):
        return {}, f"The YAML at the card's top has more than {MAX_NODES:,} values or is too deep."


def _plain(value: Any, budget: list[int]) -> Any:
    """Values that JSON carries. The budget is for aliases, which can stand for billions."""
    budget[0] -= 1
    if budget[0] < 0:
        raise ValueError("too many values")
    if isinstance(value, dict):
        return {str(name): _plain(item, budget) for name, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [_plain(item, budget) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return value if isinstance(value, (str, int, bool, type(None))) else str(value)


def _config(config: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: config[name] for name in ("architectures", "model_type") if name in config}
    if "quantization_config" in config:
        kept["quantization_config"] = config["quantization_config"]
    return kept


def _peft(config: Mapping[str, Any]) -> dict[str, Any]:
    names = {"base_model_name_or_path": "base_model_name_or_path", "task_type": "task_type"}
    return {short: config[name] for name, short in names.items() if name in config}


def _library(names: set[str], config: Mapping[str, Any]) -> str | None:
    for name, library in _LIBRARY_FILES.items():
        if name in names and (name != "config.json" or "model_type" in config):
            return library
    return None


def _task(config: Mapping[str, Any]) -> str | None:
    architectures = config.get("architectures")
    name = str(architectures[0]) if isinstance(architectures, list) and architectures else ""
    return next((task for ending, task in _TASKS.items() if name.endswith(ending)), None)


def _tags(
    type: RepoType,
    card: Mapping[str, Any],
    library: object,
    task: str | None,
    config: Mapping[str, Any] | None = None,
) -> tuple[str, ...]:
    tags = [library, *_strings(card.get("tags"))]
    if type == "space":
        tags.insert(0, card.get("sdk"))
    tags += [(config or {}).get("model_type"), task]
    languages = _strings(card.get("language"))
    tags += [f"language:{one}" for one in languages] if type == "dataset" else languages
    for name, pattern in _PREFIXED.items():
        tags += [pattern.format(value) for value in _strings(card.get(name))]
    return tuple(dict.fromkeys(tag for tag in tags if isinstance(tag, str) and tag))


def _strings(value: object) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [str(item) for item in values if isinstance(item, (str, int)) and str(item)]


def _string(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _json(text: bytes) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
