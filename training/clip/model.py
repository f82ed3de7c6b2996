"""open_clip's own model: an image tower of ours beside a sentence encoder that stays as it is.

Both meet in the sentence encoder's space, turned by one matrix that is computed, not learned.
"""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from training.clip.augment import MEAN, STD, augmented, prepared
from training.clip.config import CONTEXT_TOKENS, TOWERS, TrainConfig
from training.shared.workers import map_on_cores

PIECE = 128  # pictures that go through the tower together
COPIES, COPIES_STRENGTH = 16, 0.5  # of a picture of the collection; the picture itself counts twice
SIGMOID_SCALE, SIGMOID_BIAS = 10.0, -10.0  # Zhai et al. 2023, https://arxiv.org/abs/2303.15343


def model_config(config: TrainConfig, *, width: int) -> dict[str, Any]:
    """open_clip's `model_cfg`. width: of the text encoder's vectors."""
    described: dict[str, Any] = {
        "embed_dim": width,
        "vision_cfg": {"image_size": config.image_size, **copy.deepcopy(TOWERS[config.tower])},
        "text_cfg": {
            "hf_model_name": config.text_name,
            "hf_tokenizer_name": config.text_name,
            "hf_model_pretrained": False,
            "hf_pooler_type": "mean_pooler",
            "hf_proj_type": "linear",
            "context_length": CONTEXT_TOKENS,
        },
        "custom_text": True,
    }
    if config.loss == "sigmoid":
        described["init_logit_bias"] = SIGMOID_BIAS
    return described


def build(config: TrainConfig, text_folder: Path) -> Any:
    """A CustomTextCLIP with a new image tower and the text encoder of a folder, locked."""
    from open_clip.model import CustomTextCLIP
    from transformers import AutoConfig, AutoModel

    width = int(AutoConfig.from_pretrained(str(text_folder)).hidden_size)
    described = model_config(config, width=width)
    described.pop("custom_text")
    described["text_cfg"]["hf_model_name"] = str(text_folder)
    model: Any = CustomTextCLIP(**described)
    encoder = AutoModel.from_pretrained(
        str(text_folder), add_pooling_layer=False, use_safetensors=True, dtype=torch.float32
    )
    model.text.transformer.load_state_dict(encoder.state_dict())
    for weight in model.text.parameters():
        weight.requires_grad_(False)
    nn.init.eye_(model.text.proj.weight)
    if config.loss == "sigmoid":
        nn.init.constant_(model.logit_scale, math.log(SIGMOID_SCALE))
    model.visual.image_mean, model.visual.image_std = (MEAN,) * 3, (STD,) * 3
    return model.to(memory_format=torch.channels_last).eval()


def whitened(vectors: Tensor, shrinkage: float) -> Tensor:
    """(d, d) matrix that spreads (n, d) vectors over all directions.

    Texts of one kind share most of their direction ("flag of …"); what they do not share is what
    an image tower has to learn. shrinkage: of the covariance, times its mean eigenvalue; the more,
    the nearer to no change. Source: Su et al. 2021, https://arxiv.org/abs/2103.15316
    """
    centered = vectors.double() - vectors.double().mean(0)
    values, directions = torch.linalg.eigh(centered.T @ centered / len(vectors))
    scales = (values + shrinkage * values.mean()).clamp_min(1e-12).rsqrt()
    matrix: Tensor = directions * scales @ directions.T
    return matrix.float()


def tokenizer_of(folder: Path) -> Any:
    """open_clip's wrapper of a Hugging Face tokenizer."""
    from open_clip.tokenizer import HFTokenizer

    return HFTokenizer(str(folder), context_length=CONTEXT_TOKENS)


def text_vectors(model: Any, tokenizer: Any, texts: list[str], *, batch: int = 64) -> Tensor:
    """(n, d) vectors of length 1."""
    order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
    batches = [order[start : start + batch] for start in range(0, len(order), batch)]
    vectors = torch.empty(len(texts), int(model.text.output_dim))
    device = next(model.parameters()).device
    padding = int(model.text.config.pad_token_id or 0)

    @torch.inference_mode()
    def encode(rows: list[int]) -> Tensor:
        tokens = tokenizer([texts[row] for row in rows])
        longest = max(1, int((tokens != padding).sum(1).max()))  # more costs time for nothing
        found = model.encode_text(tokens[:, :longest].to(device), normalize=True)
        return torch.as_tensor(found.float().cpu())

    found = map_on_cores(encode, batches, device=device.type)
    for rows, piece in zip(batches, found, strict=True):
        vectors[rows] = piece
    return vectors


def collection_vectors(model: Any, rgba: Tensor, *, seed: int = 0) -> Tensor:
    """(n, s, s, 4) uint8 pictures -> (n, d) vectors of length 1, to find the pictures by.

    A picture stands at the mean of itself and of COPIES that are moved, turned and tinted a little:
    what a model makes of a picture that it never saw hangs on such chances.
    """
    pieces = torch.split(rgba, PIECE)  # type: ignore[no-untyped-call]

    def total(number: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed + number)
        found = 2 * image_vectors(model, prepared(pieces[number]))
        for _ in range(COPIES):
            changed = augmented(pieces[number], strength=COPIES_STRENGTH, generator=generator)
            found += image_vectors(model, changed)
        return found

    device = next(model.parameters()).device.type
    totals = list(map_on_cores(total, range(len(pieces)), device=device))
    return nn.functional.normalize(torch.cat(totals), dim=1)


@torch.inference_mode()
def image_vectors(model: Any, pictures: Tensor, *, batch: int = PIECE) -> Tensor:
    """(n, 3, s, s) prepared pictures -> (n, d) vectors of length 1."""
    device = next(model.parameters()).device
    batches = torch.split(pictures, batch)  # type: ignore[no-untyped-call]
    found = [model.encode_image(some.to(device), normalize=True) for some in batches]
    return torch.cat(found).float().cpu()
