"""A run that was interrupted, or that goes on from a published one, ends where it should."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from hub_utils.errors import SettingsError
from tests.training.diffusion.conftest import TINY
from training.diffusion.config import TrainConfig, checked, continued
from training.diffusion.model import build_denoiser, build_scheduler
from training.diffusion.replicas import Replicas
from training.diffusion.train import Material, NoisyBatch, denoising_loss, train, with_noise
from training.shared.progress import Progress


class Interrupted(Progress):
    """Ends the run as Ctrl-C does, in the step of a phase."""

    at: tuple[str, int] = ("train", 3)

    def update(self, **state: Any) -> None:
        super().update(**state)
        if (self.phase, self.step) == self.at:
            raise KeyboardInterrupt


def run(corpus, text_encoder: Path, folder: Path, **more: Any) -> Any:
    progress = more.pop("progress", None) or Progress("diffusion", folder, quiet=True)
    material = Material(corpus.train.take(range(12)), corpus.train)
    config = more.pop("config", replace(TINY, checkpoint_seconds=0.0))
    return train(
        material, config, text_folder=text_encoder, output=folder, progress=progress, **more
    )


@pytest.mark.parametrize("at", [("autoencoder", 2), ("train", 3)])
def test_a_resumed_run_has_the_weights_of_an_uninterrupted_one(
    at, corpus, text_encoder, tmp_path
) -> None:
    whole = run(corpus, text_encoder, tmp_path / "whole")
    stopped = Interrupted("diffusion", tmp_path / "broken", quiet=True)
    stopped.at = at
    with pytest.raises(KeyboardInterrupt):
        run(corpus, text_encoder, tmp_path / "broken", progress=stopped)
    resumed = run(corpus, text_encoder, tmp_path / "broken", resume=True)
    assert resumed.steps == whole.steps == TINY.max_steps
    for name in ("unet", "vae"):
        theirs = getattr(whole.pipeline, name).state_dict()
        for key, weight in getattr(resumed.pipeline, name).state_dict().items():
            torch.testing.assert_close(weight, theirs[key], atol=1e-5, rtol=0, msg=key)


def test_resuming_with_other_settings_is_refused(corpus, text_encoder, tmp_path) -> None:
    run(corpus, text_encoder, tmp_path)
    other = replace(TINY, augment=0.1)
    with pytest.raises(SettingsError, match="augment"):
        run(corpus, text_encoder, tmp_path, resume=True, config=other)


def test_it_goes_on_from_a_published_folder(finished, corpus, text_encoder, tmp_path) -> None:
    published = finished[0] / "repository"
    short = {"max_seconds": None, "max_steps": 1, "decoder_seconds": None, "decoder_steps": 2}
    config = continued(replace(TrainConfig(), **short), published)
    assert (config.image_size, config.widths) == (TINY.image_size, TINY.widths)
    usual = TrainConfig()
    assert config.matrix_rate < usual.matrix_rate
    asked_for = continued(usual, published, asked_for=["matrix_rate"])
    assert asked_for.matrix_rate == usual.matrix_rate
    assert asked_for.decoder_rate < usual.decoder_rate
    config = replace(config, matrix_rate=1e-12, other_rate=1e-12, average=0.0)
    went_on = run(corpus, text_encoder, tmp_path, start=published, config=config)
    from diffusers import AutoencoderTiny, UNet2DConditionModel

    before = UNet2DConditionModel.from_pretrained(published / "unet").state_dict()
    for key, weight in went_on.pipeline.unet.state_dict().items():
        torch.testing.assert_close(weight, before[key], atol=1e-6, rtol=0, msg=key)
    assert went_on.decoder_steps == 2
    latents_by = AutoencoderTiny.from_pretrained(published / "vae").encoder.state_dict()
    for key, weight in went_on.pipeline.vae.encoder.state_dict().items():
        torch.testing.assert_close(weight, latents_by[key], msg=key)


def test_a_folder_that_is_no_painter_cannot_be_gone_on_from(tmp_path) -> None:
    with pytest.raises(SettingsError, match="does not say what it was made with"):
        continued(TINY, tmp_path)


def a_batch(count: int = 7) -> NoisyBatch:
    generator = torch.Generator().manual_seed(1)
    latents = torch.randn(count, 6, 4, 4, generator=generator)
    prompts = torch.randn(count, 16, 32, generator=generator)
    signal = build_scheduler().alphas_cumprod
    return with_noise(latents, prompts, signal=signal, generator=generator, noisier=1.5)


def test_the_picture_follows_from_the_velocity() -> None:
    batch = a_batch()
    kept = build_scheduler().alphas_cumprod[batch.times][:, None, None, None]
    latents = kept.sqrt() * batch.noisy - (1 - kept).sqrt() * batch.wanted
    wanted = torch.randn(7, 6, 4, 4, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(latents, wanted, atol=1e-5, rtol=0)
    assert len(set(batch.times.tolist())) == 7


@pytest.mark.parametrize("count", [1, 2, 3, 9])
def test_replicas_leave_the_gradients_of_the_whole_batch(count) -> None:
    torch.manual_seed(0)
    denoiser, batch = build_denoiser(TINY, text_width=32), a_batch()
    found = denoiser(batch.noisy, batch.times, batch.prompts, return_dict=False)[0]
    loss = torch.nn.functional.mse_loss(found, batch.wanted)
    loss.backward()
    whole = [weight.grad for weight in denoiser.parameters()]
    denoiser.zero_grad(set_to_none=True)
    learn = partial(denoising_loss, whole=7)
    found = Replicas(denoiser, count).backward(batch.pieces(count), learn)
    assert found == pytest.approx(float(loss.detach()), abs=1e-5)
    for weight, gradient in zip(denoiser.parameters(), whole, strict=True):
        torch.testing.assert_close(weight.grad, gradient, atol=1e-5, rtol=1e-3)


@pytest.mark.parametrize(
    "bad",
    [
        {"pictures": 12, "variants": True},
        {"pictures": 1},
        {"image_size": 20},
        {"batch_size": 0},
        {"max_seconds": 0.0},
        {"augment": 9.0},
        {"sampling_steps": 0},
        {"guidance": -1.0},
    ],
)
def test_settings_that_cannot_work_are_a_sentence(bad) -> None:
    option = next(iter(bad)).replace("_", "-")
    with pytest.raises(SettingsError, match=f"--{option} must be"):
        checked(replace(TINY, **bad))
