"""Folders to publish, and names that no two tests share."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from hub_utils.names import RepoId, RepoType

_numbers = itertools.count(1)


def new_repo(type: RepoType = "model") -> RepoId:
    """A repository that no other test uses."""
    return RepoId("lab", f"test-{next(_numbers)}", type)


@pytest.fixture
def repo() -> RepoId:
    """A model repository of this test's own; it does not exist yet."""
    return new_repo()


@pytest.fixture
def make_folder(tmp_path: Path) -> Callable[..., Path]:
    """Makes a folder with a card, a config and safetensors of `size` numbers."""

    def make(name: str = "model", *, size: int = 1000, note: str = "first") -> Path:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "README.md").write_text(f"---\nlicense: mit\n---\n\n# {note}\n", "utf-8")
        (folder / "config.json").write_text("{}", "utf-8")
        numbers = np.arange(size, dtype=np.float32)
        save_file({"w": numbers}, folder / "model.safetensors", metadata={"note": note})
        return folder

    return make


@pytest.fixture
def folder(make_folder: Callable[..., Path]) -> Path:
    """A folder to publish."""
    return make_folder()
