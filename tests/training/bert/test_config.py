from dataclasses import replace

import pytest

from hub_utils.errors import SettingsError
from training.bert.config import PRESETS, TrainConfig, checked, preset


def test_every_preset_is_valid():
    for name in PRESETS:
        assert checked(preset(name)) == PRESETS[name]


def test_the_default_preset_fits_its_promise_of_three_minutes():
    assert PRESETS["quick"].max_seconds is not None
    assert PRESETS["quick"].max_seconds <= 180


def test_unknown_preset_lists_the_known_ones():
    with pytest.raises(SettingsError, match="no preset named 'fast'") as caught:
        preset("fast")
    assert "quick" in caught.value.hint


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_tokens", 2),
        ("lora_rank", -1),
        ("batch_size", 0),
        ("epochs", 0),
        ("max_steps", 0),
        ("max_seconds", 0),
        ("learning_rate", 0),
    ],
)
def test_a_value_that_cannot_work_is_named(field, value):
    with pytest.raises(SettingsError, match=f"--{field.replace('_', '-')}"):
        checked(replace(TrainConfig(), **{field: value}))
