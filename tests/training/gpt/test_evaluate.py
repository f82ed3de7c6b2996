"""Against plain loops and transformers' own loss."""

import math

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from training.gpt.config import ModelConfig, TrainConfig
from training.gpt.data import Source, Texts, corpus_of
from training.gpt.evaluate import evaluate, held_out_loss, windows
from training.gpt.model import MiniGPT
from training.gpt.native import to_stock

VOCAB, CONTEXT = 40, 16
GPT2 = {
    "positions": "learned", "norm": "layernorm", "activation": "gelu", "bias": True, "kv_heads": 2,
}  # fmt: skip


def tiny(**changes):
    torch.manual_seed(0)
    shape = {"vocab_size": VOCAB, "context": CONTEXT, "layers": 2, "width": 16, "heads": 2,
             "kv_heads": 1, "hidden": 24, **changes}  # fmt: skip
    model = MiniGPT(ModelConfig(**shape))
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.3)  # branches are zero at the start
    return model


def random_ids(count, *, vocab=VOCAB):
    return np.random.default_rng(0).integers(0, vocab, count).astype(np.uint16)


def plain_loss(model, ids):
    """Token by token, each from the tokens of the first window that reaches it."""
    plan = windows(len(ids), model.config.context)
    whole, nats = torch.from_numpy(ids.astype(np.int64)), []
    for place in range(1, len(ids)):
        start = next(int(s) for s in plan.starts if s + plan.length >= place)
        logits = model(whole[None, start:place])[0, -1]
        nats.append(cross_entropy(logits, whole[place]).item())
    return sum(nats) / len(nats)


@pytest.mark.parametrize("tokens", [2, 9, 17, 18, 25, 100])
def test_the_loss_is_that_of_predicting_token_by_token(tokens):
    model, ids = tiny().eval(), random_ids(tokens)
    with torch.inference_mode():
        expected = plain_loss(model, ids)
    assert held_out_loss(model, ids) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("shape", [{}, {"experts": 3}, GPT2], ids=["llama", "mixtral", "gpt2"])
def test_the_loss_is_the_one_that_transformers_computes_for_the_exported_model(shape):
    model, ids = tiny(**shape), random_ids(CONTEXT)
    whole = torch.from_numpy(ids.astype(np.int64))[None]
    with torch.inference_mode():
        theirs = to_stock(model)(input_ids=whole, labels=whole).loss.item()
    assert held_out_loss(model, ids) == pytest.approx(theirs, abs=1e-4)


@pytest.mark.parametrize("context", [1, 2, 7, 16])
@pytest.mark.parametrize("tokens", [2, 3, 8, 16, 17, 18, 31, 64, 100])
def test_every_token_but_the_first_is_scored_once_and_from_half_a_context(tokens, context):
    plan = windows(tokens, context)
    scored = [
        (int(start) + offset + 1, offset + 1)
        for start, skip in zip(plan.starts, plan.skips, strict=True)
        for offset in range(int(skip), plan.length)
    ]
    assert [place for place, _ in scored] == list(range(1, tokens))
    assert plan.length <= context
    assert all(seen >= min(place, context // 2) for place, seen in scored)


def test_batches_change_nothing(monkeypatch):
    model, ids = tiny(), random_ids(300)
    whole = held_out_loss(model, ids)
    monkeypatch.setattr("training.gpt.evaluate.CPU_BATCH_TOKENS", 2 * CONTEXT)
    assert held_out_loss(model, ids) == pytest.approx(whole, rel=1e-6)


def test_measuring_leaves_a_model_in_training_as_it_was():
    model = tiny(dropout=0.5).train()
    ids = random_ids(60)
    assert held_out_loss(model, ids) == held_out_loss(model, ids)  # no dropout while measuring
    assert model.training


@pytest.mark.parametrize("kind", ["char", "bytes"])
def test_bits_per_byte_count_every_byte_of_the_scored_text(kind):
    train = "The wolf and the seven little kids went home. " * 60
    held_out = "éthe little wolf went home — " * 4
    texts = Texts((train,), (held_out,), Source("tale.txt"), "the end", False)
    config = TrainConfig(tokenizer=kind, vocab_size=280, context=CONTEXT)
    corpus = corpus_of(texts, config)
    model = tiny(vocab_size=len(corpus.tokenizer))
    figures = evaluate(model, corpus)
    # é is no character of the training part: its first byte is a token of its own.
    scored_bytes = len(held_out.encode()) - 1
    assert figures.bytes == scored_bytes
    nats = held_out_loss(model, corpus.held_out_ids) * (len(corpus.held_out_ids) - 1)
    assert figures.bits_per_byte == pytest.approx(nats / math.log(2) / scored_bytes)
    assert figures.perplexity == pytest.approx(math.exp(figures.loss))
    assert figures.tokens == len(corpus.held_out_ids) - 1


def test_a_token_that_only_ends_a_text_has_no_bytes():
    texts = Texts(("one two three " * 40,), ("", "two three one " * 3), Source("x"), "rows", True)
    corpus = corpus_of(texts, TrainConfig(tokenizer="char", context=CONTEXT))
    figures = evaluate(tiny(vocab_size=len(corpus.tokenizer)), corpus)
    assert corpus.tokenizer.decode(corpus.held_out_ids[:1]) == corpus.tokenizer.eos_token
    assert figures.bytes == corpus.held_out_bytes


def test_baselines_are_measured_on_the_same_tokens():
    texts = Texts(("abcdefghij" * 200,), ("abcdefghij" * 10,), Source("x"), "the end", False)
    corpus = corpus_of(texts, TrainConfig(tokenizer="char", context=CONTEXT))
    figures = evaluate(tiny(vocab_size=len(corpus.tokenizer)), corpus)
    assert figures.bigram.loss < 0.05 < 2 < figures.unigram.loss  # a cycle of ten
    assert figures.as_bits_per_byte(math.log(2)) == pytest.approx(1.0)
