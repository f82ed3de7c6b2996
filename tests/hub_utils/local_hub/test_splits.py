from hub_utils.local_hub.splits import find_splits

PATHS = ["README.md", "data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet"]


def test_card_decides_which_file_is_which_split():
    card = {
        "configs": [
            {
                "config_name": "default",
                "data_files": [
                    {"split": "train", "path": "data/train-*"},
                    {"split": "held_out", "path": ["rest/*.csv", "rest/*.jsonl"]},
                ],
            }
        ]
    }
    assert find_splits(card, [*PATHS, "rest/a.jsonl"]) == {
        "train": "data/train-00000-of-00002.parquet",
        "held_out": "rest/a.jsonl",
    }


def test_several_configs_are_told_apart():
    configs = [{"config_name": name, "data_files": f"{name}.csv"} for name in ("small", "large")]
    assert find_splits({"configs": configs}, ["large.csv", "small.csv"]) == {
        "small / train": "small.csv",
        "large / train": "large.csv",
    }


def test_without_a_card_names_decide_and_train_comes_first():
    found = find_splits({}, ["a/test.csv", "val.csv", "train.csv", "notes.md"])
    assert list(found.items()) == [
        ("train", "train.csv"),
        ("validation", "val.csv"),
        ("test", "a/test.csv"),
    ]


def test_single_file_of_any_name_is_train():
    assert find_splits({}, ["latest.csv"]) == {"train": "latest.csv"}


def test_nonsense_in_a_card_is_survived():
    for configs in ("x", [1], [{"data_files": 3}], [{"data_files": [{"path": None}]}], {}):
        assert find_splits({"configs": configs}, ["train.csv"]) == {"train": "train.csv"}


def test_no_more_splits_than_a_page_can_show():
    assert (
        len(
            find_splits(
                {
                    "configs": [
                        {"data_files": [{"split": f"s{n}", "path": "a.csv"} for n in range(99)]}
                    ]
                },
                ["a.csv"],
            )
        )
        == 12
    )
