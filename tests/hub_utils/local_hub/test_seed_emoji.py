import io

import pyarrow.parquet as pq
import pytest

from hub_utils.local_hub.seed_emoji import build_twemoji_captions, caption_of
from hub_utils.local_hub.seed_emoji_names import LANGUAGES, base_of, key_of


@pytest.fixture(scope="module")
def files():
    return build_twemoji_captions()


@pytest.fixture(scope="module")
def splits(files):
    return {
        name: pq.read_table(io.BytesIO(files[f"data/{name}-00000-of-00001.parquet"])).to_pylist()
        for name in ("train", "test")
    }


@pytest.fixture(scope="module")
def by_codepoints(splits):
    return {row["codepoints"]: row for rows in splits.values() for row in rows}


@pytest.mark.parametrize(
    ("name", "category", "caption"),
    [
        ("grinning face", "Smileys & Emotion", "grinning face"),
        ("waving hand dark skin tone", "People & Body", "waving hand with dark skin tone"),
        (
            "man medium skin tone red hair",
            "People & Body",
            "man with medium skin tone and red hair",
        ),
        (
            "kiss light skin tone medium-dark skin tone",
            "People & Body",
            "kiss with light skin tone and medium-dark skin tone",
        ),
        ("dark skin tone", "Component", "dark skin tone"),
        ("Japan", "Flags", "flag of Japan"),
        ("pirate flag", "Flags", "pirate flag"),
    ],
)
def test_captions_read_like_a_description(name, category, caption):
    assert caption_of(name, category) == caption


@pytest.mark.parametrize(
    ("variant", "base"),
    [
        ("1f44b-1f3ff", "1f44b"),
        ("1f3c3-1f3fd-200d-2642-200d-27a1", "1f3c3"),
        ("1f468-1f3fb-200d-1f9b0", "1f9d1"),
        ("1f469-1f3fd-200d-1f52c", "1f9d1-200d-1f52c"),
        ("1f468-1f3fb-200d-2764-200d-1f468-1f3ff", "1f491"),
        ("1f468-1f3fb-200d-1f430-200d-1f468-1f3fc", "1f46f"),
        ("1f936-1f3fb", "1f9d1-200d-1f384"),
        ("1f3ff", "1f3ff"),
        ("1f1ef-1f1f5", "1f1ef-1f1f5"),
    ],
)
def test_variants_of_a_person_have_one_base(variant, base):
    assert base_of(variant) == base


def test_keys_ignore_zeros_case_and_variation_selectors():
    assert key_of("0023-FE0F-20E3") == "23-20e3"


def test_every_picture_of_the_package_is_there_once(splits, by_codepoints):
    assert sum(map(len, splits.values())) == len(by_codepoints) == 4009
    assert len(splits["test"]) > 300


def test_no_variant_and_no_identical_drawing_crosses_the_split(splits):
    for value in (lambda row: row["base_emoji"], lambda row: row["image"]["bytes"]):
        train, test = ({value(row) for row in splits[name]} for name in ("train", "test"))
        assert not train & test


def test_every_row_is_described(by_codepoints):
    for row in by_codepoints.values():
        assert row["caption"]
        assert row["name"]
        assert row["category"]
        assert row["subgroup"]
        assert row["keywords"]


def test_names_come_in_thirteen_languages(by_codepoints):
    names = by_codepoints["1f34e"]["names"]
    assert set(names) == set(LANGUAGES)
    assert len(LANGUAGES) == 13
    assert names["zh"] == "红苹果"
    assert names["de"] == "roter apfel"


def test_unnamed_pictures_get_the_name_of_what_they_vary(by_codepoints):
    assert by_codepoints["1f1fd"]["caption"] == "regional indicator X"
    assert by_codepoints["26f7-1f3fd"]["caption"] == "skier with medium skin tone"
    assert by_codepoints["1f574-fe0f-200d-2640-fe0f"]["caption"] == "woman in suit levitating"
    assert by_codepoints["1f468-200d-1f384"]["name"] == by_codepoints["1f385"]["name"]


def test_building_again_gives_the_same_bytes(files):
    assert build_twemoji_captions() == files


def test_stock_datasets_gives_pictures(files, tmp_path):
    from datasets import load_dataset

    for path, content in files.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(content)
    data = load_dataset(str(tmp_path), split="test", cache_dir=str(tmp_path / "cache"))
    first = data[0]
    assert first["image"].size == (72, 72)
    assert isinstance(first["aliases"], list)
    assert first["caption"]


def test_card_credits_twemoji_and_says_what_is_odd(files):
    card = files["README.md"].decode()
    assert "license: cc-by-4.0" in card
    assert "credit Twemoji" in card
    assert "15 pictures are byte for byte the same" in card
