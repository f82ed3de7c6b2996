"""The shape and the weights of a stock language model under the names and in the order of GGUF.

The names come from the `gguf` package's own table. Three things differ beyond them: llama.cpp turns
neighbouring coordinates of a Llama's queries and keys together (`interleaved`), reads GPT-2's
matrices as (outputs, inputs), and keeps the experts' gates and ups apart.
Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from hub_utils.errors import LabError

if TYPE_CHECKING:
    from gguf import GGUFWriter

# Architecture of transformers → of llama.cpp, which computes a Mixtral as a Llama with experts.
ARCHITECTURES = {
    "LlamaForCausalLM": "llama",
    "MixtralForCausalLM": "llama",
    "GPT2LMHeadModel": "gpt2",
}
_GPT2_TRANSPOSED = ("c_attn.weight", "c_proj.weight", "c_fc.weight")  # Conv1D: (inputs, outputs)
_FUSED_EXPERTS = "mlp.experts.gate_up_proj"


def write_shape(writer: GGUFWriter, config: Any) -> None:
    """What a program has to know of the model before it reads the weights."""
    writer.add_vocab_size(config.vocab_size)
    writer.add_context_length(config.max_position_embeddings)  # GPT-2 answers to these names too
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_head_count(config.num_attention_heads)
    if config.model_type == "gpt2":
        writer.add_feed_forward_length(config.n_inner or 4 * config.n_embd)
        writer.add_layer_norm_eps(config.layer_norm_epsilon)
    else:
        _write_llama(writer, config)


def tensors(model: Any) -> Iterator[tuple[str, np.ndarray]]:
    """(name, float32 array) of every weight. Raises LabError for one that GGUF has no name for."""
    import gguf

    config = model.config
    names = gguf.get_tensor_name_map(_number(config), config.num_hidden_layers)
    tied = config.tie_word_embeddings  # then the head is left out: readers take the embedding
    for name, weight in model.state_dict().items():
        if tied and name == "lm_head.weight":
            continue
        for part, array in _parts(name, weight.detach().float().cpu().numpy(), config):
            known = names.get_name(part, try_suffixes=(".weight", ".bias"))
            if known is None:
                raise LabError(
                    f"GGUF has no name for the weight {name}.",
                    hint="Export a model that python -m training gpt published.",
                )
            yield known, np.ascontiguousarray(array)


def interleaved(rows: np.ndarray, heads: int) -> np.ndarray:
    """(heads·d, …) rows of a query or key projection, reordered for llama.cpp's rotation.

    transformers turns coordinate i of a head together with i + d/2, llama.cpp 2i with 2i + 1.
    """
    halves = rows.reshape(heads, 2, -1, *rows.shape[1:])  # (heads, 2, d/2, …)
    return halves.swapaxes(1, 2).reshape(rows.shape)


def _write_llama(writer: GGUFWriter, config: Any) -> None:
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_rope_dimension_count(_head_width(config))
    writer.add_key_length(_head_width(config))
    writer.add_value_length(_head_width(config))
    if hasattr(config, "num_local_experts"):
        writer.add_expert_count(config.num_local_experts)
        writer.add_expert_used_count(config.num_experts_per_tok)


def _parts(name: str, array: np.ndarray, config: Any) -> Iterator[tuple[str, np.ndarray]]:
    """One weight of transformers as one or two of GGUF's, still under transformers' names."""
    if name.endswith(_FUSED_EXPERTS):
        gate, up = np.split(array, 2, axis=1)  # (experts, hidden, width) each
        yield f"{name.removesuffix('gate_up_proj')}gate_proj.weight", gate
        yield f"{name.removesuffix('gate_up_proj')}up_proj.weight", up
    elif ".experts." in name:
        yield f"{name}.weight", array
    elif ".q_proj." in name:
        yield name, interleaved(array, config.num_attention_heads)
    elif ".k_proj." in name:
        yield name, interleaved(array, config.num_key_value_heads)
    else:
        yield name, array.T if name.endswith(_GPT2_TRANSPOSED) else array


def _head_width(config: Any) -> int:
    width: int | None = config.head_dim
    return width or config.hidden_size // config.num_attention_heads


def _number(config: Any) -> Any:
    import gguf

    return gguf.MODEL_ARCH.GPT2 if config.model_type == "gpt2" else gguf.MODEL_ARCH.LLAMA
