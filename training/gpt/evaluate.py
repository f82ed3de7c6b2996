"""How well does it predict text that it never saw? Every held-out token but the first, once each.

A text is longer than the model's context, so it is read in windows. Each begins half a context
after the one before, and only what the one before did not reach is scored: every token, save those
of the first window, is predicted from at least half a context. That is how the model is used, and
it is twice the work of windows side by side, in which the first tokens are guessed blindly.

Legend: b windows, t tokens of each, v vocabulary.
"""

from __future__ import annotations

import math
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from training.gpt.baselines import Baseline, baselines
from training.shared.workers import map_on_cores

if TYPE_CHECKING:
    from training.gpt.data import Corpus
    from training.gpt.model import MiniGPT

OVERLAP = 0.5  # of a window, with the one before
CPU_BATCH_TOKENS = 1024  # for each core
GPU_BATCH_TOKENS = 65_536
MAX_LOGITS = 1 << 25  # numbers of one batch's logits: 128 MiB


@dataclass(frozen=True)
class Evaluation:
    """Figures on the held-out text. Losses are means over its tokens but the first."""

    loss: float  # nats per token
    tokens: int  # scored
    bytes: int  # of the scored tokens' text, in UTF-8
    unigram: Baseline
    bigram: Baseline
    seconds: float

    @property
    def perplexity(self) -> float:
        """Among how many equally likely tokens it hesitates, so to speak."""
        return math.exp(self.loss)

    @property
    def bits_per_byte(self) -> float:
        """Comparable across tokenizers."""
        return self.as_bits_per_byte(self.loss)

    def as_bits_per_byte(self, loss: float) -> float:
        """A loss on the same tokens in bits per byte: all nats / ln 2 / all bytes."""
        return loss * self.tokens / math.log(2) / self.bytes


@dataclass(frozen=True)
class Windows:
    """Which tokens are read and which are scored. starts, skips: (b,)."""

    starts: np.ndarray  # first token read
    skips: np.ndarray  # predictions that the window before has made already
    length: int

    def __len__(self) -> int:
        return len(self.starts)


def evaluate(model: MiniGPT, corpus: Corpus) -> Evaluation:
    """Measure `model` on the whole held-out part, beside what counting reaches."""
    start = time.perf_counter()
    ids = corpus.held_out_ids
    loss = held_out_loss(model, ids)
    seconds = time.perf_counter() - start
    size = model.config.vocab_size
    unigram, bigram = baselines(corpus.train_ids, ids, vocab_size=size)
    return Evaluation(
        loss=loss,
        tokens=len(ids) - 1,
        bytes=corpus.held_out_bytes - bytes_of(corpus.tokenizer, int(ids[0])),
        unigram=unigram,
        bigram=bigram,
        seconds=seconds,
    )


def held_out_loss(model: MiniGPT, ids: np.ndarray) -> float:
    """Mean nats over all tokens of (n,) `ids` but the first, in float32; n at least 2."""
    device = next(model.parameters()).device
    plan = windows(len(ids), model.config.context)
    whole = torch.from_numpy(ids.astype(np.int64)).to(device)
    size = max(1, _batch_tokens(device.type, model.config.vocab_size) // plan.length)
    batches = [np.arange(at, min(at + size, len(plan))) for at in range(0, len(plan), size)]

    def score(rows: np.ndarray) -> float:
        with torch.inference_mode():
            return _nats(model, whole, plan, rows)

    training = model.training
    model.eval()
    try:
        return sum(map_on_cores(score, batches, device=device.type)) / (len(ids) - 1)
    finally:
        model.train(training)


def windows(tokens: int, context: int) -> Windows:
    """Windows over a text of `tokens` tokens such that each but the first is scored once."""
    targets = tokens - 1
    length = min(context, targets)
    stride = max(1, round((1 - OVERLAP) * length))
    # The last window ends where the text does, so all are equally long.
    starts = np.append(np.arange(0, targets - length, stride), targets - length)
    reached = np.append(0, starts[:-1] + length)
    return Windows(starts, reached - starts, length)


def bytes_of(tokenizer: Any, token: int) -> int:
    """UTF-8 bytes that one token stands for."""
    name = tokenizer.convert_ids_to_tokens(token)
    if re.fullmatch(r"<0x[0-9A-Fa-f]{2}>", name):
        return 1  # byte fallback
    text = tokenizer.decode([token], skip_special_tokens=True)
    # A piece of a character has no text; byte-level names have one sign a byte.
    return len(name) if "\ufffd" in text else len(text.encode())


def _batch_tokens(device: str, vocab_size: int) -> int:
    limit = GPU_BATCH_TOKENS if device == "cuda" else CPU_BATCH_TOKENS
    return min(limit, MAX_LOGITS // vocab_size)


def _nats(model: MiniGPT, ids: Tensor, plan: Windows, rows: np.ndarray) -> float:
    """All nats of the predictions that these windows score."""
    offsets = torch.arange(plan.length, device=ids.device)
    places = torch.from_numpy(plan.starts[rows]).to(ids.device)[:, None] + offsets  # (b, t)
    scored = offsets >= torch.from_numpy(plan.skips[rows]).to(ids.device)[:, None]  # (b, t)
    logits = model(ids[places])[scored]
    nats = F.cross_entropy(logits.float(), ids[places + 1][scored], reduction="none")
    return float(nats.double().sum())
