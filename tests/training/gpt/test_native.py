import json
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
import transformers
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MixtralConfig,
    MixtralForCausalLM,
)

from hub_utils.errors import LabError
from tests.training.gpt.conftest import randomized, some_ids, tiny_config, tiny_model
from training.gpt.config import PRESETS
from training.gpt.native import from_stock, native_format, save_stock, to_stock, why_not_native
from training.gpt.tokenizer import train_tokenizer

GPT2 = {"positions": "learned", "norm": "layernorm", "activation": "gelu"}
SHAPES = {
    "llama": {},
    "llama-untied": {"tied": False},
    "llama-grouped": {"kv_heads": 2},
    "llama-multi-query": {"kv_heads": 1, "tied": False},
    "llama-biases": {"bias": True},
    "llama-theta-eps": {"rope_theta": 500.0, "norm_eps": 1e-3},
    "llama-wide-heads": {"head_width": 12, "kv_heads": 2},
    "mixtral": {"experts": 4, "experts_per_token": 2},
    "mixtral-untied-grouped": {"experts": 3, "experts_per_token": 1, "tied": False, "kv_heads": 2},
    "gpt2": {**GPT2, "bias": True},
    "gpt2-untied": {**GPT2, "bias": True, "tied": False},
    "gpt2-no-biases": {**GPT2, "bias": False},
}
SMALL = {"vocab_size": 61, "hidden_size": 32, "intermediate_size": 40, "num_hidden_layers": 2}
STOCK = {
    "llama": lambda **more: LlamaForCausalLM(
        LlamaConfig(**SMALL, num_attention_heads=4, max_position_embeddings=24, **more)
    ),
    "mixtral": lambda **more: MixtralForCausalLM(
        MixtralConfig(
            **SMALL,
            num_attention_heads=4,
            max_position_embeddings=24,
            **{"num_local_experts": 4, "num_key_value_heads": 2, **more},
        )
    ),
    "gpt2": lambda **more: GPT2LMHeadModel(
        GPT2Config(vocab_size=61, n_positions=24, n_embd=32, n_layer=2, n_head=4, **more)
    ),
}
TEXTS = ["Once upon a time there was a king, and the king said: no more cake!\n"] * 40


def logits_of(stock, ids):
    with torch.inference_mode():
        return stock(ids).logits


@pytest.mark.parametrize("shape", SHAPES)
def test_stock_model_has_the_same_logits(shape):
    model, ids = tiny_model(**SHAPES[shape]), some_ids()
    stock = to_stock(model)
    assert stock.config.model_type == shape.partition("-")[0] == native_format(model.config)
    with torch.inference_mode():
        ours = model(ids)
    torch.testing.assert_close(logits_of(stock, ids), ours, atol=1e-5, rtol=1e-5)
    assert ours.std() > 0.1  # or everything would be equal


