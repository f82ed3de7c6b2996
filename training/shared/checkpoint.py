"""Checkpoints without pickles: tensors in safetensors, the rest in JSON, replaced as one.

A checkpoint is written into a new folder and made the current one by renaming a small pointer file,
so a kill at any moment leaves the last complete one.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub_utils.errors import SettingsError
from training.shared.files import disk_room, write_text

if TYPE_CHECKING:
    import torch
    from _typeshed import DataclassInstance

POINTER = "current.json"


@dataclass(frozen=True)
class Checkpoint:
    """Tensors by name and everything else that is needed to go on."""

    tensors: dict[str, torch.Tensor]
    state: dict[str, Any]  # JSON-ready


def save(folder: Path, checkpoint: Checkpoint, *, step: int) -> None:
    """Make `checkpoint` the current one of `folder`.

    Raises LabError if the disk is full; then, as after any error, the one before stays.
    """
    target = folder / f"step-{step}"
    shutil.rmtree(target, ignore_errors=True)
    try:
        with disk_room(folder):
            _write(target, checkpoint)
            write_text(folder / POINTER, json.dumps({"step": step}))
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)  # room for whoever tries again
        raise
    _remove_others(folder, keep=target)


def _write(target: Path, checkpoint: Checkpoint) -> None:
    from safetensors.torch import save_file

    target.mkdir(parents=True)
    tensors = {name: tensor.detach().contiguous() for name, tensor in checkpoint.tensors.items()}
    save_file(tensors, target / "tensors.safetensors")
    (target / "state.json").write_text(json.dumps(checkpoint.state), "utf-8")
    _flush(target / "tensors.safetensors")
    _flush(target / "state.json")


def require_same(
    config: DataclassInstance, checkpoint: Checkpoint, *, free: Collection[str] = ()
) -> None:
    """Raises SettingsError if `checkpoint` was made with other settings than `config`.

    free: names of settings that may differ between a run and its resumption.
    """
    now, then = asdict(config), checkpoint.state["config"]
    for name, value in now.items():
        if name not in free and then.get(name) != value:
            raise SettingsError(
                f"The run to resume has {name}={then.get(name)!r}, not {value!r}.",
                hint="Give the same options, or start over without --resume.",
            )


def load(folder: Path) -> Checkpoint | None:
    """The current checkpoint of `folder`, or None if there is none."""
    from safetensors.torch import load_file

    pointer = folder / POINTER
    if not pointer.exists():
        return None
    source = folder / f"step-{json.loads(pointer.read_text('utf-8'))['step']}"
    state = json.loads((source / "state.json").read_text("utf-8"))
    return Checkpoint(load_file(source / "tensors.safetensors"), state)


def clear(folder: Path) -> None:
    """Forget all checkpoints of `folder`."""
    shutil.rmtree(folder, ignore_errors=True)


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _remove_others(folder: Path, *, keep: Path) -> None:
    for other in folder.glob("step-*"):
        if other != keep:
            shutil.rmtree(other, ignore_errors=True)
