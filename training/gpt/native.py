"""The same weights in a stock architecture of transformers, and back.

    stock = to_stock(model, tokenizer=tokenizer)  # LlamaForCausalLM, same logits
    model = from_stock(stock)                     # or a folder with a checkpoint

What differs is only how the weights are cut: here one matrix gives queries, keys and values, there
three do; GPT-2 stores its matrices transposed; Mixtral keeps all experts in one tensor. `_pairs`
lists both sides as views into the two models, so that one list copies in both directions.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hub_utils.errors import LabError
from training.gpt.config import ModelConfig
from training.gpt.feed_forward import MixtureOfExperts
from training.gpt.formats import CLASSES, Format, native_format, why_not_native
from training.gpt.model import MiniGPT

Pairs = Iterator[tuple[Tensor, Tensor]]  # (a view into MiniGPT, the same weights over there)
TANH_GELUS = ("gelu_new", "gelu_pytorch_tanh", "gelu_fast")  # one formula, three names


def to_stock(model: MiniGPT, *, tokenizer: Any = None) -> Any:
    """A stock transformers model with the same logits (to 1e-4) and weights of its own.

    The tokenizer tells which ids begin, end and pad a text. Raises LabError if no format fits.
    """
    import transformers

    name = native_format(model.config)
    if name is None:
        raise LabError(why_not_native(model.config), hint="Train with those options to publish.")
    stock = getattr(transformers, CLASSES[name])(_stock_config(name, model.config, tokenizer))
    with torch.no_grad():
        for ours, theirs in _pairs(name, model, stock):
            theirs.copy_(ours)
    return stock.eval()


def save_stock(model: MiniGPT, tokenizer: Any, folder: Path) -> None:
    """Write what `AutoModelForCausalLM` and `AutoTokenizer` load: the model and its tokenizer."""
    to_stock(model, tokenizer=tokenizer).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    path = Path(folder) / "tokenizer_config.json"
    settings = json.loads(path.read_text("utf-8"))
    settings["model_max_length"] = model.config.context
    # transformers 5 writes the class's new name; both 4 and 5 know this one.
    settings["tokenizer_class"] = "PreTrainedTokenizerFast"
    path.write_text(json.dumps(settings, indent=2, ensure_ascii=False) + "\n", "utf-8")


def from_stock(model_or_folder: Any) -> MiniGPT:
    """MiniGPT with the weights of a stock Llama, Mixtral or GPT-2: a model, or a folder with one.

    Raises LabError for another architecture, or for a feature that model.py does not have.
    """
    if isinstance(model_or_folder, str | Path):
        return from_stock(_load(Path(model_or_folder)))
    stock = model_or_folder
    name, config = _read_config(stock.config)
    model = MiniGPT(config).to(next(stock.parameters()).dtype)
    with torch.no_grad():
        for ours, theirs in _pairs(name, model, stock):
            ours.copy_(theirs)
    return model.eval()


# --------------------------------------------------------------------------------- weights


def _pairs(name: Format, model: MiniGPT, stock: Any) -> Pairs:
    body = stock.transformer if name == "gpt2" else stock.model
    if name == "gpt2":
        yield model.embedding.weight, body.wte.weight
        yield model.places.weight, body.wpe.weight
        yield from _vectors(model.norm, body.ln_f)
    else:
        yield model.embedding.weight, body.embed_tokens.weight
        yield from _vectors(model.norm, body.norm)
    if not model.config.tied:
        yield model.head.weight, stock.lm_head.weight
    layers, block_pairs = (body.h, _gpt2_block) if name == "gpt2" else (body.layers, _llama_block)  # type: tuple[Any, Callable[[Any, Any], Pairs]]
    for block, layer in zip(model.blocks, layers, strict=True):
        yield from block_pairs(block, layer)


def _llama_block(block: Any, layer: Any) -> Pairs:
    theirs = layer.self_attn
    yield from _vectors(block.attention_norm, layer.input_layernorm)
    yield from _rows(block.attention.qkv, theirs.q_proj, theirs.k_proj, theirs.v_proj)
    yield from _rows(block.attention.out, theirs.o_proj)
    yield from _vectors(block.feed_forward_norm, layer.post_attention_layernorm)
    if hasattr(layer.mlp, "experts"):
        yield from _experts(block.feed_forward, layer.mlp)
    else:
        yield from _rows(block.feed_forward.gate, layer.mlp.gate_proj)
        yield from _rows(block.feed_forward.up, layer.mlp.up_proj)
        yield from _rows(block.feed_forward.down, layer.mlp.down_proj)


def _experts(ours: Any, theirs: Any) -> Pairs:
    if isinstance(ours, MixtureOfExperts):
        yield ours.router.weight, theirs.gate.weight
    alone = [ours]  # a mixture of one is a plain feed-forward here
    for number, expert in enumerate(getattr(ours, "experts", alone)):
        gate, up = theirs.experts.gate_up_proj[number].chunk(2)
        yield expert.gate.weight, gate
        yield expert.up.weight, up
        yield expert.down.weight, theirs.experts.down_proj[number]


def _gpt2_block(block: Any, layer: Any) -> Pairs:
    yield from _vectors(block.attention_norm, layer.ln_1)
    yield from _transposed(block.attention.qkv, layer.attn.c_attn)
    yield from _transposed(block.attention.out, layer.attn.c_proj)
    yield from _vectors(block.feed_forward_norm, layer.ln_2)
    yield from _transposed(block.feed_forward.up, layer.mlp.c_fc)
    yield from _transposed(block.feed_forward.down, layer.mlp.c_proj)


def _rows(ours: nn.Linear, *theirs: nn.Linear) -> Pairs:
    """One matrix here whose rows are several matrices there."""
    sizes = [other.out_features for other in theirs]
    yield from zip(torch.split(ours.weight, sizes), (other.weight for other in theirs), strict=True)
    if ours.bias is not None:
        for bias, other in zip(torch.split(ours.bias, sizes), theirs, strict=True):
            yield from _bias(bias, other)


def _transposed(ours: nn.Linear, theirs: Any) -> Pairs:
    """GPT-2's Conv1D keeps (inputs, outputs)."""
    yield ours.weight.T, theirs.weight
    yield from _bias(ours.bias, theirs)