@pytest.mark.parametrize("shape", SHAPES)
def test_weights_come_back_unchanged(shape):
    model = tiny_model(**SHAPES[shape])
    again = from_stock(to_stock(model))
    assert again.config == replace(model.config, bias=again.config.bias)
    ids = some_ids()
    with torch.inference_mode():
        torch.testing.assert_close(again(ids), model(ids), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("llama", {}),
        ("llama", {"num_key_value_heads": 2, "tie_word_embeddings": True}),
        ("llama", {"num_key_value_heads": 1, "head_dim": 16, "rms_norm_eps": 1e-3}),
        ("llama", {"attention_bias": True}),  # and none in the feed-forward
        ("llama", {"rope_parameters": {"rope_type": "default", "rope_theta": 123.0}}),
        ("mixtral", {}),
        ("mixtral", {"num_local_experts": 1, "num_experts_per_tok": 1}),
        ("mixtral", {"num_experts_per_tok": 3, "head_dim": 4, "tie_word_embeddings": True}),
        ("gpt2", {}),
        ("gpt2", {"n_inner": 40, "activation_function": "gelu_pytorch_tanh"}),
        ("gpt2", {"tie_word_embeddings": False}),
    ],
)
def test_stock_folder_opens_here_with_the_same_logits(kind, more, tmp_path):
    stock, ids = randomized(STOCK[kind](**more)), some_ids()
    stock.save_pretrained(tmp_path)
    with torch.inference_mode():
        ours = from_stock(tmp_path)(ids)
    torch.testing.assert_close(ours, logits_of(stock, ids), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("kind", "more", "named"),
    [
        (
            "llama",
            {"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4}},
            "rope_type='linear'",
        ),
        ("llama", {"hidden_act": "gelu"}, "hidden_act='gelu'"),
        ("mixtral", {"sliding_window": 8}, "sliding_window=8"),
        ("gpt2", {"activation_function": "relu"}, "activation_function='relu'"),
        ("gpt2", {"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx=True"),
    ],
)
def test_feature_that_is_missing_here_is_named(kind, more, named):
    with pytest.raises(LabError, match=named):
        from_stock(STOCK[kind](**more))


def test_other_architecture_is_named(tmp_path):
    MistralConfig().save_pretrained(tmp_path)
    with pytest.raises(LabError, match="'mistral' does not fit") as caught:
        from_stock(tmp_path)
    assert "Llama, Mixtral or GPT-2" in caught.value.hint


def test_folder_without_a_checkpoint_is_named(tmp_path):
    with pytest.raises(LabError, match=r"no config\.json"):
        from_stock(tmp_path)
    LlamaConfig().save_pretrained(tmp_path)
    with pytest.raises(LabError, match="cannot be opened"):
        from_stock(tmp_path)


@pytest.mark.parametrize(
    ("changes", "given", "stock", "needed"),
    [
        ({"positions": "alibi"}, "--positions alibi", "LlamaForCausalLM", "--positions rope"),
        ({"activation": "relu2"}, "--activation relu2", "LlamaForCausalLM", "--activation swiglu"),
        ({**GPT2, "kv_heads": 2}, "--kv-heads 2", "GPT2LMHeadModel", "--kv-heads 4"),
        ({**GPT2, "activation": "relu2"}, "--activation relu2", "GPT2LMHead", "--activation gelu"),
        ({"experts": 4, "bias": True}, "--bias", "MixtralForCausalLM", "--no-bias"),
        ({**GPT2, "experts": 4}, "--positions learned", "Mixtral", "--activation swiglu"),
    ],
)
def test_option_without_a_stock_format_is_named_with_the_format_it_would_need(
    changes, given, stock, needed
):
    config = tiny_config(**changes)
    assert native_format(config) is None
    sentence = why_not_native(config)
    assert given in sentence
    assert stock in sentence
    assert needed in sentence
    with pytest.raises(LabError, match=given):
        to_stock(tiny_model(**changes))


def test_every_preset_has_a_stock_format():
    assert {name: native_format(config) for name, config in PRESETS.items()} == {
        "quick": "llama",
        "cpu": "llama",
        "gpu": "llama",
        "gpt2": "gpt2",
    }
    assert why_not_native(PRESETS["quick"]) == ""


@pytest.mark.parametrize("shape", ["llama-grouped", "mixtral", "gpt2"])
def test_saved_folder_loads_and_says_what_a_generator_must_know(shape, tmp_path):
    tokenizer = train_tokenizer("char", TEXTS, vocab_size=0)
    model = tiny_model(**SHAPES[shape], vocab_size=len(tokenizer))
    save_stock(model, tokenizer, tmp_path)
    stock, ids = AutoModelForCausalLM.from_pretrained(tmp_path), some_ids(vocab=20)
    opened = AutoTokenizer.from_pretrained(tmp_path)
    assert stock.config.max_position_embeddings == model.config.context == opened.model_max_length
    for settings in (stock.config, stock.generation_config):
        assert settings.eos_token_id == settings.bos_token_id == tokenizer.eos_token_id
        assert settings.pad_token_id == tokenizer.pad_token_id
    assert opened.encode("the king 😀") == tokenizer.encode("the king 😀")
    with torch.inference_mode():
        torch.testing.assert_close(logits_of(stock, ids), model(ids), atol=1e-5, rtol=1e-5)


def test_a_process_with_transformers_alone_generates_from_the_folder(tmp_path):
    tokenizer = train_tokenizer("bytes", TEXTS, vocab_size=270)
    model = tiny_model(vocab_size=len(tokenizer))
    save_stock(model, tokenizer, tmp_path / "repo")
    program = (
        "import json, sys\n"
        "from transformers import pipeline\n"
        "write = pipeline('text-generation', 'repo')\n"
        "text = write('the king', max_new_tokens=6, do_sample=False)[0]['generated_text']\n"
        "ours = [name for name in sys.modules if name.split('.')[0] in ('training', 'hub_utils')]\n"
        "print(json.dumps([text, ours]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    text, ours = json.loads(done.stdout.splitlines()[-1])
    assert ours == []
    ids = tokenizer.encode("the king")
    with torch.inference_mode():
        for _ in range(6):
            ids.append(int(model(torch.tensor([ids]))[0, -1].argmax()))
    assert text == tokenizer.decode(ids)


def test_stock_model_owns_its_weights():
    model = tiny_model()
    stock = to_stock(model)
    before = logits_of(stock, some_ids()).clone()
    randomized(model, seed=9)
    torch.testing.assert_close(logits_of(stock, some_ids()), before)


def test_class_names_exist_in_transformers():
    from training.gpt.native import CLASSES

    assert all(hasattr(transformers, name) for name in CLASSES.values())
