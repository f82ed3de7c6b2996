"""Learn the decoder: from a few components of each patch back to the whole picture.

Legend: b pictures of a step, s pixels a side.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor

from training.diffusion.augment import moved
from training.diffusion.config import TrainConfig
from training.diffusion.model import components_in
from training.diffusion.replicas import Replicas
from training.shared.device import probe
from training.shared.muon_adamw import MuonAdamW
from training.shared.schedule import Budget, one_cycle

BATCH = 24
OTHER_RATE = 1e-3  # AdamW's, of the biases
NOISE = 0.1  # standard deviation added to latents, since a U-Net's are not exact
EDGES = 0.5  # weight of the differences between neighbours, where blur shows


class DecoderRun:
    """The moving parts of the decoder's training; all of it goes into a checkpoint."""

    def __init__(self, autoencoder: Any, config: TrainConfig) -> None:
        self.autoencoder, self.components = autoencoder, components_in(autoencoder)
        weights = list(autoencoder.decoder.parameters())
        self.optimizer = MuonAdamW(
            [weight for weight in weights if weight.ndim > 1],
            [weight for weight in weights if weight.ndim <= 1],
            matrix_rate=config.decoder_rate,
            other_rate=OTHER_RATE,
        )
        self._replicas = Replicas(autoencoder.decoder)
        self.budget = Budget(config.decoder_steps, config.decoder_seconds)
        self.step, self.seconds = 0, 0.0

    @property
    def used(self) -> float:
        """Share of the budget."""
        return self.budget.progress(step=self.step, seconds=self.seconds)

    def learn(self, rgba: Tensor, generator: torch.Generator) -> float:
        """One step on (b, s, s, 4) uint8 pictures. Returns the loss."""
        pictures = moved(rgba, strength=1.0, generator=generator)
        latents = self.components.latents(pictures)
        latents = latents + NOISE * torch.randn(latents.shape, generator=generator)
        count = len(self._replicas)
        pieces = list(zip(latents.chunk(count), pictures.chunk(count), strict=True))
        loss = self._replicas.backward(
            pieces, partial(_loss, whole=len(pictures), bfloat16=probe().bfloat16)
        )
        self.optimizer.step(one_cycle(self.used))
        self.step += 1
        return loss


def _loss(decoder: Any, piece: tuple[Tensor, Tensor], *, whole: int, bfloat16: bool) -> Tensor:
    latents, pictures = piece
    with torch.autocast(latents.device.type, torch.bfloat16, enabled=bfloat16):
        drawn = decoder(latents.contiguous(memory_format=torch.channels_last))
    return distance(drawn.float(), pictures) * (len(pictures) / whole)


def distance(drawn: Tensor, pictures: Tensor) -> Tensor:
    """How far (b, 3, s, s) drawings are from pictures: their pixels, and their edges."""
    error = drawn - pictures
    across = (error[..., 1:] - error[..., :-1]).abs().mean()
    down = (error[..., 1:, :] - error[..., :-1, :]).abs().mean()
    return error.abs().mean() + error.square().mean() + EDGES * (across + down)
