"""The fastest way to decode a model on this machine that gives the same tokens.

At first plain torch. Where numba is installed and the model runs on a CPU, compiled kernels are
prepared beside it; what is measured to be faster is used. Compiling takes some 25 s once for each
installation (then it is cached on disk), so it happens in the background, and calls that begin
before it is done use plain torch.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from training.gpt.decoding import Network
    from training.gpt.speculation import Pace
    from training.gpt.weights import Weights

Precision = Literal["float32", "bfloat16"]
SAMPLE = 64  # tokens in the cache when paces are measured
SPREAD = 5  # rows of the pass that tells what a further row costs


@dataclass(frozen=True)
class Engine:
    """A network, and what guesses for it where that keeps the text the same."""

    network: Network
    draft: Network | None = None
    pace: Pace | None = None  # None: no guessing


def plain_engine(weights: Weights) -> Engine:
    """Plain torch, on any device.

    It does not guess: its sums depend on how many tokens are read at once, by a few units in the
    last place, and near ties that could change a token.
    """
    from training.gpt.decoding import PlainNetwork

    return Engine(PlainNetwork(weights))


def compiled_engine(weights: Weights, precision: Precision) -> Engine | None:
    """Compiled kernels with an 8-bit draft; None where they cannot run or are no faster."""
    if weights.embedding.is_cuda or any(layer.router is not None for layer in weights.layers):
        return None
    try:
        from training.gpt.compiled import CompiledNetwork
    except (ImportError, RuntimeError):  # numba is not installed, or has nowhere to cache
        return None
    from training.gpt.speculation import Pace

    network, draft = CompiledNetwork(weights, precision), CompiledNetwork(weights, "int8")
    one, many = _pass_seconds(network, 1), _pass_seconds(network, SPREAD)
    plain = plain_engine(weights).network
    if precision == "float32" and _pass_seconds(plain, 1) < one:
        return None
    row = max(0.0, (many - one) / (SPREAD - 1))
    pace = Pace(token=one, row=row, draft=_pass_seconds(draft, 1))
    return Engine(network, draft, pace)


def _pass_seconds(network: Any, rows: int) -> float:
    """Seconds to read `rows` tokens behind others; the best of several, compiling apart."""
    length = min(network.weights.context, SAMPLE + SPREAD)
    cache = network.new_cache(slots=1, length=length)
    start = length - rows
    return _best(lambda: network.read(cache, [0] * rows, slot=0, start=start, all=True))


def _best(work: Callable[[], object]) -> float:
    times = []
    for _ in range(8):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)
