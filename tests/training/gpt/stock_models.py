"""Tiny stock models with random weights and a tokenizer that knows bytes: real ones, saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

CONTEXT = 48
TEXT = (
    "Once upon a time there was a miller who had three sons. Der König fragte: „Wer ist da?“ "
    "Es war einmal 你好 世界 und ein kleines Mädchen. 🐺 The wolf said, who is there? "
) * 3


def tokenizer() -> Any:
    """Byte-level BPE with 300 tokens."""
    from training.gpt.tokenizer import train_tokenizer

    return train_tokenizer("bytes", [TEXT], vocab_size=300)


def stock_model(kind: str, vocabulary: int = 300) -> Any:
    """A random model whose next tokens are not all alike."""
    import torch
    from transformers import (
        GPT2Config,
        GPT2LMHeadModel,
        LlamaConfig,
        LlamaForCausalLM,
        MixtralConfig,
        MixtralForCausalLM,
    )

    torch.manual_seed(3)
    ends: dict[str, Any] = {"bos_token_id": 0, "eos_token_id": 299, "pad_token_id": 0}
    llama = {
        "vocab_size": vocabulary,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": CONTEXT,
        "initializer_range": 0.3,
        **ends,
    }
    made: Any
    if kind == "llama":
        made = LlamaForCausalLM(LlamaConfig(**llama))
    elif kind == "mixtral":
        experts = {"num_local_experts": 4, "num_experts_per_tok": 2}
        made = MixtralForCausalLM(MixtralConfig(**llama, **experts))
    else:
        made = GPT2LMHeadModel(
            GPT2Config(
                vocab_size=vocabulary,
                n_embd=32,
                n_layer=2,
                n_head=4,
                n_positions=CONTEXT,
                initializer_range=0.3,
                **ends,
            )
        )
        for name, parameter in made.named_parameters():
            if name.endswith("bias"):  # GPT-2 starts them at zero, where mistakes hide
                torch.nn.init.normal_(parameter, std=0.1)
    return made.eval()


def save_stock_model(kind: str, folder: Path) -> Path:
    """The model and its tokenizer, as they are published."""
    stock_model(kind).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder
