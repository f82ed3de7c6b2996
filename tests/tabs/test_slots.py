"""Slots are kept while they are looked at: defaults for good, chosen ones a few of a kind."""

from __future__ import annotations

from pathlib import Path

from hub_utils.connection import Hub
from hub_utils.names import RepoId
from tabs.kinds import CLASSIFIER, GENERATOR
from tabs.slots import MAX_CHOSEN, ModelSlots

HUB = Hub("http://127.0.0.1:1", None, namespace="lab", embedded=False)


def slots(made: list[None] | None = None, **openers) -> ModelSlots:
    heard = (lambda: made.append(None)) if made is not None else (lambda: None)
    return ModelSlots(hub=HUB, pin_of=lambda _: None, openers=openers, made=heard)


def repo(name: str) -> RepoId:
    return RepoId("lab", name)


def test_asking_again_gives_the_same_slot():
    made: list[None] = []
    kept = slots(made)
    assert kept.default(CLASSIFIER, repo("a")) is kept.default(CLASSIFIER, repo("a"))
    assert kept.chosen(CLASSIFIER, repo("b")) is kept.chosen(CLASSIFIER, repo("b"))
    assert len(made) == 2


def test_the_one_chosen_longest_ago_is_forgotten_and_no_default_ever():
    kept = slots()
    default = kept.default(CLASSIFIER, repo("default"))
    first = kept.chosen(CLASSIFIER, repo("first"))
    for number in range(MAX_CHOSEN):
        kept.chosen(CLASSIFIER, repo(f"next-{number}"))
    assert kept.of(repo("first")) is None
    assert kept.chosen(CLASSIFIER, repo("first")) is not first
    assert kept.default(CLASSIFIER, repo("default")) is default


def test_kinds_do_not_crowd_each_other_out():
    kept = slots()
    tale = kept.chosen(GENERATOR, repo("tale"))
    for number in range(MAX_CHOSEN + 1):
        kept.chosen(CLASSIFIER, repo(f"news-{number}"))
    assert kept.of(repo("tale")) is tale
    assert len(kept.all()) == MAX_CHOSEN + 1


def test_a_tab_can_be_given_another_way_to_open_its_models(tmp_path: Path):
    opened: list[Path] = []
    kept = slots(generate=opened.append)
    kept.default(GENERATOR, repo("tale"))._open(tmp_path)
    assert opened == [tmp_path]
