"""e^x for compiled code, in float32 and without branches, so that loops over it become vectors."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from training.gpt.tiles import as_float

_LOG2E, _LN2_HIGH, _LN2_LOW = (
    np.float32(1.44269504),
    np.float32(0.693359375),
    np.float32(-2.1219444e-4),
)
_ROUND = np.float32(12582912.0)  # 1.5 · 2^23: adding and taking it away rounds to an integer
_LOWEST, _HIGHEST = np.float32(-87), np.float32(88)  # beyond, the result is no normal float32
_ONE = np.float32(1)
_P0, _P1, _P2 = (
    np.float32(1.9875691500e-4),
    np.float32(1.3981999507e-3),
    np.float32(8.3334519073e-3),
)
_P3, _P4, _P5 = (
    np.float32(4.1665795894e-2),
    np.float32(1.6666665459e-1),
    np.float32(5.0000001201e-1),
)


@njit(nogil=True, error_model="numpy")
def exp(x: Any) -> Any:
    """e^x for x cut to -87 … 88, to about one unit in the last place. Source: Cephes, expf."""
    x = min(max(x, _LOWEST), _HIGHEST)
    n = (x * _LOG2E + _ROUND) - _ROUND
    r = x - n * _LN2_HIGH - n * _LN2_LOW
    p = ((((_P0 * r + _P1) * r + _P2) * r + _P3) * r + _P4) * r + _P5
    power = as_float((np.int32(n) + np.int32(127)) << np.int32(23))
    return (p * r * r + r + _ONE) * power
