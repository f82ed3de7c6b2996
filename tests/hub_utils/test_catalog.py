"""What the Hub tab lists."""

from dataclasses import replace

import pytest

from hub_utils.cards import DatasetFacts, Metric, ModelFacts, dataset_card, model_card
from hub_utils.catalog import history, published
from hub_utils.errors import HubUnavailableError, RepoNotFoundError
from hub_utils.names import RepoId
from hub_utils.push import push_folder


@pytest.fixture
def shelf(hub):
    """The same Hub, in a namespace that only this test uses."""
    return replace(hub, namespace="catalog")


def test_what_is_published_is_listed_newest_first_with_its_figure(shelf, folder, tmp_path):
    model, data = RepoId("catalog", "classifier"), RepoId("catalog", "texts", "dataset")
    facts = ModelFacts(
        title="Classifier",
        repo=model,
        pipeline_tag="text-classification",
        library_name="transformers",
        snippet="print()",
        metrics=(Metric("Accuracy", "accuracy", 0.978), Metric("F1", "f1", 0.9)),
    )
    (folder / "README.md").write_text(model_card(facts), "utf-8")
    pushed = push_folder(folder, model, hub=shelf, message="Publish")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train.csv").write_text("text\n")
    card = dataset_card(DatasetFacts("Texts", data, "", "print()", tags=("semantic-search",)))
    (tmp_path / "data" / "README.md").write_text(card)
    push_folder(tmp_path / "data", data, hub=shelf, message="Publish", private=True)

    found = {item.repo: item for item in published(shelf)}
    assert set(found) == {model, data}
    assert found[model].metric == Metric("Accuracy", "accuracy", 0.978)
    assert found[model].pipeline_tag == "text-classification"
    assert found[model].revision == pushed.revision
    assert found[model].url == f"{shelf.endpoint}/catalog/classifier"
    assert found[data].private
    assert found[data].tasks == ("semantic-search",)
    assert found[model].tasks == ("text-classification",)
    assert not found[model].private
    moments = [item.last_modified for item in published(shelf)]
    assert moments == sorted(moments, reverse=True)


def test_only_the_kinds_asked_for_are_listed(shelf, folder):
    push_folder(folder, RepoId("catalog", "classifier"), hub=shelf, message="Publish")
    assert {item.repo.type for item in published(shelf, types=["model"])} == {"model"}


def test_nothing_published_is_an_empty_list(hub):
    assert published(hub, namespace="nobody") == []


def test_history_is_newest_first_and_bounded(hub, repo, folder):
    for number in range(3):
        (folder / "config.json").write_text(f'{{"n": {number}}}')
        pushed = push_folder(folder, repo, hub=hub, message=f"Step {number}")
    commits = history(hub, repo, limit=2)
    assert [commit.title for commit in commits] == ["Step 2", "Step 1"]
    assert commits[0].revision == pushed.revision
    assert commits[0].author == "lab"
    assert commits[0].date >= commits[1].date


def test_what_cannot_be_listed_is_a_sentence(hub, repo):
    with pytest.raises(RepoNotFoundError, match=str(repo)):
        history(hub, repo)
    with pytest.raises(HubUnavailableError):
        published(replace(hub, endpoint="http://127.0.0.1:9"))
