"""The loop on a tiny model: publish, load, list, roll back, deploy. The same on either Hub.

make test-hub runs this against the real Hub when LAB_TEST_TOKEN is set.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from hub_utils.cards import (
    Metric,
    ModelFacts,
    front_matter,
    headline_metric,
    model_card,
    snippet_of,
)
from hub_utils.catalog import history, published
from hub_utils.errors import AccessError
from hub_utils.pins import PinStore, effective_revision
from hub_utils.pull import pull, resolve
from hub_utils.push import push_folder
from tests.conftest import ROOT
from tests.tabs.lab import LABELS, tiny_classifier

pytestmark = pytest.mark.real_hub
TEXT = "The oil price said the bank."


@pytest.fixture
def repo(any_hub, any_name, request):
    return any_hub.repo(any_name(request.node.name.replace("_", "-")[:40].strip("-")))


@pytest.fixture
def classifier(tmp_path, repo) -> Path:
    """A tiny classifier with the card that a training would write."""
    folder = tiny_classifier(tmp_path / "classifier")
    facts = ModelFacts(
        title="Tiny classifier",
        repo=repo,
        pipeline_tag="text-classification",
        library_name="transformers",
        snippet=f'from transformers import pipeline\n\nclassify = pipeline("text-classification", "{repo}")\nprint(classify("{TEXT}")[0]["label"])',
        metrics=(Metric("Accuracy", "accuracy", 0.25),),
        dataset_id="/home/ada/tickets.csv",
        command="python -m training bert",
        seed=0,
        limits="Random weights.",
    )
    (folder / "README.md").write_text(model_card(facts), "utf-8")
    return folder


def test_what_is_published_loads_with_the_cards_own_snippet(any_hub, repo, classifier):
    pushed = push_folder(classifier, repo, hub=any_hub, message="Train", private=True)
    card = (pull(repo, hub=any_hub).folder / "README.md").read_text("utf-8")
    done = subprocess.run(
        [sys.executable, "-c", snippet_of(card)],
        env={**os.environ, "HF_ENDPOINT": any_hub.endpoint, "HF_TOKEN": any_hub.token or ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() in LABELS
    assert resolve(repo, hub=any_hub) == pushed.revision
    assert any_hub.api.model_info(str(repo)).private


def test_the_same_bytes_again_make_no_commit(any_hub, repo, classifier):
    first = push_folder(classifier, repo, hub=any_hub, message="Train", private=True)
    again = push_folder(classifier, repo, hub=any_hub, message="Train", private=True)
    assert (again.changed, again.revision) == (False, first.revision)


def test_it_is_listed_with_its_figure(any_hub, repo, classifier):
    push_folder(classifier, repo, hub=any_hub, message="Train", private=True)
    listed = {item.repo: item for item in published(any_hub, types=["model"])}
    assert listed[repo].metric == Metric("Accuracy", "accuracy", 0.25)
    assert listed[repo].private


def test_an_older_revision_can_be_pinned_and_serves(any_hub, repo, classifier, tmp_path):
    first = push_folder(classifier, repo, hub=any_hub, message="One", private=True)
    card = classifier / "README.md"
    card.write_text(card.read_text("utf-8").replace("0.25", "0.5"), "utf-8")
    second = push_folder(classifier, repo, hub=any_hub, message="Two", private=True)
    assert [commit.title for commit in history(any_hub, repo)][:2] == ["Two", "One"]

    pins = PinStore(tmp_path / "pins.json")
    assert served(any_hub, repo, pins) == (second.revision, 0.5)
    pins.set(repo, first.revision)
    assert served(any_hub, repo, pins) == (first.revision, 0.25)


def served(hub, repo, pins):
    pulled = pull(repo, hub=hub, revision=effective_revision(repo, revisions={}, pins=pins))
    metric = headline_metric(front_matter((pulled.folder / "README.md").read_text("utf-8")))
    return pulled.revision, metric.value


def test_it_serves_from_the_cache_while_the_hub_is_away(any_hub, repo, classifier):
    pushed = push_folder(classifier, repo, hub=any_hub, message="Train", private=True)
    pull(repo, hub=any_hub)
    pulled = pull(repo, hub=replace(any_hub, endpoint="http://127.0.0.1:9"))
    assert (pulled.revision, pulled.away) == (pushed.revision, True)


def test_the_lab_is_deployed_as_a_space_and_again_without_a_commit(
    any_hub, any_name, repo, classifier, tmp_path
):
    from hub_utils import bundle as bundles
    from hub_utils import deploy
    from hub_utils.settings import Settings
    from hub_utils.space_order import Wish, order_for
    from hub_utils.space_stage import stage

    push_folder(classifier, repo, hub=any_hub, message="Train", private=False)
    settings = Settings(models={"classify": repo.name})
    bundle = bundles.read_bundle(ROOT / "spaces" / "lab")
    wish = Wish(name=any_name("lab"), private=True)
    order = order_for(bundle, wish, hub=any_hub, settings=settings)
    staged = tmp_path / "staged"
    stage(bundle, staged, project=ROOT, hardware=order.hardware, decided=order.card_fields())

    def once():
        plan = deploy.plan_deploy(order, deploy.look(order.repo, hub=any_hub), staged)
        return deploy.apply_deploy(plan, staged, hub=any_hub, secrets={}, message="Deploy")

    try:
        first = once()
    except AccessError as error:
        pytest.skip(f"this account may not have such a Space: {error.line()}")
    assert first.changed
    assert once() == replace(first, changed=False)
