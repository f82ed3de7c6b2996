"""What a model writes: a few continuations of beginnings it never saw, the same for the same seed.

Sampling is that of `inference`, computed by the model as it is written in model.py, so that a model
without a stock format has samples too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from training.gpt.model import Cache, MiniGPT
from training.gpt.sampling import Sampling, choose

if TYPE_CHECKING:
    from training.gpt.data import Corpus

PROMPTS = 3
PROMPT_CHARACTERS = 40
UNSPACED_CHARACTERS = 12  # of a prompt in a script without spaces
LOOK_TOKENS = 400  # of the held-out part, for the beginning of a line
SENTENCE_END = re.compile(r"""[.!?]['"’”]*\s+|[。！？][’”」]*""")
WORD_END = re.compile(r"\s+")
SAMPLE_TOKENS = 160
SAMPLING = Sampling(temperature=0.8, top_k=50)


@dataclass(frozen=True)
class Sample:
    """A prompt from the held-out part and what the model made of it."""

    prompt: str
    text: str


def write_samples(model: MiniGPT, corpus: Corpus, *, tokens: int = SAMPLE_TOKENS) -> list[Sample]:
    """Continue beginnings of lines of the held-out part. Sample i has seed i."""
    samples = []
    for seed, prompt in enumerate(prompts_of(corpus.held_out_ids, corpus.tokenizer)):
        ids = corpus.tokenizer(prompt, add_special_tokens=False)["input_ids"]
        sampling = Sampling(SAMPLING.temperature, SAMPLING.top_k, seed=seed)
        end = corpus.tokenizer.eos_token_id
        new = continuation(model, ids, tokens=tokens, sampling=sampling, end=end)
        text = corpus.tokenizer.decode([*ids, *new], skip_special_tokens=True)
        samples.append(Sample(prompt, text.removeprefix(prompt).replace("\ufffd", "")))
    return samples


def prompts_of(ids: np.ndarray, tokenizer: Any, *, count: int = PROMPTS) -> list[str]:
    """The first words of a line in each of `count` equal parts of a text."""
    starts = [len(ids) * part // count for part in range(count)]
    looks = [tokenizer.decode(ids[at : at + LOOK_TOKENS].tolist()) for at in starts]
    end = tokenizer.eos_token or "\n"
    return [_beginning(look.replace(end, "\n")) for look in looks]


def continuation(
    model: MiniGPT, ids: Sequence[int], *, tokens: int, sampling: Sampling, end: int | None = None
) -> list[int]:
    """Up to `tokens` new ids after `ids`, at least one of them; stops before `end`.

    When the context is full, its second half is read again as if it were the prompt.
    """
    device, context = next(model.parameters()).device, model.config.context
    cache = Cache(model.config, device=device)
    read, unread, new = list(ids), list(ids[-context:]), list[int]()
    model.eval()
    with torch.inference_mode():
        for index in range(tokens):
            if cache.filled + len(unread) > context:
                cache.forget()
                unread = read[-max(1, context // 2) :]
            logits = model(torch.tensor([unread], device=device), cache=cache)[0, -1]
            token = choose(logits, read, index, sampling)
            if token == end:
                break
            new.append(token)
            read.append(token)
            unread = [token]
    return new


def _beginning(text: str) -> str:
    """The first words of the first whole line that has several, else of a sentence."""
    lines = [line.strip() for line in text.split("\n")]
    whole = [line for line in lines[1:-1] if len(line) >= PROMPT_CHARACTERS // 2]
    line = whole[0] if whole else _sentence(text.strip())
    if len(line) <= PROMPT_CHARACTERS:
        return line
    words, space, _ = line[:PROMPT_CHARACTERS].rpartition(" ")
    return words if space else line[:UNSPACED_CHARACTERS]


def _sentence(text: str) -> str:
    """`text` from its first sentence on that is whole, else from its second word, else all."""
    for end in (SENTENCE_END, WORD_END):
        rest = " ".join(end.split(text, maxsplit=1)[-1].split())
        if PROMPT_CHARACTERS // 2 <= len(rest) < len(text):
            return rest
    return " ".join(text.split()) or "\n"
