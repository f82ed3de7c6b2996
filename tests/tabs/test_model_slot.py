"""A slot loads what is published, swaps without a gap, and keeps serving when the Hub is away."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from hub_utils.connection import Hub
from hub_utils.errors import HubUnavailableError, LabError, RepoNotFoundError, RevisionNotFoundError
from hub_utils.pins import Pin
from hub_utils.pull import Pulled
from tabs.model_slot import ModelSlot
from tests.tabs.lab import HubProcess, publish

REPO = "reuters-classifier"


def folder_name(pulled: Pulled) -> str:
    """The smallest thing that can serve: it says which revision it was opened from."""
    if not (pulled.folder / "model.safetensors").exists():
        raise ValueError("no weights\nand a long story")
    return pulled.revision


def slot_of(hub: Hub, pin_of: Callable[..., Pin | None] = lambda _: None) -> ModelSlot[str]:
    return ModelSlot(hub.repo(REPO), hub=hub, pin_of=pin_of, open_model=folder_name)


def update(slot: ModelSlot[str]) -> None:
    slot.ask()
    slot.load_if_idle()


@pytest.fixture
def published(own_hub: Hub, classifiers: tuple[Path, Path]) -> str:
    return publish(own_hub, classifiers[0]).revision


def test_a_slot_waits_for_what_is_not_published(own_hub: Hub):
    slot = slot_of(own_hub)
    update(slot)
    assert slot.state.waiting
    with pytest.raises(RepoNotFoundError, match=f"lab/{REPO} is not published yet"):
        slot.serving(timeout=0.1)


def test_a_slot_comes_alive_when_its_artefact_lands(own_hub: Hub, classifiers: tuple[Path, Path]):
    slot = slot_of(own_hub)
    update(slot)
    revision = publish(own_hub, classifiers[0]).revision
    update(slot)
    assert slot.serving(timeout=1).revision == revision
    assert slot.serving(timeout=1).model == revision
    assert not slot.state.waiting


def test_a_repository_that_is_still_empty_is_waited_for(
    own_hub: Hub, classifiers: tuple[Path, Path]
):
    own_hub.api.create_repo(f"lab/{REPO}")
    slot = slot_of(own_hub)
    update(slot)
    update(slot)
    assert slot.state.waiting
    assert slot.state.problem is None
    revision = publish(own_hub, classifiers[0]).revision
    update(slot)
    assert slot.serving(timeout=1).revision == revision


def test_the_headline_metric_comes_from_the_card(own_hub: Hub, published: str):
    slot = slot_of(own_hub)
    update(slot)
    metric = slot.serving(timeout=1).metric
    assert metric is not None
    assert (metric.name, metric.value) == ("Accuracy", 0.901)


def test_a_new_revision_is_offered_and_loaded_only_on_request(
    own_hub: Hub, published: str, classifiers: tuple[Path, Path]
):
    slot = slot_of(own_hub)
    update(slot)
    newer = publish(own_hub, classifiers[1]).revision
    update(slot)
    assert slot.state.offered == newer
    assert slot.serving(timeout=1).revision == published
    slot.load()
    assert slot.serving(timeout=1).revision == newer
    assert slot.state.offered is None


def test_a_pinned_revision_is_served_and_nothing_is_offered(
    own_hub: Hub, published: str, classifiers: tuple[Path, Path]
):
    publish(own_hub, classifiers[1])
    slot = slot_of(own_hub, lambda _: Pin(published, by="page"))
    update(slot)
    assert slot.serving(timeout=1).revision == published
    assert slot.state.offered is None


def test_the_hub_going_away_leaves_the_model_serving_and_is_noticed(
    own_hub: Hub, hub_process: HubProcess, published: str
):
    slot = slot_of(own_hub)
    update(slot)
    hub_process.stop()
    update(slot)
    away = slot.state
    hub_process.start()
    update(slot)
    assert away.away
    assert away.served is not None
    assert away.served.revision == published
    assert not slot.state.away


def test_a_new_slot_serves_the_cached_copy_while_the_hub_is_away(
    own_hub: Hub, hub_process: HubProcess, published: str
):
    update(slot_of(own_hub))
    hub_process.stop()
    slot = slot_of(own_hub)
    update(slot)
    hub_process.start()
    assert slot.serving(timeout=1).revision == published
    assert slot.state.away


def test_without_hub_and_without_copy_the_sentence_says_so(own_hub: Hub, hub_process: HubProcess):
    hub_process.stop()
    slot = slot_of(own_hub)
    update(slot)
    with pytest.raises(HubUnavailableError, match="not in this machine's cache"):
        slot.serving(timeout=1)
    hub_process.start()


def test_a_broken_revision_leaves_the_one_before_serving(
    own_hub: Hub, published: str, classifiers: tuple[Path, Path], tmp_path: Path
):
    slot = slot_of(own_hub)
    update(slot)
    broken = tmp_path / "broken"
    shutil.copytree(classifiers[0], broken)
    (broken / "model.safetensors").unlink()
    publish(own_hub, broken)
    slot.ask()
    slot.load()
    assert slot.serving(timeout=1).revision == published
    assert "cannot be loaded: no weights" in str(slot.state.problem)


def test_a_pin_that_names_no_revision_is_told_until_it_is_gone(own_hub: Hub, published: str):
    pins: list[Pin] = [Pin("0" * 40, by="environment")]
    slot = slot_of(own_hub, lambda _: pins[0] if pins else None)
    update(slot)
    update(slot)
    with pytest.raises(RevisionNotFoundError):
        slot.serving(timeout=1)
    pins.clear()
    update(slot)
    assert slot.serving(timeout=1).revision == published


def test_a_broken_first_revision_is_not_tried_again_by_itself(
    own_hub: Hub, classifiers: tuple[Path, Path], tmp_path: Path
):
    broken = tmp_path / "broken"
    shutil.copytree(classifiers[0], broken)
    (broken / "model.safetensors").unlink()
    publish(own_hub, broken)
    opened: list[Path] = []

    def count(pulled: Pulled) -> str:
        opened.append(pulled)
        return folder_name(pulled)

    slot = ModelSlot(own_hub.repo(REPO), hub=own_hub, pin_of=lambda _: None, open_model=count)
    update(slot)
    update(slot)
    assert len(opened) == 1
    with pytest.raises(LabError, match="cannot be loaded"):
        slot.serving(timeout=1)
    revision = publish(own_hub, classifiers[0]).revision
    update(slot)
    assert slot.serving(timeout=1).revision == revision
