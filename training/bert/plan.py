"""How deep to train: as many layers as the seconds pay for.

Layers below the trained ones run once per text instead of three times per epoch, so every layer
that is given up buys epochs. On a machine with fast bfloat16 all layers are trained.
"""

from __future__ import annotations

import time

import numpy as np
import torch

from training.bert.config import TrainConfig
from training.bert.data import Tokens
from training.bert.model import Packed, PackedClassifier, PaddedClassifier
from training.bert.scoring import autocast, batch_of
from training.shared.device import cores, one_thread_each, probe

MIN_TRAINED = 2  # layers; with fewer the encoder cannot adapt
SAMPLE_TOKENS = 1024
# Cost of a trained token in a layer, in forward passes: forward and backward through the products
# (1 + 1; tuning the weights themselves 1 + 2) and what attention, norms and LoRA add.
LORA_COST = 2.8
FULL_COST = 3.4
LAST_LAYER_COST = 0.3  # of a layer: only keys and values are needed of every token
PLANNED_SHARE = 0.8  # of the seconds; the rest is for tokens, checkpoints and a slower moment


def choose_frozen(
    network: PackedClassifier | PaddedClassifier, tokens: Tokens, config: TrainConfig
) -> int:
    """How many of the lowest layers, embeddings included, stay as they are."""
    if isinstance(network, PaddedClassifier):
        return 0
    if config.trained_layers is not None:
        return max(0, network.depth - config.trained_layers)
    if config.max_seconds is None:
        return 0
    return frozen_for(
        depth=network.depth,
        pass_seconds=layer_seconds(network, tokens) * len(tokens.ids),
        budget_seconds=config.max_seconds,
        epochs=config.epochs,
        cost=(LORA_COST if config.lora_rank else FULL_COST) * (1 - config.thinning / 2),
    )


def frozen_for(
    *, depth: int, pass_seconds: float, budget_seconds: float, epochs: float, cost: float
) -> int:
    """The fewest frozen layers with which all epochs fit.

    pass_seconds: one layer over all tokens, forward.
    """
    for frozen in range(max(1, depth - MIN_TRAINED + 1)):
        trained = depth - frozen - 1 + LAST_LAYER_COST
        needed = pass_seconds * (frozen + epochs * cost * trained)
        if needed <= PLANNED_SHARE * budget_seconds:
            return frozen
    return max(0, depth - MIN_TRAINED)


def layer_seconds(network: PackedClassifier, tokens: Tokens) -> float:
    """Measured seconds that one layer takes for one token."""
    lengths = tokens.lengths
    stop = int(np.searchsorted(lengths.cumsum(), SAMPLE_TOKENS)) + 1
    rows = np.arange(min(stop, len(tokens)))
    hardware = probe()
    batch = batch_of(tokens, rows).to(next(network.parameters()).device)
    network.eval()
    with torch.inference_mode(), autocast(hardware.device, bfloat16=hardware.bfloat16):
        hidden = network.hidden(batch, stop=0)
        with one_thread_each():
            seconds = min(_timed(network, batch, hidden) for _ in range(3))
    workers = 1 if hidden.is_cuda else cores()
    return seconds / workers / len(batch.ids)


def _timed(network: PackedClassifier, batch: Packed, hidden: torch.Tensor) -> float:
    """Seconds of the first layer. On a CPU the thread's own: others may be busy for a moment."""
    clock = time.perf_counter if hidden.is_cuda else time.thread_time
    start = clock()
    network.hidden(batch, hidden, start=0, stop=1)
    if hidden.is_cuda:
        torch.cuda.synchronize()
    return clock() - start
