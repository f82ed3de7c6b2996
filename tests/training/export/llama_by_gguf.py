"""A Llama in numpy that knows a GGUF file and nothing else: the conventions of llama.cpp, in small."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np


def logits(path: Path, ids: list[int]) -> np.ndarray:
    """(tokens, vocabulary) of a text, by the file's own metadata and weights."""
    from gguf import GGUFReader

    reader = GGUFReader(path)
    facts = {name: field.contents() for name, field in reader.fields.items()}
    weights = {tensor.name: np.asarray(tensor.data) for tensor in reader.tensors}
    x = weights["token_embd.weight"][ids]
    for number in range(facts["llama.block_count"]):
        x = _block(x, weights, f"blk.{number}", facts)
    head = weights.get("output.weight", weights["token_embd.weight"])
    return _norm(x, weights["output_norm.weight"], facts) @ head.T


def _block(x: np.ndarray, weights: dict[str, Any], name: str, facts: dict[str, Any]) -> np.ndarray:
    def product(x: np.ndarray, part: str) -> np.ndarray:
        return x @ weights[f"{name}.{part}.weight"].T + weights.get(f"{name}.{part}.bias", 0.0)

    read = _norm(x, weights[f"{name}.attn_norm.weight"], facts)
    heads, groups = facts["llama.attention.head_count"], facts["llama.attention.head_count_kv"]
    queries = _turned(_heads(product(read, "attn_q"), heads), facts)
    keys = _turned(_heads(product(read, "attn_k"), groups), facts).repeat(heads // groups, 0)
    values = _heads(product(read, "attn_v"), groups).repeat(heads // groups, 0)
    scores = queries @ keys.swapaxes(1, 2) / np.sqrt(facts["llama.attention.key_length"])
    scores += np.triu(np.full(scores.shape[1:], -np.inf), 1)
    shares = np.exp(scores - scores.max(-1, keepdims=True))
    seen = (shares / shares.sum(-1, keepdims=True)) @ values  # (heads, tokens, d)
    x = x + product(seen.swapaxes(0, 1).reshape(len(x), -1), "attn_output")
    read = _norm(x, weights[f"{name}.ffn_norm.weight"], facts)
    gate = product(read, "ffn_gate")
    return x + product(gate / (1 + np.exp(-gate)) * product(read, "ffn_up"), "ffn_down")


def _norm(x: np.ndarray, weight: np.ndarray, facts: dict[str, Any]) -> np.ndarray:
    epsilon = facts["llama.attention.layer_norm_rms_epsilon"]
    return x / np.sqrt((x**2).mean(-1, keepdims=True) + epsilon) * weight


def _heads(x: np.ndarray, count: int) -> np.ndarray:
    """(tokens, count·d) to (count, tokens, d)."""
    return x.reshape(len(x), count, -1).swapaxes(0, 1)


def _turned(x: np.ndarray, facts: dict[str, Any]) -> np.ndarray:
    """Coordinates 2i and 2i + 1 of (heads, tokens, d) turned together: ggml's normal RoPE."""
    size = facts["llama.rope.dimension_count"]
    speeds = facts["llama.rope.freq_base"] ** (-np.arange(0, size, 2) / size)
    turns = np.exp(1j * np.arange(x.shape[1])[:, None] * speeds)  # (tokens, d/2)
    turned = (x[..., 0::2] + 1j * x[..., 1::2]) * turns
    return np.stack((turned.real, turned.imag), -1).reshape(x.shape)
