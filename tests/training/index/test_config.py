import pytest

from hub_utils.errors import SettingsError
from training.index.config import PRESETS, IndexConfig, checked, preset, window


def test_presets_hold_their_own_rules():
    for config in PRESETS.values():
        assert checked(config) == config
    assert PRESETS["quick"].split == "test"
    assert PRESETS["full"].split is None


def test_an_unknown_preset_names_those_there_are():
    with pytest.raises(SettingsError, match="'fast'") as caught:
        preset("fast")
    assert "quick" in caught.value.hint


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"max_tokens": 4}, "--max-tokens must be at least 16"),
        ({"overlap_tokens": -1}, "--overlap-tokens must not be negative"),
        ({"max_tokens": 32, "overlap_tokens": 20}, "at most half of --max-tokens"),
        ({"shards": 6}, "--shards must be a power of two"),
        ({"shards": 0}, "--shards must be a power of two"),
        ({"shards": 4096}, "--shards must be a power of two up to 1024"),
    ],
)
def test_values_that_cannot_work_are_refused_by_their_option(values, said):
    with pytest.raises(SettingsError, match=said):
        checked(IndexConfig(**values))


def test_a_passage_is_as_long_as_the_encoder_reads_unless_told():
    assert window(IndexConfig(), 256) == 256
    assert window(IndexConfig(max_tokens=100), 256) == 100


def test_a_passage_longer_than_the_encoder_reads_is_refused():
    with pytest.raises(SettingsError, match="--max-tokens 512 is more than"):
        window(IndexConfig(max_tokens=512), 256)
    with pytest.raises(SettingsError, match="--overlap-tokens 32 is more than half"):
        window(IndexConfig(), 48)


def test_a_folder_as_encoder_is_called_by_its_name_alone(tmp_path):
    assert IndexConfig(encoder=str(tmp_path)).encoder_name == tmp_path.name
    assert IndexConfig(encoder="lab/encoder").encoder_name == "lab/encoder"
