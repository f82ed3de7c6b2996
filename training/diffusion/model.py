"""The parts of a stock StableDiffusionPipeline, in miniature, and how a picture becomes latents.

The autoencoder's encoder is not trained: its convolutions cut a picture into patches and give each
patch's principal components, so latents are known before the first step and need no whitening
afterwards. Only the decoder learns, to draw what the components leave out.

Legend: n pictures, s pixels a side, p pixels a side of a patch, c components of a patch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from hub_utils.errors import LabError
from training.diffusion.config import PROMPT_TOKENS, TRAIN_TIMES, TrainConfig
from training.shared.workers import map_on_cores

QUARTERS = ((0, 0), (0, 1), (1, 0), (1, 1))  # of two by two pixels: (row, column)
MOST_PATCHES = 60_000  # of which the components are found


@dataclass(frozen=True)
class Components:
    """Of patches: latents are `basis @ patch + offset`."""

    basis: Tensor  # (c, 3pp)
    offset: Tensor  # (c,)

    def latents(self, pictures: Tensor) -> Tensor:
        """(n, 3, s, s) -> (n, c, s/p, s/p); what the autoencoder's encoder gives, sooner."""
        patch = math.isqrt(self.basis.shape[1] // 3)
        patches = functional.unfold(pictures, patch, stride=patch)  # (n, 3pp, positions)
        found = self.basis @ patches + self.offset[:, None]
        side = pictures.shape[-1] // patch
        return found.reshape(len(pictures), -1, side, side)


def components_of(pictures: Tensor, *, patch: int, count: int, evened: float) -> Components:
    """Principal components of (n, 3, s, s) pictures' patches.

    The first has a standard deviation of 1; evened: 0 gives all of them 1, 1 leaves their own.
    """
    patches = functional.unfold(pictures, patch, stride=patch).transpose(1, 2)
    patches = patches.reshape(-1, patches.shape[-1])
    patches = patches[:: max(1, len(patches) // MOST_PATCHES)]
    mean = patches.mean(0)
    centered = patches - mean
    values, vectors = torch.linalg.eigh(centered.T @ centered / len(centered))
    deviations = values.flip(0)[:count].clamp_min(1e-8).sqrt()
    vectors = vectors.flip(1)[:, :count]
    # Eigenvectors are known up to a sign; the first large entry decides, the same on every machine.
    signs = vectors.gather(0, vectors.abs().argmax(0, keepdim=True)).sign()
    scales = (deviations / deviations[0]) ** evened / deviations
    basis = (vectors * signs * scales).T.contiguous()
    return Components(basis, -basis @ mean)


def build_autoencoder(config: TrainConfig, components: Components) -> Any:
    """An AutoencoderTiny that encodes by `components`; its decoder has random weights."""
    from diffusers import AutoencoderTiny

    halvings = int(math.log2(config.patch))
    autoencoder = AutoencoderTiny(
        encoder_block_out_channels=(3 * config.patch**2,) * (halvings + 1),
        num_encoder_blocks=(0,) * (halvings + 1),
        decoder_block_out_channels=(config.decoder_width,) * (halvings + 1),
        num_decoder_blocks=config.decoder_blocks,
        latent_channels=config.latent_channels,
    )
    _set_encoder(autoencoder.encoder.layers, components)
    for weight in autoencoder.encoder.parameters():
        weight.requires_grad_(False)
    return autoencoder.to(memory_format=torch.channels_last)


@torch.no_grad()
def _set_encoder(layers: Any, components: Components) -> None:
    """Convolutions that gather a patch's pixels into channels, then their components."""
    for layer in layers:
        layer.weight.zero_()
        if layer.bias is not None:
            layer.bias.zero_()
    first, *halvings, last = layers
    first.weight[range(3), range(3), 1, 1] = 1.0
    channels = 3
    for layer in halvings:
        rows = torch.arange(channels)
        for quarter, (row, column) in enumerate(QUARTERS):
            layer.weight[quarter * channels + rows, rows, 1 + row, 1 + column] = 1.0
        channels *= 4
    basis = components.basis[:, _gathered_order(len(halvings))]
    # diffusers hands pictures from 0 to 1 to the layers: x = 2y - 1.
    last.weight[:, :, 1, 1] = 2 * basis
    last.bias.copy_(components.offset - basis.sum(1))


def components_in(autoencoder: Any) -> Components:
    """What `build_autoencoder` was given."""
    *halvings, last = autoencoder.encoder.layers[1:]
    weight = last.weight.detach()[:, :, 1, 1] / 2
    basis = torch.empty_like(weight)
    basis[:, _gathered_order(len(halvings))] = weight
    return Components(basis, last.bias.detach() + weight.sum(1))


def _gathered_order(halvings: int) -> list[int]:
    """For each channel after the halvings, its entry (colour, row, column) of an unfolded patch."""
    places = [(0, 0)]
    for level in range(halvings):
        shifts = [(row << level, column << level) for row, column in QUARTERS]
        places = [(r + down, c + right) for down, right in shifts for r, c in places]
    patch = 1 << halvings
    return [color * patch**2 + row * patch + column for row, column in places for color in range(3)]


def build_denoiser(config: TrainConfig, *, text_width: int) -> Any:
    """A U-Net of latents whose every residual block is told the time and the whole text.

    The text's tokens are pooled by attention and join the time (`addition_embed_type="text"`).
    Where config.attention says so, positions look at single tokens, too.
    """
    from diffusers import UNet2DConditionModel

    count = len(config.widths)
    attended = config.attention
    denoiser = UNet2DConditionModel(
        sample_size=config.latent_side,
        in_channels=config.latent_channels,
        out_channels=config.latent_channels,
        down_block_types=tuple(
            "CrossAttnDownBlock2D" if level in attended else "DownBlock2D" for level in range(count)
        ),
        mid_block_type="UNetMidBlock2D",
        up_block_types=tuple(
            "CrossAttnUpBlock2D" if level in attended else "UpBlock2D"
            for level in reversed(range(count))
        ),
        block_out_channels=config.widths,
        layers_per_block=1,
        norm_num_groups=8,
        cross_attention_dim=text_width,
        attention_head_dim=4,
        addition_embed_type="text",
        addition_embed_type_num_heads=4,
        resnet_time_scale_shift="scale_shift",
        time_embedding_dim=config.time_width,
    )
    for block in denoiser.modules():
        if type(block).__name__ == "ResnetBlock2D":
            nn.init.zeros_(block.conv2.weight)  # a block begins as the identity
            nn.init.zeros_(block.conv2.bias)
    return denoiser.to(memory_format=torch.channels_last)


def build_scheduler() -> Any:
    """DPM-Solver++ of second order, for a network that predicts v.

    Source: Lu et al. 2022, https://arxiv.org/abs/2211.01095; v: Salimans & Ho 2022,
    https://arxiv.org/abs/2202.00512
    """
    from diffusers import DPMSolverMultistepScheduler

    return DPMSolverMultistepScheduler(
        num_train_timesteps=TRAIN_TIMES,
        beta_schedule="squaredcos_cap_v2",
        prediction_type="v_prediction",
        algorithm_type="dpmsolver++",
        solver_order=2,
        timestep_spacing="trailing",
        steps_offset=1,  # what the pipeline expects; trailing steps have none
    )


def load_text(folder: Path) -> tuple[Any, Any]:
    """(encoder, tokenizer) of a BERT's folder, as the pipeline will call them."""
    from transformers import AutoTokenizer, BertModel

    # With its pooler, which nothing asks: without, the stock pipeline says that it is missing.
    encoder = BertModel.from_pretrained(str(folder), use_safetensors=True, dtype=torch.float32)
    encoder.config.use_attention_mask = True  # the pipeline asks for it
    tokenizer = AutoTokenizer.from_pretrained(str(folder), model_max_length=PROMPT_TOKENS)
    return encoder.eval().requires_grad_(False), tokenizer


def text_states(encoder: Any, tokenizer: Any, texts: Sequence[str], *, batch: int = 64) -> Tensor:
    """(texts, PROMPT_TOKENS, width), as the pipeline gives them to the U-Net."""
    batches = [list(texts[start : start + batch]) for start in range(0, len(texts), batch)]

    @torch.inference_mode()
    def encode(some: list[str]) -> Tensor:
        tokens = tokenizer(
            some,
            padding="max_length",
            max_length=PROMPT_TOKENS,
            truncation=True,
            return_tensors="pt",
        )
        found = encoder(tokens["input_ids"], attention_mask=tokens["attention_mask"])
        return torch.as_tensor(found[0])

    return torch.cat(list(map_on_cores(encode, batches, device="cpu"))).clone()


def assembled(*, autoencoder: Any, denoiser: Any, encoder: Any, tokenizer: Any) -> Any:
    """The pipeline that diffusers opens without any code of ours."""
    from diffusers import StableDiffusionPipeline

    pipeline = StableDiffusionPipeline(
        vae=autoencoder.eval(),
        text_encoder=encoder,
        tokenizer=tokenizer,
        unet=denoiser.eval(),
        scheduler=build_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        image_encoder=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def published(folder: Path) -> tuple[Any, Any]:
    """(autoencoder, U-Net) of a published folder, to learn on. Raises LabError."""
    from diffusers import AutoencoderTiny, UNet2DConditionModel

    try:
        autoencoder = AutoencoderTiny.from_pretrained(
            folder / "vae", use_safetensors=True, local_files_only=True
        )
        denoiser = UNet2DConditionModel.from_pretrained(
            folder / "unet", use_safetensors=True, local_files_only=True
        )
    except (OSError, ValueError) as error:
        raise LabError(
            f"{folder.name} cannot be trained on ({(str(error).splitlines() or ['?'])[0]}).",
            hint="Give a model that `python -m training diffusion` published.",
        ) from error
    for weight in autoencoder.encoder.parameters():
        weight.requires_grad_(False)
    return (
        autoencoder.to(memory_format=torch.channels_last),
        denoiser.to(memory_format=torch.channels_last),
    )
