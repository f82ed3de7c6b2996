import pytest

from hub_utils.errors import SettingsError
from tests.training.gpt.conftest import tiny_config
from training.gpt.config import TrainConfig
from training.gpt.plan import needed_memory, require_memory, schedule_of


def test_the_learning_rate_rises_then_falls_to_zero_with_the_budget():
    schedule = schedule_of(TrainConfig(warmup=0.1))
    rates = [schedule.rate(n / 100) for n in range(101)]
    assert rates[0] > 0
    assert max(rates) == pytest.approx(1.0)
    assert rates.index(max(rates)) == 10
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] == 0


def test_windows_grow_to_the_context():
    schedule = schedule_of(TrainConfig(context=256, first_context=64))
    sizes = [schedule.window(n / 100) for n in range(101)]
    assert (sizes[0], sizes[20], sizes[-1]) == (64, 128, 256)
    assert sizes == sorted(sizes)
    small = schedule_of(TrainConfig(context=32, first_context=64))
    assert {small.window(n / 100) for n in range(101)} == {32}
    assert schedule_of(TrainConfig(context=256, first_context=None)).window(0.0) == 256


def test_batches_grow_with_the_windows():
    config = TrainConfig(context=256, first_context=64, batch_tokens=1024, first_batch_tokens=512)
    schedule = schedule_of(config)
    assert (schedule.rows(0.0), schedule.rows(1.0)) == (8, 4)
    assert schedule_of(TrainConfig(context=256, batch_tokens=512)).rows(0.0) == 2


def test_a_longer_context_a_wider_model_and_more_rows_need_more_memory():
    least = needed_memory(tiny_config(), rows=1)
    assert needed_memory(tiny_config(context=4096), rows=1) > least
    assert needed_memory(tiny_config(width=64), rows=1) > least
    assert needed_memory(tiny_config(), rows=8) > least
    flat = needed_memory(tiny_config(context=8192), rows=1)
    assert needed_memory(tiny_config(context=8192, positions="alibi"), rows=1) > 1.5 * flat


def test_a_context_that_memory_cannot_hold_is_a_sentence():
    require_memory(tiny_config(), rows=1, available=2**30)
    with pytest.raises(SettingsError, match=r"context of 1,000,000 tokens needs about .* 1\.0 GiB"):
        require_memory(tiny_config(context=1_000_000), rows=1, available=2**30)
