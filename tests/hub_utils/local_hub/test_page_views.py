import pytest

from hub_utils.local_hub.errors import EntryNotFound, RevisionNotFound
from hub_utils.local_hub.page_views import (
    at_revision,
    count_text,
    folder_steps,
    metrics_of,
    size_text,
    view_blob,
    view_card,
)
from hub_utils.local_hub.payload import AddBytes


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (90_868_376, "90.9 MB"), (5 * 10**12, "5e+03 GB")],
)
def test_sizes_read_as_people_say_them(size, text):
    assert size_text(size) == text


def test_counts_read_as_people_say_them():
    assert [count_text(n) for n in (12, 1234, 22_713_216, 7_000_000_000)] == [
        "12", "1.23k", "22.7M", "7B",
    ]  # fmt: skip


def test_steps_lead_to_a_path_folder_by_folder():
    assert folder_steps("a/b/c.txt") == [("a", "a"), ("b", "a/b"), ("c.txt", "a/b/c.txt")]
    assert folder_steps("") == []


def test_figures_are_read_and_nonsense_among_them_is_left_out():
    card = {
        "model-index": [
            "x",
            {"results": "y"},
            {
                "results": [
                    {
                        "dataset": {"name": "R8"},
                        "metrics": [
                            {"name": "Accuracy", "value": 0.97831},
                            {"type": "f1", "value": 1},
                            3,
                        ],
                    },
                    {"dataset": "odd", "metrics": None},
                ]
            },
        ]
    }
    figures = [(metric.name, metric.value, metric.dataset) for metric in metrics_of(card)]
    assert figures == [("Accuracy", "0.9783", "R8"), ("f1", "1", "R8")]


@pytest.mark.parametrize("card", [{}, {"model-index": None}, {"model-index": {"results": []}}])
def test_card_without_figures_has_none(card):
    assert metrics_of(card) == []


@pytest.fixture
def at(store, key):
    """A revision of `key` with a card that names a base model which is here, and one which is not."""
    card = f"---\nbase_model: [{key.id}, lab/elsewhere, '../odd']\nlanguage: [en, zh]\n---\n# Title"
    files = [AddBytes("README.md", card.encode()), AddBytes("empty.txt", b"")]
    store.commit(key, "main", files, summary="add")
    return at_revision(store, store.get_repo(key), "main")


def test_facts_link_only_to_what_is_here(store, key, at):
    facts = dict(view_card(store, at, "").facts)
    assert [(fact.text, fact.url) for fact in facts["base_model"]] == [
        (key.id, f"/{key.id}"),
        ("lab/elsewhere", ""),
        ("../odd", ""),
    ]
    assert [fact.text for fact in facts["languages"]] == ["en, zh"]


def test_card_of_another_revision_decides_its_own_facts(store, key, at):
    store.commit(key, "main", [AddBytes("README.md", b"---\nlanguage: de\n---\n")], summary="two")
    older = at_revision(store, store.get_repo(key), at.sha)
    assert [fact.text for fact in dict(view_card(store, older, "").facts)["languages"]] == [
        "en, zh"
    ]


def test_empty_file_is_one_empty_line(store, at):
    assert view_blob(store, at, "empty.txt").lines == [""]


def test_what_is_not_there_is_an_error(store, key, at):
    with pytest.raises(EntryNotFound):
        view_blob(store, at, "no.txt")
    with pytest.raises(RevisionNotFound):
        at_revision(store, at.record, "no-branch")


def test_addresses_keep_odd_names_in_their_place(at):
    assert at.url("tree", "a b/ü?.txt", revision="feat/x") == (
        "/lab/sample/tree/feat%2Fx/a%20b/%C3%BC%3F.txt"
    )
