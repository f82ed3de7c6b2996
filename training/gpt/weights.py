"""The weights of a stock Llama, Mixtral or GPT-2 model in one plain shape, for fast decoding.

Everything that multiplies the same input is fused: queries, keys and values into one matrix, the
gate and the rest of a SwiGLU into another. Rotation angles come from the stock model itself, so
whatever scaling of RoPE it asks for is included.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from hub_utils.errors import LabError


@dataclass(frozen=True)
class Affine:
    """y = x W' + b."""

    weight: Tensor  # (outputs, inputs)
    bias: Tensor | None = None


@dataclass(frozen=True)
class FeedForward:
    """down(act(up(x))); with SwiGLU `up` is the gate above the rest: act = silu(gate) · rest."""

    up: Affine
    down: Affine


@dataclass(frozen=True)
class Layer:
    """One block: what attention reads and writes, then one or several feed-forwards."""

    attention_norm: Affine  # weight and bias have the width's length
    qkv: Affine  # queries above keys above values
    out: Affine
    feed_norm: Affine
    experts: tuple[FeedForward, ...]  # one: dense
    router: Tensor | None = None  # (experts, width)


@dataclass(frozen=True)
class Weights:
    """A model, ready for `decoding`."""

    embedding: Tensor  # (vocabulary, width)
    layers: tuple[Layer, ...]
    final_norm: Affine
    head: Tensor  # (vocabulary, width); the embedding where they are tied
    positions: Tensor | None  # (context, width), added to the embedding; None: rotated instead
    cos: Tensor | None  # (context, head width)
    sin: Tensor | None
    heads: int
    kv_heads: int
    head_width: int
    norm: Literal["rmsnorm", "layernorm"]
    activation: Literal["silu", "gelu", "gelu_tanh", "relu"]
    gated: bool
    eps: float
    experts_per_token: int
    context: int  # tokens
    ends: frozenset[int]  # tokens after which a text is over
    begin: int | None  # the token that texts begin with, if there is one

    @property
    def vocabulary(self) -> int:
        """How many tokens can be read."""
        return self.embedding.shape[0]

    @property
    def parameters(self) -> int:
        """Number of weights; shared ones count once."""
        tensors = {id(t): t for t in self.tensors()}
        return sum(t.numel() for t in tensors.values())

    def tensors(self) -> list[Tensor]:
        """All weights, without the tables of angles."""
        affine = [self.final_norm]
        tables = [self.embedding, self.head]
        for layer in self.layers:
            affine += [layer.attention_norm, layer.qkv, layer.out, layer.feed_norm]
            affine += [part for expert in layer.experts for part in (expert.up, expert.down)]
            tables += [] if layer.router is None else [layer.router]
        tables += [] if self.positions is None else [self.positions]
        return tables + [t for a in affine for t in (a.weight, a.bias) if t is not None]


def read_weights(model: Any) -> Weights:
    """Weights of a stock model. Raises LabError when it is of another shape."""
    kind = str(model.config.model_type)
    if kind not in READERS:
        raise LabError(
            f"A model of the kind {kind!r} cannot be decoded here.",
            hint=f"Use one of: {', '.join(READERS)}.",
        )
    with torch.no_grad():
        return READERS[kind](model)


def _llama(model: Any) -> Weights:
    config, inner = model.config, model.model
    layers = tuple(
        Layer(
            attention_norm=_norm(block.input_layernorm),
            qkv=_stacked([getattr(block.self_attn, f"{part}_proj") for part in "qkv"]),
            out=_linear(block.self_attn.o_proj),
            feed_norm=_norm(block.post_attention_layernorm),
            experts=_experts(block.mlp),
            router=block.mlp.gate.weight.data if hasattr(block.mlp, "experts") else None,
        )
        for block in inner.layers
    )
    head_width = getattr(config, "head_dim", None)
    head_width = head_width or config.hidden_size // config.num_attention_heads
    context = int(config.max_position_embeddings)
    cos, sin = _angles(inner.rotary_emb, context)
    return Weights(
        embedding=inner.embed_tokens.weight.data,
        layers=layers,
        final_norm=_norm(inner.norm),
        head=model.lm_head.weight.data,
        positions=None,
        cos=cos,
        sin=sin,
        heads=config.num_attention_heads,
        kv_heads=config.num_key_value_heads,
        head_width=head_width,
        norm="rmsnorm",
        activation=_activation(config.hidden_act),
        gated=True,
        eps=float(config.rms_norm_eps),
        experts_per_token=int(getattr(config, "num_experts_per_tok", 1)),
        context=_unless_sliding(config, context),
        ends=_ends(model),
        begin=_begin(model),
    )


