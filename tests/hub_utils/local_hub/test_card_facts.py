import json

import pytest

from hub_utils.local_hub.card_facts import MAX_NODES, parse_card, read_facts

CARD = b"""---
license: mit
language: [en, zh]
tags: [tiny]
datasets: lab/reuters-r8
base_model: sentence-transformers/all-MiniLM-L6-v2
---
# Title
"""


def test_tags_come_from_the_card_as_on_the_real_hub():
    facts = read_facts("model", {"README.md": CARD}, ["README.md"])
    assert set(facts.tags) == {
        "tiny", "en", "zh", "license:mit", "dataset:lab/reuters-r8",
        "base_model:sentence-transformers/all-MiniLM-L6-v2",
    }  # fmt: skip


def test_dataset_languages_are_prefixed():
    facts = read_facts("dataset", {"README.md": CARD}, ["README.md"])
    assert {"language:en", "language:zh"} <= set(facts.tags)


def test_space_is_tagged_with_its_sdk():
    facts = read_facts("space", {"README.md": b"---\nsdk: gradio\n---\n"}, ["README.md"])
    assert facts.tags == ("gradio",)


@pytest.mark.parametrize(
    ("architecture", "task"),
    [
        ("BertForSequenceClassification", "text-classification"),
        ("LlamaForCausalLM", "text-generation"),
        ("GPT2LMHeadModel", "text-generation"),
        ("BertForMaskedLM", "fill-mask"),
        ("BertModel", None),
    ],
)
def test_task_and_library_come_from_the_config_when_the_card_is_silent(architecture, task):
    config = json.dumps({"architectures": [architecture], "model_type": "bert"}).encode()
    facts = read_facts("model", {"config.json": config}, ["config.json"])
    assert (facts.library_name, facts.pipeline_tag) == ("transformers", task)


def test_the_cards_word_wins_over_the_config():
    card = b"---\nlibrary_name: peft\npipeline_tag: summarization\n---\n"
    config = b'{"architectures": ["BertForMaskedLM"], "model_type": "bert"}'
    files = {"README.md": card, "config.json": config}
    facts = read_facts("model", files, files)
    assert (facts.library_name, facts.pipeline_tag) == ("peft", "summarization")


@pytest.mark.parametrize(
    ("name", "library"),
    [
        ("modules.json", "sentence-transformers"),
        ("adapter_config.json", "peft"),
        ("model_index.json", "diffusers"),
        ("open_clip_config.json", "open_clip"),
    ],
)
def test_library_is_known_by_its_file(name, library):
    facts = read_facts("model", {name: b"{}"}, [name, "config.json"])
    assert facts.library_name == library


@pytest.mark.parametrize(
    "text", ["", "# no front matter", "---\nnever closed", "text\n---\na: 1\n---"]
)
def test_card_without_front_matter_has_no_data_and_no_problem(text):
    assert parse_card(text) == ({}, None)


@pytest.mark.parametrize(
    "inside", ["a: [", "- a\n- b", "just text", "a: !!python/object:os.system {}"]
)
def test_broken_front_matter_is_a_problem_not_a_crash(inside):
    data, problem = parse_card(f"---\n{inside}\n---\n")
    assert data == {}
    assert problem


def test_aliases_that_stand_for_billions_are_refused():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
    data, problem = parse_card("---\n" + "\n".join(lines) + "\n---\n")
    assert data == {}
    assert f"{MAX_NODES:,}" in problem


def test_values_that_json_cannot_carry_become_text():
    data, _ = parse_card("---\nwhen: 2026-01-02\nscore: .nan\n1: one\n---\n")
    assert data == {"when": "2026-01-02", "score": "nan", "1": "one"}


def test_windows_line_ends_are_read():
    assert parse_card("---\r\nlicense: mit\r\n---\r\ntext") == ({"license": "mit"}, None)
