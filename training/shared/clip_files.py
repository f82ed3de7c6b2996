"""The files of a CLIP's repository as open_clip names them, and opening them from a folder.

model, preprocess, tokenizer = open_clip_folder(folder, name="lab/emoji-clip")
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hub_utils.errors import LabError

CONFIG = "open_clip_config.json"
WEIGHTS = "open_clip_model.safetensors"
TEXT_FOLDER = "text_encoder"  # the text tower's own configuration


def open_clip_folder(folder: Path, *, name: str) -> tuple[Any, Any, Any]:
    """(model in evaluation mode, preprocessing of a PIL picture, tokenizer).

    name: what it is called in the sentence of a LabError, which is raised if open_clip cannot.
    """
    from open_clip import create_model_from_pretrained, get_tokenizer

    try:
        described = json.loads((folder / CONFIG).read_text("utf-8"))["model_cfg"]
        if not (folder / WEIGHTS).is_file():
            raise OSError(f"there is no {WEIGHTS}")
        overrides = _text_override(described, folder)
        model, preprocess = create_model_from_pretrained(f"local-dir:{folder}", **overrides)
        tokenizer = get_tokenizer(f"local-dir:{folder}")
    except (OSError, ValueError, KeyError, RuntimeError, AssertionError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise LabError(
            f"{name} cannot be opened as a CLIP ({first}).",
            hint="It must be a model that open_clip opens, with safetensors weights.",
        ) from error
    return model.eval(), preprocess, tokenizer


def _text_override(described: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Where a text tower's configuration lies in the repository, it is not asked for elsewhere."""
    text = described.get("text_cfg", {})
    if "hf_model_name" not in text or not (folder / TEXT_FOLDER / "config.json").is_file():
        return {}
    local = {"hf_model_name": str(folder / TEXT_FOLDER), "hf_model_pretrained": False}
    return {"text_cfg": {**text, **local}}