def _vectors(ours: Any, theirs: Any) -> Pairs:
    yield ours.weight, theirs.weight
    yield from _bias(getattr(ours, "bias", None), theirs)


def _bias(ours: Tensor | None, theirs: Any) -> Pairs:
    """Nothing if one side has no bias: the other's starts at zero and stays."""
    other = getattr(theirs, "bias", None)
    if ours is not None and other is not None:
        yield ours, other


# --------------------------------------------------------------------------------- configs


def _stock_config(name: Format, config: ModelConfig, tokenizer: Any) -> Any:
    from transformers import GPT2Config, LlamaConfig, MixtralConfig

    shared = {
        "vocab_size": config.vocab_size,
        "tie_word_embeddings": config.tied,
        "architectures": [CLASSES[name]],
        **{f"{role}_token_id": getattr(tokenizer, f"{role}_token_id", None) for role in ROLES},
    }
    if name == "gpt2":
        return GPT2Config(
            n_positions=config.context,
            n_embd=config.width,
            n_layer=config.layers,
            n_head=config.heads,
            n_inner=config.hidden,
            layer_norm_epsilon=config.norm_eps,
            resid_pdrop=config.dropout,
            embd_pdrop=config.dropout,
            attn_pdrop=0.0,
            **shared,
        )
    shared |= {
        "max_position_embeddings": config.context,
        "hidden_size": config.width,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.kv_heads,
        "head_dim": config.head_size,
        "intermediate_size": config.hidden,
        "rms_norm_eps": config.norm_eps,
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta},
    }
    if name == "llama":
        return LlamaConfig(attention_bias=config.bias, mlp_bias=config.bias, **shared)
    experts = {
        "num_local_experts": config.experts,
        "num_experts_per_tok": config.experts_per_token,
    }
    return MixtralConfig(**experts, **shared)


