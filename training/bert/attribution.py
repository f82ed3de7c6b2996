"""Which words decided? One backward pass, layer-wise relevance propagation for Transformers.

Gradient times input is unreliable through attention and layer norm, since both rescale what they
pass on. Holding the attention weights and the norms' divisors fixed makes the pass linear in the
tokens, and the contributions add up. Source: Ali et al. 2022, "XAI for Transformers: Better
Explanations through Conservative Propagation", https://arxiv.org/abs/2202.07304

Legend: t tokens of the text, h width.
"""

from __future__ import annotations

from typing import Any


def word_contributions(
    network: Any, tokenizer: Any, text: str, *, label: int | None, max_tokens: int
) -> list[tuple[str, float]]:
    """Pieces of `text`, end to end, with their contribution to `label`, the largest being 1."""
    raise NotImplementedError
