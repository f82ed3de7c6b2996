"""Which words decided? One backward pass of layer-wise relevance propagation.

Gradient times input misleads through attention and layer norm, since both rescale what they pass
on. With the attention weights and the norms' divisors held fixed, the pass is linear in the tokens
and the contributions add up. Source: Ali et al. 2022, "XAI for Transformers: Better Explanations
through Conservative Propagation", https://arxiv.org/abs/2202.07304

Measured on R8 (24 texts, 5 to 30 % of the words removed): removing the words it names lowers the
label's logit by 1.9, integrated gradients 1.5 at seven times the cost, leaving words out one by one
1.3, gradient times input 0.3, random words 0.06. It takes some 45 ms.

Legend: t tokens of the text, h width, a heads, d head width.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import torch
from torch import Tensor

from training.bert.data import tokenize
from training.bert.model import Packed, PackedClassifier
from training.bert.scoring import batch_of

_WORD = re.compile(r"\s*\S+\s*")


def word_contributions(
    network: Any, tokenizer: Any, text: str, *, label: int | None, max_tokens: int
) -> list[tuple[str, float]]:
    """Pieces of `text`, end to end, each with its contribution to `label`, the largest being ±1.

    Words after `max_tokens` were not read and get 0.
    """
    words = _words(text)
    if not words:
        return [(text, 0.0)] if text else []
    encoding = tokenizer(text, truncation=True, max_length=max_tokens, return_offsets_mapping=True)
    tokens = tokenize([text], tokenizer, max_tokens=max_tokens)
    scores = token_contributions(network, batch_of(tokens, np.array([0])), label=label)
    sums = _per_word(words, encoding["offset_mapping"], scores.tolist())
    peak = max(map(abs, sums)) or 1.0
    return [(text[start:stop], s / peak) for (start, stop), s in zip(words, sums, strict=True)]


def token_contributions(network: Any, batch: Packed, *, label: int | None) -> Tensor:
    """(t,) contribution of each token of one text to the logit of `label` over the mean logit."""
    batch = batch.to(next(network.parameters()).device)
    with torch.enable_grad():
        inputs, logits = _linear_pass(network, batch)
        chosen = int(logits[0].argmax()) if label is None else label
        margin = logits[0, chosen] - logits[0].mean()
        (gradient,) = torch.autograd.grad(margin, inputs)
    return (gradient * inputs).sum(-1).flatten().detach().float().cpu()


def _linear_pass(network: Any, batch: Packed) -> tuple[Tensor, Tensor]:
    """(what the first layer reads, logits), the logits being almost linear in it."""
    if not isinstance(network, PackedClassifier):  # gradient times input has to do
        inputs = network.model.get_input_embeddings()(batch.ids)[None].detach()
        inputs.requires_grad_(True)
        return inputs, network.model(inputs_embeds=inputs).logits
    inputs = network.embed(batch).detach().requires_grad_(True)  # (t, h)
    hidden = inputs
    for layer in network.layers:
        hidden = _linear_layer(layer, hidden)
    return inputs, network.head(hidden[:1])


def _linear_layer(layer: Any, hidden: Tensor) -> Tensor:
    """A layer's own output; its derivative leaves out attention weights and divisors."""
    attention, after, output = layer.attention.self, layer.attention.output, layer.output
    heads = attention.num_attention_heads
    query, key, value = (
        product(hidden).unflatten(-1, (heads, -1)).transpose(0, 1)  # (a, t, d)
        for product in (attention.query, attention.key, attention.value)
    )
    scores = query @ key.mT / query.shape[-1] ** 0.5  # (a, t, t)
    context = scores.softmax(-1).detach() @ value  # (a, t, d)
    context = context.transpose(0, 1).flatten(1)  # (t, h)
    attended = _linear_norm(after.LayerNorm, after.dense(context) + hidden)
    expanded = layer.intermediate(attended)
    return _linear_norm(output.LayerNorm, output.dense(expanded) + attended)


def _linear_norm(norm: Any, x: Tensor) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    divisor = (centred.square().mean(-1, keepdim=True) + norm.eps).sqrt().detach()
    normed: Tensor = norm.weight * centred / divisor + norm.bias
    return normed


def _words(text: str) -> list[tuple[int, int]]:
    """Start and end of every word with the blanks after it; together they cover the text."""
    return [match.span() for match in _WORD.finditer(text)]


def _per_word(
    words: list[tuple[int, int]], offsets: list[tuple[int, int]], scores: list[float]
) -> list[float]:
    """Sum of the scores of each word's tokens. Special tokens have an empty offset."""
    ends = np.array([stop for _, stop in words])
    sums = [0.0] * len(words)
    for (start, stop), score in zip(offsets, scores, strict=True):
        if stop > start:
            sums[int(np.searchsorted(ends, start, side="right"))] += score
    return sums