def _gpt2(model: Any) -> Weights:
    config, inner = model.config, model.transformer
    if config.scale_attn_by_inverse_layer_idx or not config.scale_attn_weights:
        raise LabError(
            "This GPT-2 scales its attention in its own way.",
            hint="Only GPT-2's usual scaling can be decoded here.",
        )
    layers = tuple(
        Layer(
            attention_norm=_norm(block.ln_1),
            qkv=_convolution(block.attn.c_attn),
            out=_convolution(block.attn.c_proj),
            feed_norm=_norm(block.ln_2),
            experts=(FeedForward(_convolution(block.mlp.c_fc), _convolution(block.mlp.c_proj)),),
        )
        for block in inner.h
    )
    return Weights(
        embedding=inner.wte.weight.data,
        layers=layers,
        final_norm=_norm(inner.ln_f),
        head=model.lm_head.weight.data,
        positions=inner.wpe.weight.data,
        cos=None,
        sin=None,
        heads=config.n_head,
        kv_heads=config.n_head,
        head_width=config.n_embd // config.n_head,
        norm="layernorm",
        activation=_activation(config.activation_function),
        gated=False,
        eps=float(config.layer_norm_epsilon),
        experts_per_token=1,
        context=int(config.n_positions),
        ends=_ends(model),
        begin=_begin(model),
    )


READERS: dict[str, Callable[[Any], Weights]] = {
    "llama": _llama,
    "mistral": _llama,  # the same blocks
    "mixtral": _llama,  # the same attention; its feed-forwards are told apart in `_experts`
    "gpt2": _gpt2,
}

_ACTIVATIONS: dict[str, Literal["silu", "gelu", "gelu_tanh", "relu"]] = {
    "silu": "silu",
    "swish": "silu",
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "relu": "relu",
}


def _activation(name: str) -> Literal["silu", "gelu", "gelu_tanh", "relu"]:
    if name not in _ACTIVATIONS:
        raise LabError(
            f"The activation {name!r} is not known here.",
            hint=f"Known are: {', '.join(_ACTIVATIONS)}.",
        )
    return _ACTIVATIONS[name]


def _unless_sliding(config: Any, context: int) -> int:
    """The context, within the window that sliding attention sees whole."""
    window = getattr(config, "sliding_window", None)
    return min(context, int(window)) if window else context


def _experts(block: Any) -> tuple[FeedForward, ...]:
    if not hasattr(block, "experts"):
        return (FeedForward(_stacked([block.gate_proj, block.up_proj]), _linear(block.down_proj)),)
    ups, downs = block.experts.gate_up_proj.data, block.experts.down_proj.data
    return tuple(FeedForward(Affine(up), Affine(down)) for up, down in zip(ups, downs, strict=True))


def _norm(norm: Any) -> Affine:
    bias = getattr(norm, "bias", None)
    return Affine(norm.weight.data, None if bias is None else bias.data)


def _linear(linear: Any) -> Affine:
    return Affine(linear.weight.data, None if linear.bias is None else linear.bias.data)


def _convolution(convolution: Any) -> Affine:
    """GPT-2 stores its matrices the other way round."""
    return Affine(convolution.weight.data.T.contiguous(), convolution.bias.data)


def _stacked(linears: Sequence[Any]) -> Affine:
    weight = torch.cat([linear.weight.data for linear in linears])
    if linears[0].bias is None:
        return Affine(weight)
    return Affine(weight, torch.cat([linear.bias.data for linear in linears]))


def _angles(rotary: Any, context: int) -> tuple[Tensor, Tensor]:
    """Cosine and sine for every position, as the stock model computes them: (context, d)."""
    if str(rotary.rope_type) in ("dynamic", "longrope"):
        raise LabError(
            f"RoPE of the kind {rotary.rope_type!r} changes with the length of the text.",
            hint="Use a checkpoint whose angles are fixed.",
        )
    device = rotary.inv_freq.device
    positions = torch.arange(context, device=device)[None]
    cos, sin = rotary(torch.zeros(1, device=device), positions)
    return cos[0].float(), sin[0].float()


def _ends(model: Any) -> frozenset[int]:
    found = model.generation_config.eos_token_id
    if found is None:
        return frozenset()
    return frozenset([found] if isinstance(found, int) else found)


def _begin(model: Any) -> int | None:
    begin = model.config.bos_token_id
    vocabulary = model.get_input_embeddings().weight.shape[0]
    return begin if isinstance(begin, int) and 0 <= begin < vocabulary else None
