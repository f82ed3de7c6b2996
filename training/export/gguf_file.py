"""A published language model as one GGUF file, with its tokenizer, in float32.

    write_gguf(folder, Path("model.gguf"), name="fairy-tale-gpt")

llama.cpp and the programs around it read it; `llama-quantize` makes smaller ones of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from hub_utils.errors import LabError
from training.export.gguf_tokens import write_tokens
from training.export.gguf_weights import ARCHITECTURES, tensors, write_shape


def write_gguf(folder: Path, path: Path, *, name: str) -> dict[str, Any]:
    """Write the stock checkpoint in `folder` to `path`; what it came to.

    Raises LabError for a model or a tokenizer that llama.cpp does not have.
    """
    import gguf
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, use_safetensors=True, trust_remote_code=False
    )
    _require_plain(model.config)
    writer = gguf.GGUFWriter(path, ARCHITECTURES[type(model).__name__])
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_name(name)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    write_shape(writer, model.config)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    write_tokens(writer, tokenizer, vocab_size=model.config.vocab_size)
    written: list[np.ndarray] = []
    for tensor, array in tensors(model):
        writer.add_tensor(tensor, array)
        written.append(array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return {"tensors": len(written), "parameters": sum(array.size for array in written)}


def _require_plain(config: Any) -> None:
    """Raise LabError for features that this export does not write down."""
    rope = getattr(config, "rope_parameters", None) or {}
    allowed = {
        "rope_type": (rope.get("rope_type", "default"), ("default",)),
        "sliding_window": (getattr(config, "sliding_window", None), (None,)),
        "hidden_act": (getattr(config, "hidden_act", "silu"), ("silu",)),
        "activation_function": (getattr(config, "activation_function", "gelu_new"), ("gelu_new",)),
    }
    for feature, (value, values) in allowed.items():
        if value not in values:
            raise LabError(
                f"This checkpoint has {feature}={value!r}, which the export does not write.",
                hint=f"It writes {values[0]!r} only, as python -m training gpt publishes.",
            )
