from dataclasses import replace

import pytest

from hub_utils.errors import SettingsError
from training.gpt.config import (
    CHOICES,
    PRESETS,
    ModelConfig,
    TrainConfig,
    checked,
    preset,
    without_time_limit,
)


def test_every_preset_is_valid():
    for name in PRESETS:
        assert checked(preset(name)) == PRESETS[name]


def test_the_default_preset_fits_its_promise_of_two_minutes():
    assert PRESETS["quick"].max_seconds is not None
    assert PRESETS["quick"].max_seconds <= 120


def test_preset_gpt2_has_the_shape_of_the_stock_gpt2():
    from transformers import GPT2Config

    stock, ours = GPT2Config(), PRESETS["gpt2"]
    assert (ours.layers, ours.width, ours.heads) == (stock.n_layer, stock.n_embd, stock.n_head)
    assert (ours.context, ours.vocab_size, ours.hidden) == (1024, stock.vocab_size, 4 * 768)


def test_unknown_preset_lists_the_known_ones():
    with pytest.raises(SettingsError, match="no preset named 'fast'") as caught:
        preset("fast")
    assert "quick" in caught.value.hint


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("vocab_size", 0),
        ("context", 0),
        ("layers", 0),
        ("width", 0),
        ("heads", 3),
        ("kv_heads", 3),
        ("hidden", -1),
        ("experts", 0),
        ("dropout", 1.0),
        ("batch_tokens", 1),
        ("max_steps", 0),
        ("max_seconds", 0),
        ("learning_rate", 0),
        ("embedding_learning_rate", -1),
        ("weight_decay", -0.1),
        ("checkpoint_seconds", 0),
    ],
)
def test_a_value_that_cannot_work_is_named(field, value):
    with pytest.raises(SettingsError, match=f"--{field.replace('_', '-')}"):
        checked(replace(TrainConfig(), **{field: value}))


@pytest.mark.parametrize("field", CHOICES)
def test_an_unknown_choice_lists_the_known_ones(field):
    with pytest.raises(SettingsError, match=f"--{field} 'other' is not known") as caught:
        checked(replace(TrainConfig(), **{field: "other"}))
    assert all(choice in caught.value.hint for choice in CHOICES[field])


def test_experts_of_a_token_are_among_the_experts():
    with pytest.raises(SettingsError, match=r"--experts-per-token 5 .* --experts 4"):
        checked(replace(TrainConfig(), experts=4, experts_per_token=5))
    assert checked(replace(TrainConfig(), experts=1, experts_per_token=2))


def test_rope_needs_pairs_in_a_head_and_waves_pairs_in_the_width():
    with pytest.raises(SettingsError, match="even width, not 5"):
        checked(ModelConfig(vocab_size=9, width=20, heads=4))
    assert checked(ModelConfig(vocab_size=9, width=20, heads=4, positions="alibi"))
    with pytest.raises(SettingsError, match="even --width, not 15"):
        checked(ModelConfig(vocab_size=9, width=15, heads=3, kv_heads=3, positions="sinusoidal"))


def test_the_model_takes_its_shape_from_the_training_and_its_rows_from_the_tokenizer():
    config = TrainConfig(width=64, heads=2, kv_heads=1, positions="alibi", dropout=0.1)
    shape = config.model_config(77)
    assert (shape.vocab_size, shape.width, shape.heads, shape.kv_heads) == (77, 64, 2, 1)
    assert (shape.positions, shape.dropout, shape.head_size) == ("alibi", 0.1, 32)


def test_without_time_limit_only_steps_count():
    assert without_time_limit(TrainConfig(max_seconds=9.0, max_steps=5)).max_seconds is None


def test_a_head_of_its_own_comes_where_the_vocabulary_is_small():
    config = TrainConfig(width=128)
    assert [config.model_config(size).tied for size in (244, 256, 257, 2048)] == [
        False, False, True, True,
    ]  # fmt: skip
    assert TrainConfig(width=128, tied=True).model_config(244).tied
