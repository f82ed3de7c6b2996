"""A copy of a classifier with cheaper products, for serving: in bfloat16 or 8-bit integers.

8-bit weights are rounded once, a scale for each output; activations as they come, a scale for each
batch. The last layer, which sees one token a text, and the head then stay in float32. Logits move
by tenths, so `scoring` takes a text whose best two labels are close through float32 again.
Source: Jacob et al. 2018, https://arxiv.org/abs/1712.05877
"""

from __future__ import annotations

import copy
import time
import warnings
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from training.bert.model import PackedClassifier
from training.shared.device import MIN_GAIN, one_thread_each, probe

ENGINES = ("x86", "fbgemm")
# Below this width rounding costs more than the products, and a sum of few terms is less exact.
MIN_WIDTH = 256


class Int8Linear(nn.Module):
    """y = x W' + b with W in 8 bits."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        weight = linear.weight.detach().float()  # (outputs, inputs)
        scales = weight.abs().amax(1).clamp_min(1e-8).double() / 127
        zeros = torch.zeros(len(scales), dtype=torch.long)
        with warnings.catch_warnings():  # torch announces another way for a later release
            warnings.filterwarnings("ignore", ".*deprecated", UserWarning)
            rounded = torch.quantize_per_channel(weight, scales, zeros, 0, torch.qint8)
        bias = None if linear.bias is None else linear.bias.detach().float()
        self._packed = torch.ops.quantized.linear_prepack(rounded, bias)

    def forward(self, x: Tensor) -> Tensor:
        """(…, inputs) float32 to (…, outputs) float32."""
        # A reduced range keeps AVX2's 16-bit sums from overflowing.
        y: Tensor = torch.ops.quantized.linear_dynamic(x, self._packed, True)
        return y


@lru_cache(maxsize=1)
def is_faster() -> bool:
    """Whether 8-bit products beat float32's here, by the same margin that bfloat16 must."""
    if torch.backends.quantized.engine not in ENGINES or torch.cuda.is_available():
        return False
    linear, x = nn.Linear(384, 1536), torch.ones(256, 384)
    try:
        with torch.inference_mode(), one_thread_each():
            single, rounded = _seconds(linear, x), _seconds(Int8Linear(linear), x)
    except (AttributeError, RuntimeError):  # a torch without these operators
        return False
    return single > MIN_GAIN * rounded


def rounded_if_faster(network: Any) -> Any | None:
    """A copy with cheaper products where this hardware gains by them: bfloat16, else 8 bits.

    None for narrow encoders, and where float32 is as fast. The copy in bfloat16 saves the casts of
    all weights that autocasting would repeat in every pass.
    """
    if network.model.config.hidden_size < MIN_WIDTH:
        return None
    if probe().bfloat16:
        return halved(network)
    return quantized(network) if is_faster() else None


def halved(network: Any) -> Any:
    """The copy in bfloat16."""
    return copy.deepcopy(network).to(torch.bfloat16).eval()


def quantized(network: Any) -> Any | None:
    """The copy; it shares the embeddings. None for encoders that do not run packed."""
    if not isinstance(network, PackedClassifier):
        return None
    shared = {id(p): p for p in network.parameters()}  # copied by reference; products replaced
    twin = copy.deepcopy(network, shared)
    for layer in list(twin.layers)[:-1]:
        _replace(layer)
    return twin.eval()


def _replace(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, nn.Linear):
            setattr(module, name, Int8Linear(child))
        else:
            _replace(child)


def _seconds(work: nn.Module, x: Tensor) -> float:
    times = []
    for _ in range(5):
        start = time.perf_counter()
        work(x)
        times.append(time.perf_counter() - start)
    return min(times)
