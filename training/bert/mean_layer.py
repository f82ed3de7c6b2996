"""A last layer whose first token starts as the mean of all tokens.

A sentence encoder was pretrained to speak through the mean of its tokens; BERT's classifier reads
the first token alone, which such an encoder never used. So a layer goes on top that begins as this
mean: queries of zero look at every token alike, values pass through, and the feed-forward adds
nothing. Training starts from the whole sentence and the model stays a stock one, a layer deeper.

On four fifths of Reuters R8's training texts, measured on the rest, equal epochs: 30 and 18 errors
with it, against 37 and 23 without (two splits of 1,097 texts).
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import torch
from torch import nn

# The layer's norm sees first token + 3 · mean: mostly the mean.
MEAN_WEIGHT = 3.0
# Of what the pooler's tanh sees; a normed value of 1 then stays where tanh is steep.
POOLER_WEIGHT = 0.5


def pools_by_mean(base: str) -> bool:
    """Whether the encoder in folder `base` says that its sentence vector is the mean of tokens."""
    path = Path(base) / "1_Pooling" / "config.json"
    if not path.is_file():
        return False
    settings = json.loads(path.read_text("utf-8"))
    return bool(settings.get("pooling_mode_mean_tokens") or settings.get("pooling_mode") == "mean")


def add_mean_layer(model: Any) -> None:
    """Put the layer on top of a stock BERT classifier, and let the pooler pass it on."""
    encoder = model.base_model
    layer = copy.deepcopy(encoder.encoder.layer[-1])
    with torch.no_grad():
        attention = layer.attention
        _zero(attention.self.query)
        _identity(attention.self.value, 1.0)
        _identity(attention.output.dense, MEAN_WEIGHT)
        _plain(attention.output.LayerNorm)
        _zero(layer.output.dense)
        _plain(layer.output.LayerNorm)
        _identity(encoder.pooler.dense, POOLER_WEIGHT)
    encoder.encoder.layer.append(layer)
    model.config.num_hidden_layers += 1
    model.has_mean_layer = True


def mean_layer_name(model: Any) -> str | None:
    """The layer's name in a classifier from `model.build`, None where there is none."""
    if not getattr(model, "has_mean_layer", False):
        return None
    return f"encoder.layer.{model.config.num_hidden_layers - 1}"


def _zero(linear: nn.Linear) -> None:
    linear.weight.zero_()
    linear.bias.zero_()


def _identity(linear: nn.Linear, factor: float) -> None:
    linear.weight.copy_(factor * torch.eye(len(linear.weight)))
    linear.bias.zero_()


def _plain(norm: nn.LayerNorm) -> None:
    norm.weight.fill_(1.0)
    norm.bias.zero_()
