"""The file holds the model and the tokenizer as llama.cpp reads them, or is not written."""

from pathlib import Path

import numpy as np
import pytest
import torch
from gguf import GGUFReader, TokenType
from transformers import AutoModelForCausalLM, AutoTokenizer

from hub_utils.errors import LabError
from tests.training.export.llama_by_gguf import logits
from tests.training.gpt.conftest import tale, tiny_model
from tests.training.gpt.stock_models import save_stock_model
from training.export.gguf_file import write_gguf
from training.gpt.native import save_stock
from training.gpt.tokenizer import train_tokenizer


def saved(folder: Path, kind: str = "bytes", text: str | None = None, **shape) -> Path:
    """A published mini-GPT with random weights."""
    tokenizer = train_tokenizer(kind, [text or tale(6000)], vocab_size=290)
    save_stock(tiny_model(vocab_size=len(tokenizer), **shape), tokenizer, folder)
    return folder


def written(folder: Path) -> Path:
    path = folder / "model.gguf"
    write_gguf(folder, path, name="tiny")
    return path


@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"kv_heads": 2, "tied": False},
        {"kv_heads": 1, "bias": True, "head_width": 16, "rope_theta": 500.0},
    ],
    ids=["tied", "grouped", "biases"],
)
def test_a_reader_that_knows_only_the_file_computes_the_same_logits(tmp_path, shape):
    path = written(saved(tmp_path, **shape))
    stock = AutoModelForCausalLM.from_pretrained(tmp_path)
    ids = list(range(20, 40))
    with torch.no_grad():
        expected = stock(torch.tensor([ids])).logits[0].numpy()
    np.testing.assert_allclose(logits(path, ids), expected, atol=1e-4)


def test_a_mixtral_is_a_llama_whose_experts_stand_apart(tmp_path):
    path = written(save_stock_model("mixtral", tmp_path))
    stock = AutoModelForCausalLM.from_pretrained(tmp_path).state_dict()
    facts, weights = contents(path)
    assert facts["general.architecture"] == "llama"
    assert (facts["llama.expert_count"], facts["llama.expert_used_count"]) == (4, 2)
    gate, up = stock["model.layers.1.mlp.experts.gate_up_proj"].chunk(2, dim=1)
    same = {
        "blk.1.ffn_gate_exps.weight": gate,
        "blk.1.ffn_up_exps.weight": up,
        "blk.1.ffn_down_exps.weight": stock["model.layers.1.mlp.experts.down_proj"],
        "blk.1.ffn_gate_inp.weight": stock["model.layers.1.mlp.gate.weight"],
    }
    for name, expected in same.items():
        np.testing.assert_array_equal(weights[name], expected.numpy())


def test_gpt2s_matrices_stand_the_other_way_round(tmp_path):
    path = written(save_stock_model("gpt2", tmp_path))
    stock = AutoModelForCausalLM.from_pretrained(tmp_path).state_dict()
    facts, weights = contents(path)
    assert facts["general.architecture"] == "gpt2"
    assert facts["gpt2.feed_forward_length"] == 4 * 32
    assert len(weights) == len(stock) - 1  # the head is the embedding
    for ours, theirs in {"attn_qkv": "attn.c_attn", "ffn_down": "mlp.c_proj"}.items():
        matrix = stock[f"transformer.h.0.{theirs}.weight"]
        np.testing.assert_array_equal(weights[f"blk.0.{ours}.weight"], matrix.numpy().T)
        bias = stock[f"transformer.h.0.{theirs}.bias"]
        np.testing.assert_array_equal(weights[f"blk.0.{ours}.bias"], bias.numpy())


def test_a_byte_tokenizer_is_gpt2s(tmp_path):
    facts, _ = contents(written(saved(tmp_path)))
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    pieces = facts["tokenizer.ggml.tokens"]
    assert (facts["tokenizer.ggml.model"], facts["tokenizer.ggml.pre"]) == ("gpt2", "gpt-2")
    assert {piece: number for number, piece in enumerate(pieces)} == tokenizer.get_vocab()
    first, second = facts["tokenizer.ggml.merges"][0].split(" ")
    assert first + second == pieces[257]  # after <|endoftext|> and the 256 bytes
    assert len(facts["tokenizer.ggml.merges"]) == len(pieces) - 257
    assert facts["tokenizer.ggml.eos_token_id"] == tokenizer.eos_token_id
    assert facts["tokenizer.ggml.add_bos_token"] is False
    types = facts["tokenizer.ggml.token_type"]
    assert [n for n, t in enumerate(types) if t == TokenType.CONTROL] == [tokenizer.eos_token_id]


def test_a_character_tokenizer_is_sentencepieces_with_nothing_to_merge(tmp_path):
    facts, _ = contents(written(saved(tmp_path, "char")))
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    pieces, types = facts["tokenizer.ggml.tokens"], facts["tokenizer.ggml.token_type"]
    assert facts["tokenizer.ggml.model"] == "llama"
    assert facts["tokenizer.ggml.add_space_prefix"] is False
    assert pieces[tokenizer.convert_tokens_to_ids(" ")] == "▁"
    spelled = {piece for piece, kind in zip(pieces, types, strict=True) if kind == TokenType.BYTE}
    assert {"<0xF0>", "<0x80>"} <= spelled
    assert all(len(piece) == len("<0x00>") for piece in spelled)
    assert types[tokenizer.convert_tokens_to_ids("a")] == TokenType.NORMAL


@pytest.mark.parametrize(("kind", "size"), [("wordpiece", 530), ("unigram", 280)])
def test_a_tokenizer_that_llama_cpp_cuts_differently_is_refused(tmp_path, kind, size):
    tokenizer = train_tokenizer(kind, [tale(6000)], vocab_size=size)
    save_stock(tiny_model(vocab_size=len(tokenizer)), tokenizer, tmp_path)
    with pytest.raises(LabError, match="cuts texts differently") as caught:
        written(tmp_path)
    assert "--tokenizer bytes" in caught.value.hint


def test_a_text_with_the_mark_for_spaces_is_refused(tmp_path):
    with pytest.raises(LabError, match="both spaces and ▁"):
        written(saved(tmp_path, "char", "a ▁ b " * 50))


def test_positions_that_the_file_would_not_tell_are_refused(tmp_path):
    model = AutoModelForCausalLM.from_pretrained(saved(tmp_path))
    model.config.rope_parameters = {"rope_type": "linear", "rope_theta": 1e4, "factor": 2.0}
    model.save_pretrained(tmp_path)
    with pytest.raises(LabError, match="rope_type='linear'"):
        written(tmp_path)


def contents(path: Path):
    """(metadata, weights) of a file."""
    reader = GGUFReader(path)
    facts = {name: field.contents() for name, field in reader.fields.items()}
    return facts, {tensor.name: np.asarray(tensor.data) for tensor in reader.tensors}
