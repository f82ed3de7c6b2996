"""What a published model can be exported to, told by its config before anything heavy loads.

A new export is a row in EXPORTS: the file's name, how it is written, what the card says.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub_utils.errors import LabError
from training.export.card import classifier_section, encoder_section, gguf_section
from training.export.gguf_weights import ARCHITECTURES

INSTALL = "pip install -r requirements-export.txt -c constraints.txt"


@dataclass(frozen=True)
class Export:
    """A format for a kind of model."""

    format: str
    file: str  # in the repository
    packages: tuple[str, ...]  # of requirements-export.txt
    write: Callable[..., dict[str, Any]]  # (folder, path, name=…)
    section: Callable[..., str]  # (repo) → Markdown for the card


def _generator(folder: Path, path: Path, *, name: str) -> dict[str, Any]:
    from training.export.gguf_file import write_gguf

    return write_gguf(folder, path, name=name)


def _classifier(folder: Path, path: Path, *, name: str) -> dict[str, Any]:
    from training.export.onnx_file import classifier, write_onnx

    return write_onnx(classifier(folder), path, name=name)


def _encoder(folder: Path, path: Path, *, name: str) -> dict[str, Any]:
    from training.export.onnx_file import encoder, write_onnx

    return write_onnx(encoder(folder), path, name=name)


# Where llama.cpp's users look; where transformers.js and sentence-transformers look.
GGUF_FILE, ONNX_FILE = "model.gguf", "onnx/model.onnx"
ONNX_PACKAGES = ("onnx", "onnxscript", "onnxruntime")
GENERATOR = Export("gguf", GGUF_FILE, ("gguf",), _generator, gguf_section)
CLASSIFIER = Export("onnx", ONNX_FILE, ONNX_PACKAGES, _classifier, classifier_section)
ENCODER = Export("onnx", ONNX_FILE, ONNX_PACKAGES, _encoder, encoder_section)


def export_of(folder: Path) -> Export:
    """The export for the checkpoint in `folder`. Raises LabError if there is none."""
    names = _architectures(folder)
    if any(name in ARCHITECTURES for name in names):
        return GENERATOR
    if any(name.endswith("ForSequenceClassification") for name in names):
        return CLASSIFIER
    if (folder / "modules.json").is_file() or any(name.endswith("Model") for name in names):
        return ENCODER
    raise LabError(
        f"There is no export for a {' or '.join(names) or 'model without architectures'}.",
        hint="Classifiers and encoders of texts become ONNX; Llama, Mixtral and GPT-2 GGUF.",
    )


def require_packages(export: Export) -> None:
    """Raise LabError with the command to type if a package is not installed."""
    missing = [name for name in export.packages if importlib.util.find_spec(name) is None]
    if missing:
        raise LabError(
            f"Writing {export.format.upper()} needs {' and '.join(missing)}.",
            hint=f"Run: {INSTALL}",
        )


def _architectures(folder: Path) -> list[str]:
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
    except (OSError, ValueError):
        raise LabError(
            f"{folder.name} holds no checkpoint of transformers: its config.json cannot be read.",
            hint="Name a classifier, an encoder or a language model.",
        ) from None
    return [str(name) for name in config.get("architectures") or ()]
