"""How tokens look at earlier tokens: the formula, the fused operator, and the layer around them.

Legend: b texts, t new tokens, s tokens that are seen (the remembered and the new ones), w width,
h query heads, g heads of keys and values, d width of a head.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.gpt.positions import Rope, rotate

Remember = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]  # new keys, values -> all of them


def attend(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None = None) -> Tensor:
    """Attention by its formula: softmax(q·kᵀ / √d + mask) · v. Vaswani et al. 2017, equation 1.

    queries (b, h, t, d); keys, values (b, g, s, d); mask (t, s) or (h, t, s), -∞ where a token must
    not look, or None for the causal mask. https://arxiv.org/abs/1706.03762
    """
    group = queries.shape[1] // keys.shape[1]
    keys, values = (x.repeat_interleave(group, dim=1) for x in (keys, values))  # (b, h, s, d)
    scores = queries @ keys.mT / math.sqrt(queries.shape[-1])  # (b, h, t, s)
    if mask is None:
        mask = causal_mask(*scores.shape[-2:], device=scores.device)
    # Mask before softmax: masking after it leaves rows that do not sum to 1.
    weights = (scores + mask).softmax(dim=-1)  # (b, h, t, s)
    return weights.to(values.dtype) @ values  # (b, h, t, d)


def attend_fused(
    queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None = None
) -> Tensor:
    """The same by one operator, which never writes the (t, s) scores to memory.

    Dao et al. 2022, FlashAttention, https://arxiv.org/abs/2205.14135.
    """
    causal = mask is None and queries.shape[-2] > 1  # one new token may see all
    mask = None if mask is None else mask.to(queries.dtype)
    return F.scaled_dot_product_attention(
        queries, keys, values, mask, is_causal=causal, enable_gqa=True
    )


def causal_mask(new: int, seen: int, *, device: torch.device | None = None) -> Tensor:
    """(t, s): 0 where a new token may look, -∞ at the tokens after it. The new ones come last."""
    return torch.full((new, seen), -math.inf, device=device).triu(diagonal=1 + seen - new)


class Attention(nn.Module):
    """Tokens look at earlier tokens: multi-head, grouped-query or multi-query attention.

    h query heads share g heads of keys and values. g = h is multi-head attention, g = 1 multi-query
    (https://arxiv.org/abs/1911.02150), g between them grouped-query
    (https://arxiv.org/abs/2305.13245). A cache holds keys and values only: it shrinks by h / g.
    """

    def __init__(
        self,
        width: int,
        *,
        heads: int,
        kv_heads: int,
        size: int,
        bias: bool = False,
        written_out: bool = False,
    ) -> None:
        super().__init__()
        self.heads, self.kv_heads, self.size = heads, kv_heads, size
        # One product gives all three. Rows of its weight: h queries, g keys, g values, d each.
        self.qkv = nn.Linear(width, (heads + 2 * kv_heads) * size, bias=bias)
        self.out = nn.Linear(heads * size, width, bias=bias)
        self.form = attend if written_out else attend_fused

    def forward(
        self,
        x: Tensor,
        *,
        rope: Rope | None = None,
        mask: Tensor | None = None,
        remember: Remember | None = None,
    ) -> Tensor:
        """(b, t, w) -> (b, t, w)."""
        b, t, _ = x.shape
        heads = self.qkv(x).view(b, t, -1, self.size).transpose(1, 2)  # (b, h + 2g, t, d)
        turned, values = heads.split((self.heads + self.kv_heads, self.kv_heads), dim=1)
        if rope is not None:
            turned = rotate(turned, *rope)  # queries and keys at once
        queries, keys = turned.split((self.heads, self.kv_heads), dim=1)
        if remember is not None:
            keys, values = remember(keys, values)  # (b, g, s, d)
        seen = self.form(queries, keys, values, mask)  # (b, h, t, d)
        mixed: Tensor = self.out(seen.transpose(1, 2).reshape(b, t, -1))
        return mixed
