"""How many parameters a model's safetensors files hold, read from their headers alone."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .records import Entry

MAX_HEADER_BYTES = 25_000_000
_SHARD = re.compile(r"model-\d{5}-of-\d{5}\.safetensors")


def count_parameters(
    entries: Sequence[Entry], open_path: Callable[[Entry], Path | None]
) -> dict[str, Any] | None:
    """`{"parameters": {dtype: count}, "total": count}` of model.safetensors or its shards."""
    files = [e for e in entries if e.path == "model.safetensors"]
    files = files or [e for e in entries if _SHARD.fullmatch(e.path)]
    counts = Counter[str]()
    for entry in files:
        path = open_path(entry)
        counts.update(read_counts(path) if path else {})
    return {"parameters": dict(counts), "total": counts.total()} if counts else None


def read_counts(path: Path) -> dict[str, int]:
    """Parameters by data type; nothing when the file is not what its name says."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = file.read(length) if length <= MAX_HEADER_BYTES else b""
    counts = Counter[str]()
    try:
        tensors = json.loads(header)
        for name, tensor in tensors.items():
            if name != "__metadata__":
                counts[str(tensor["dtype"])] += math.prod(int(size) for size in tensor["shape"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}
    return dict(counts)
