import json
import shutil
from dataclasses import replace

import pytest
import torch

from hub_utils.errors import SettingsError
from tests.training.gpt.conftest import tale
from training.gpt import loop
from training.gpt.config import TrainConfig
from training.gpt.data import load_corpus
from training.gpt.evaluate import held_out_loss
from training.gpt.train import NO_LIMIT, _budget, train
from training.shared import checkpoint
from training.shared.progress import Progress

TINY = TrainConfig(
    tokenizer="char",
    context=48,
    first_context=24,
    layers=2,
    width=32,
    heads=2,
    kv_heads=1,
    hidden=48,
    batch_tokens=480,
    max_steps=80,
)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "tale.txt"
    path.write_text(tale(12_000))
    return load_corpus(str(path), hub=None, config=TINY)


def trained(corpus, folder, config=TINY, **options):
    return train(corpus, config, output=folder, progress=Progress("gpt", folder), **options)


@pytest.fixture(scope="module")
def whole(corpus, tmp_path_factory):
    """One run, with what it told on the way."""
    folder = tmp_path_factory.mktemp("whole")
    told = []
    return trained(corpus, folder, on_sample=lambda step, text: told.append((step, text))), (
        folder,
        told,
    )


def test_a_tale_is_learned_better_than_its_letters_frequencies(whole, corpus):
    result, _ = whole
    assert result.main
    assert (result.steps, result.tokens_seen) == (80, 80 * 480)
    assert held_out_loss(result.model, corpus.held_out_ids) < 2.2
    assert result.parameters == sum(p.numel() for p in result.model.parameters())


def test_the_curve_has_every_step_and_now_and_then_the_validation_loss(whole):
    result, (folder, _) = whole
    assert [point["step"] for point in result.history] == list(range(1, 81))
    seconds = [point["seconds"] for point in result.history]
    assert seconds == sorted(seconds)
    validation = [point["validation"] for point in result.history if "validation" in point]
    assert len(validation) == loop.VALIDATIONS
    assert validation[-1] < validation[0]
    progress = json.loads((folder / "progress.json").read_text())
    assert progress["history"]


def test_it_shows_what_it_writes_as_it_learns(whole):
    _, (_, told) = whole
    assert len(told) == loop.SAMPLES
    assert [step for step, _ in told] == sorted(step for step, _ in told)
    assert all(text for _, text in told)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(whole, corpus, tmp_path):
    first, _ = whole
    again = trained(corpus, tmp_path / "again")
    other = trained(corpus, tmp_path / "other", TrainConfig(**{**vars(TINY), "seed": 1}))
    for name, weight in first.model.state_dict().items():
        assert torch.equal(again.model.state_dict()[name], weight), name
    assert not torch.equal(other.model.embedding.weight, first.model.embedding.weight)


def test_a_run_stopped_between_checkpoints_goes_on_to_the_same_weights(
    whole, corpus, tmp_path, monkeypatch
):
    """Stopped at step 50 with a checkpoint of step 30: the twenty steps are taken again."""

    class StoppedError(Exception):
        pass

    tell, save = loop._tell, loop.save

    def stop_at_50(run, loss, progress):
        tell(run, loss, progress)
        if run.step == 50:
            raise StoppedError

    def save_at_30(run, config, folder):
        if run.step == 30:
            save(run, config, folder)

    often = TrainConfig(**{**vars(TINY), "checkpoint_seconds": 1e-9})
    with monkeypatch.context() as patch:
        patch.setattr(loop, "_tell", stop_at_50)
        patch.setattr(loop, "save", save_at_30)
        with pytest.raises(StoppedError):
            trained(corpus, tmp_path, often)
    assert checkpoint.load(tmp_path / "checkpoint").state["step"] == 30
    resumed = trained(corpus, tmp_path, often, resume=True)
    first, _ = whole
    assert (resumed.steps, resumed.tokens_seen) == (first.steps, first.tokens_seen)
    for name, weight in first.model.state_dict().items():
        assert torch.equal(resumed.model.state_dict()[name], weight), name
    losses = [(point["step"], point["loss"]) for point in first.history]
    assert [(point["step"], point["loss"]) for point in resumed.history] == losses


def test_resuming_with_other_settings_is_refused(corpus, tmp_path):
    short = TrainConfig(**{**vars(TINY), "max_steps": 4, "checkpoint_seconds": 1e-9})
    trained(corpus, tmp_path, short)
    with pytest.raises(SettingsError, match="width=32, not 64"):
        trained(corpus, tmp_path, TrainConfig(**{**vars(short), "width": 64}), resume=True)


def test_seconds_end_a_run(corpus, tmp_path):
    limited = TrainConfig(**{**vars(TINY), "max_steps": None, "max_seconds": 2.0})
    result = trained(corpus, tmp_path, limited)
    assert 0 < result.steps < 10**6
    assert result.history[-1]["seconds"] <= result.seconds
    shutil.rmtree(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"positions": "alibi"},
        {"positions": "learned", "norm": "layernorm", "activation": "gelu", "bias": True},
        {"positions": "sinusoidal", "optimizer": "adamw", "learning_rate": 3e-3},
        {"experts": 3, "dropout": 0.1},
    ],
)
def test_every_kind_of_model_trains(corpus, tmp_path, changes):
    config = TrainConfig(**{**vars(TINY), "max_steps": 12, "kv_heads": 2, **changes})
    losses = [point["loss"] for point in trained(corpus, tmp_path, config).history]
    assert losses[-1] < losses[0] - 0.3


def test_seconds_are_not_spent_on_passes_that_only_teach_by_heart(corpus):
    config = replace(TINY, max_steps=None, max_seconds=1e6, max_epochs=2.0)
    a_pass = -(-len(corpus.train_ids) // config.batch_tokens)
    assert _budget(config, corpus, spent=0.0).max_steps == 2 * a_pass
    assert _budget(replace(config, max_epochs=None), corpus, spent=0.0).max_steps == NO_LIMIT
    assert _budget(replace(config, max_steps=7), corpus, spent=0.0).max_steps == 7
