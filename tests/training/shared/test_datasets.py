"""A data set that cannot be had is said in a sentence."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hub_utils.errors import DataError
from training.shared.datasets import pull_dataset, splits_of

if TYPE_CHECKING:
    from hub_utils.connection import Hub


def test_a_missing_data_set_is_named_with_what_else_could_be_given(hub: Hub) -> None:
    with pytest.raises(DataError, match=r"There is no data set '.*nowhere'") as caught:
        pull_dataset("nowhere", hub=hub, otherwise="give a folder")
    assert caught.value.hint == "Check the spelling, or give a folder."


def test_splits_are_read_by_their_names(tmp_path: Path) -> None:
    for split in ("train", "test"):
        (tmp_path / f"{split}.jsonl").write_text('{"text": "a"}\n', "utf-8")
    tables = splits_of(tmp_path, source="x", kinds="jsonl files")
    assert {name: table["text"][:] for name, table in tables.items()} == {
        "train": ["a"],
        "test": ["a"],
    }


def test_a_folder_without_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="The data set x cannot be read") as caught:
        splits_of(tmp_path, source="x", kinds="jsonl files")
    assert caught.value.hint == "It must hold jsonl files."
