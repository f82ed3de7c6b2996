"""Cards say what the run was, in the Hub's own format."""

import math

import numpy as np
import pytest
import yaml
from huggingface_hub import ModelCard

from hub_utils import cards
from hub_utils.cards import DatasetFacts, Metric, ModelFacts
from hub_utils.errors import LabError
from hub_utils.names import RepoId

REVISION = "0123456789abcdef0123456789abcdef01234567"
SNIPPET = (
    'from transformers import pipeline\n\nprint(pipeline("text-classification", "lab/m")("Hi."))'
)


def facts(**changes):
    values = {
        "title": "Reuters classifier",
        "repo": RepoId("lab", "m"),
        "pipeline_tag": "text-classification",
        "library_name": "transformers",
        "snippet": SNIPPET,
        "metrics": (
            Metric("Accuracy", "accuracy", np.float32(0.978)),
            Metric("Macro F1", "f1", 0.94),
        ),
        "base_model": "sentence-transformers/all-MiniLM-L6-v2",
        "base_revision": REVISION,
        "dataset_id": "lab/reuters-r8",
        "dataset_revision": REVISION,
        "dataset_split": "test",
        "tags": ("lora",),
        "command": "python -m training bert --seed 7",
        "seed": np.int64(7),
        "versions": {"torch": "2.14.1", "transformers": "5.24.0"},
        "hardware": "2 CPU cores",
        "train_seconds": np.float64(171.4),
        "intended_use": "Sorting short news.",
        "limits": "English of 1987.",
        "sections": {"Baseline": "tf-idf: 97.67"},
        "credits": "Reuters-21578.",
    }
    return ModelFacts(**{**values, **changes})


def test_the_official_library_reads_the_figures_back():
    card = ModelCard(cards.model_card(facts()))
    results = card.data.eval_results
    assert [(r.metric_type, r.metric_value) for r in results] == [("accuracy", 0.978), ("f1", 0.94)]
    assert results[0].dataset_type == "lab/reuters-r8"
    assert results[0].dataset_revision == REVISION
    assert results[0].dataset_split == "test"
    assert card.data.pipeline_tag == "text-classification"
    assert card.data.base_model == "sentence-transformers/all-MiniLM-L6-v2"
    assert card.data.datasets == ["lab/reuters-r8"]


def test_the_front_matter_holds_only_plain_values():
    """Safe YAML has no numpy in it: the real Hub's parser would fail on one."""
    content = yaml.safe_load(cards.split_card(cards.model_card(facts()))[0])
    value = content["model-index"][0]["results"][0]["metrics"][0]["value"]
    assert type(value) is float


def test_the_text_says_how_it_was_made():
    text = cards.model_card(facts())
    for said in (
        "97.80 %", "`python -m training bert --seed 7`", "171 s", "2 CPU cores", "torch 2.14.1",
        f"`lab/reuters-r8` at `{REVISION}`", "Sorting short news.", "English of 1987.",
        "tf-idf: 97.67", "Licence: apache-2.0.", "Reuters-21578.", "| seed | 7 |",
    ):  # fmt: skip
        assert said in text


def test_the_snippet_comes_back_as_it_was():
    card = cards.model_card(facts(sections={"More": "```python\nraise SystemExit\n```"}))
    assert cards.snippet_of(card).strip() == SNIPPET


def test_a_card_without_python_says_so():
    with pytest.raises(LabError, match="no Python block"):
        cards.snippet_of("# Bare\n\n```bash\nls\n```\n")


def test_the_headline_is_the_first_figure():
    content = cards.front_matter(cards.model_card(facts()))
    assert cards.headline_metric(content) == Metric("Accuracy", "accuracy", 0.978)


@pytest.mark.parametrize(
    "card",
    ["", "# No front matter", "---\n- a list\n---\n", "---\nmodel-index: 3\n---\n", "---\n: [\n---\n",
     "---\nmodel-index:\n- results:\n  - metrics:\n    - type: accuracy\n      value: high\n---\n",
     "---\n!!python/object/apply:os.system ['true']\n---\n"],
)  # fmt: skip
def test_a_damaged_card_has_no_headline_and_harms_nothing(card):
    assert cards.headline_metric(cards.front_matter(card)) is None


def test_a_figure_that_is_no_number_stays_out_of_the_index():
    card = ModelCard(
        cards.model_card(
            facts(metrics=(Metric("Loss", "loss", math.nan), Metric("A", "accuracy", 0.5)))
        )
    )
    assert [r.metric_type for r in card.data.eval_results] == ["accuracy"]


def test_a_card_without_figures_is_still_a_card():
    card = ModelCard(cards.model_card(facts(metrics=())))
    assert card.data.eval_results is None
    assert card.data.license == "apache-2.0"


@pytest.mark.parametrize(
    "path",
    [
        "/home/ada/tickets.csv",
        "./tickets.csv",
        "data/tickets.csv",
        "~/tickets.csv",
        "C:\\data\\tickets.csv",
    ],
)
def test_a_local_path_is_named_in_the_text_by_its_last_part_only(path):
    text = cards.model_card(facts(dataset_id=path, dataset_revision=None))
    content = cards.front_matter(text)
    assert "datasets" not in content
    assert content["model-index"][0]["results"][0]["dataset"]["type"] == "local"
    assert "`tickets.csv`" in text
    assert path not in text


def test_a_folder_that_exists_is_a_path_even_if_it_looks_like_an_id(tmp_path, monkeypatch):
    (tmp_path / "lab" / "base").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    content = cards.front_matter(cards.model_card(facts(base_model="lab/base")))
    assert "base_model" not in content


def test_values_cannot_break_out_of_their_table_or_code():
    text = cards.model_card(facts(command="echo `x` | cat\n## Heading", hardware="a | b"))
    assert "\n## Heading" not in text
    assert "a \\| b" in text


def test_a_dataset_card_names_splits_columns_source_and_licence():
    text = cards.dataset_card(
        DatasetFacts(
            title="Reuters R8",
            repo=RepoId("lab", "reuters-r8", "dataset"),
            summary="News with eight topics.",
            snippet='from datasets import load_dataset\n\nprint(load_dataset("lab/reuters-r8"))',
            source="Reuters-21578.",
            license="cc-by-4.0",
            task_categories=("text-classification",),
            data_files={"train": "train.parquet", "test": "test.parquet"},
            rows={"train": 5485, "test": 2189},
            columns={"text": "the article", "label": "its topic"},
            credits="David D. Lewis.",
        )
    )
    content = cards.front_matter(text)
    assert content["configs"][0]["data_files"][0] == {"split": "train", "path": "train.parquet"}
    assert content["license"] == "cc-by-4.0"
    for said in ("| train | 5,485 |", "| label | its topic |", "Reuters-21578.", "David D. Lewis."):
        assert said in text
    assert "load_dataset" in cards.snippet_of(text)