ROLES = ("bos", "eos", "pad")


def _load(folder: Path) -> Any:
    from transformers import AutoConfig, AutoModelForCausalLM

    if not (folder / "config.json").is_file():
        raise LabError(
            f"{folder} holds no checkpoint: there is no config.json.",
            hint="Give a folder that save_pretrained wrote, or a repository.",
        )
    try:
        config = AutoConfig.from_pretrained(folder)
        _read_config(config)  # complain before the weights are read
        return AutoModelForCausalLM.from_pretrained(
            folder, config=config, dtype=torch.float32, use_safetensors=True
        )
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise LabError(
            f"The checkpoint in {folder} cannot be opened: {reason}",
            hint="It must be a stock checkpoint with weights in safetensors.",
        ) from None


def _read_config(stock: Any) -> tuple[Format, ModelConfig]:
    """The format and the shape that a stock config describes. Raises LabError."""
    readers: dict[str, Callable[[Any], ModelConfig]] = {
        "llama": _from_llama,
        "mixtral": _from_llama,
        "gpt2": _from_gpt2,
    }
    if stock.model_type not in readers:
        raise LabError(
            f"A checkpoint of type {stock.model_type!r} does not fit this model.",
            hint="Use a Llama, Mixtral or GPT-2 checkpoint.",
        )
    return stock.model_type, readers[stock.model_type](stock)


def _from_llama(stock: Any) -> ModelConfig:
    rope = stock.rope_parameters
    window = getattr(stock, "sliding_window", None)
    _require("rope_type", rope.get("rope_type", "default"), ("default",))
    _require("partial_rotary_factor", rope.get("partial_rotary_factor") or 1.0, (1.0,))
    _require("hidden_act", stock.hidden_act, ("silu", "swish"))
    if window is not None and window < stock.max_position_embeddings:
        _require("sliding_window", window, (None,))
    return ModelConfig(
        vocab_size=stock.vocab_size,
        context=stock.max_position_embeddings,
        layers=stock.num_hidden_layers,
        width=stock.hidden_size,
        heads=stock.num_attention_heads,
        kv_heads=stock.num_key_value_heads,
        head_width=_own_width(stock),
        hidden=stock.intermediate_size,
        experts=getattr(stock, "num_local_experts", 1),
        experts_per_token=getattr(stock, "num_experts_per_tok", 2),
        tied=stock.tie_word_embeddings,
        bias=getattr(stock, "attention_bias", False) or getattr(stock, "mlp_bias", False),
        rope_theta=float(rope["rope_theta"]),
        norm_eps=stock.rms_norm_eps,
    )


def _own_width(stock: Any) -> int | None:
    """The width of a head, if it is not the usual one."""
    usual: int = stock.hidden_size // stock.num_attention_heads
    given: int | None = stock.head_dim
    return None if given in (None, usual) else given


def _from_gpt2(stock: Any) -> ModelConfig:
    _require("activation_function", stock.activation_function, TANH_GELUS)
    _require("scale_attn_weights", stock.scale_attn_weights, (True,))
    _require("scale_attn_by_inverse_layer_idx", stock.scale_attn_by_inverse_layer_idx, (False,))
    _require("add_cross_attention", stock.add_cross_attention, (False,))
    return ModelConfig(
        vocab_size=stock.vocab_size,
        context=stock.n_positions,
        layers=stock.n_layer,
        width=stock.n_embd,
        heads=stock.n_head,
        kv_heads=stock.n_head,
        positions="learned",
        norm="layernorm",
        activation="gelu",
        hidden=stock.n_inner or 4 * stock.n_embd,
        tied=stock.tie_word_embeddings,
        bias=True,
        norm_eps=stock.layer_norm_epsilon,
    )


def _require(feature: str, value: Any, allowed: tuple[Any, ...]) -> None:
    if value not in allowed:
        known = " or ".join(repr(one) for one in allowed)
        raise LabError(
            f"This checkpoint has {feature}={value!r}; this model computes {known} only.",
            hint="Use a checkpoint without it, or load it with transformers.",
        )
