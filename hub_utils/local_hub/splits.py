"""Which file of a data set shows which split: by the card's `configs`, else by the files' names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatch
from typing import Any

from .preview import can_preview

MAX_SPLITS = 12
_SPLIT_IN_NAME = re.compile(r"(?:^|[/._-])(train|test|validation|valid|val|dev|eval)(?=[/._-])")
_ORDER = ("train", "validation", "test")
_SYNONYMS = {"valid": "validation", "val": "validation", "dev": "validation", "eval": "test"}


def find_splits(card: Mapping[str, Any], paths: Sequence[str]) -> dict[str, str]:
    """Split → its first previewable file, at most MAX_SPLITS, in the card's order."""
    readable = [path for path in paths if can_preview(path)]
    found = dict(_declared(card, readable)) or _by_name(readable)
    return dict(list(found.items())[:MAX_SPLITS])


def _declared(card: Mapping[str, Any], paths: Sequence[str]) -> Iterator[tuple[str, str]]:
    configs = card.get("configs")
    several = isinstance(configs, list) and len(configs) > 1
    for config in configs if isinstance(configs, list) else ():
        if not isinstance(config, dict):
            continue
        for split, patterns in _data_files(config.get("data_files")):
            name = f"{config.get('config_name', 'default')} / {split}" if several else split
            match = next((p for p in paths if any(fnmatch(p, one) for one in patterns)), None)
            if match:
                yield name, match


def _data_files(declared: Any) -> Iterator[tuple[str, list[str]]]:
    """`data_files` is a pattern, a list of patterns, or a list of {split, path}."""
    for item in declared if isinstance(declared, list) else [declared]:
        if isinstance(item, str):
            yield "train", [item]
        elif isinstance(item, dict):
            path = item.get("path")
            patterns = path if isinstance(path, list) else [path]
            yield str(item.get("split", "train")), [p for p in patterns if isinstance(p, str)]


def _by_name(paths: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in paths:
        match = _SPLIT_IN_NAME.search(path.lower())
        name = match[1] if match else "train"
        found.setdefault(_SYNONYMS.get(name, name), path)
    return {split: found[split] for split in _ORDER if split in found}
