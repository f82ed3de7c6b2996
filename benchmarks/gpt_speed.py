"""Our decoding beside `transformers` `generate(use_cache=True)`: same weights, prompts and threads.

Run: python -m benchmarks.gpt_speed [SECONDS]   (default: 90, of training before measuring)

A Llama of 12.6M parameters (6 layers, width 384, 6 heads, 2 KV heads, vocabulary 4,096) continues
three prompts greedily, 400 tokens each, with random weights and with weights trained for a moment
on tales. Random weights soon repeat themselves, which flatters guessing, so every row says how it
was decoded. Ways alternate prompt by prompt, so that a busy moment hits all.
"""

from __future__ import annotations

import json
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TOKENS = 400
SLOW_TOKENS = 60  # for ways that take ten times as long
PROMPTS = ("Once upon a time there was a poor", "The king said to his", "In the forest lived")
SHAPE = {"layers": 6, "width": 384, "heads": 6, "kv_heads": 2, "hidden": 1024, "tied": False}
VOCABULARY, CONTEXT = 4096, 512
SCORED = 4096  # held-out tokens for the perplexity
BASELINE = "`transformers`, cached, float32"


@dataclass(frozen=True)
class Way:
    """One way to decode: from a prompt's ids and a number of tokens to new ids."""

    name: str
    work: Callable[[Sequence[int], int], list[int]]
    tokens: int = TOKENS


def main(arguments: list[str]) -> int:
    """Measure and print the tables and the figures."""
    seconds = float(arguments[0]) if arguments else 90.0
    corpus = tales()
    figures: dict[str, Any] = {"memory_gb_per_second": round(bandwidth() / 1e9, 1)}
    for weights, model in models(corpus, seconds):
        figures[weights] = compare(model, corpus)
        print(table(weights, figures[weights], figures["memory_gb_per_second"]), "\n")
    print(json.dumps(figures))
    return 0


def tales() -> Any:
    """Fairy tales as tokens of a vocabulary of 4,096."""
    from hub_utils.connection import connect
    from hub_utils.settings import Settings

    hub = connect(Settings.from_env())
    from training.gpt.config import DEFAULT_DATA
    from training.gpt.data import load_corpus

    return load_corpus(DEFAULT_DATA, hub=hub, config=shape())


def shape(seconds: float | None = None) -> Any:
    """The configuration of the compared model."""
    from training.gpt.config import TrainConfig

    return TrainConfig(
        vocab_size=VOCABULARY,
        context=CONTEXT,
        max_seconds=seconds,
        batch_tokens=2048,
        **SHAPE,  # type: ignore[arg-type]
    )


def models(corpus: Any, seconds: float) -> Iterator[tuple[str, Any]]:
    """(what the weights are, the stock model that has them)."""
    import torch

    from training.gpt.model import MiniGPT
    from training.gpt.native import to_stock
    from training.gpt.train import train
    from training.shared.progress import Progress

    torch.manual_seed(0)
    yield "random", _endless(to_stock(MiniGPT(shape().model_config(VOCABULARY))))
    with tempfile.TemporaryDirectory() as folder:
        progress = Progress("gpt", Path(folder), quiet=True)
        made = train(corpus, shape(seconds), output=Path(folder), progress=progress)
    yield "trained", _endless(to_stock(made.model.cpu()))


def _endless(model: Any) -> Any:
    """A model that never ends a text by itself, so that all ways make as many tokens."""
    model.generation_config.eos_token_id = None
    model.generation_config.pad_token_id = 0
    return model.eval()


def compare(model: Any, corpus: Any) -> dict[str, Any]:
    """Tokens a second of every way, agreement with transformers, and perplexities."""
    import torch

    from training.gpt.engine import Engine, compiled_engine, plain_engine
    from training.gpt.weights import read_weights

    weights = read_weights(model)
    plain = plain_engine(weights)
    fast, half = (compiled_engine(weights, kind) for kind in ("float32", "bfloat16"))
    ways = [
        Way(BASELINE, stock(model)),
        Way("`transformers`, no cache, float32", stock(model, use_cache=False), SLOW_TOKENS),
        Way("`transformers`, cached, bfloat16", stock(_half(model)), SLOW_TOKENS),
        Way("ours, plain torch, float32", ours(plain)),
    ]
    if fast is not None and half is not None:
        ways += [
            Way("ours, compiled, no cache, float32", ours(fast, use_cache=False), SLOW_TOKENS),
            Way("ours, compiled, float32, not guessing", ours(Engine(fast.network))),
            Way("**ours, compiled, float32**", ours(fast)),
            Way("ours, compiled, bfloat16, not guessing", ours(Engine(half.network))),
            Way("**ours, compiled, bfloat16**", ours(half)),
        ]
    prompts = [list(corpus.tokenizer(prompt)["input_ids"]) for prompt in PROMPTS]
    figures: dict[str, Any] = {"threads": torch.get_num_threads(), "ways": rounds(ways, prompts)}
    figures["bytes_per_token_float32"] = 4 * _read_each_token(weights)
    held_out = corpus.held_out_ids[:SCORED].astype(int).tolist()
    for name, engine in (("plain", plain), ("float32", fast), ("bfloat16", half)):
        if engine is not None:
            figures[f"perplexity_{name}"] = round(perplexity(engine.network, held_out), 4)
    return figures


def rounds(ways: Sequence[Way], prompts: Sequence[list[int]]) -> dict[str, Any]:
    """Every way on every prompt, in turns."""
    rates: dict[str, list[float]] = {way.name: [] for way in ways}
    agreed: dict[str, list[float]] = {way.name: [] for way in ways}
    for way in ways:
        way.work(prompts[0], 8)
    for prompt in prompts:
        reference: list[int] = []
        for way in ways:
            start = time.perf_counter()
            made = way.work(prompt, way.tokens)
            rates[way.name].append(way.tokens / (time.perf_counter() - start))
            reference = reference or made
            same = sum(a == b for a, b in zip(made, reference, strict=False))
            agreed[way.name].append(same / len(made))
    base = rates[BASELINE]
    return {
        name: {
            "tokens_per_second": [round(rate, 1) for rate in found],
            "ratio": round(statistics.median(found) / statistics.median(base), 2),
            "ratios": [round(a / b, 2) for a, b in zip(found, base, strict=True)],
            "same_tokens": round(statistics.mean(agreed[name]), 4),
        }
        for name, found in rates.items()
    }


def stock(model: Any, *, use_cache: bool = True) -> Callable[[Sequence[int], int], list[int]]:
    """Greedy decoding by transformers."""
    import torch

    def work(ids: Sequence[int], count: int) -> list[int]:
        prompt = torch.tensor([list(ids)])
        made = model.generate(
            prompt,
            attention_mask=torch.ones_like(prompt),
            max_new_tokens=count,
            do_sample=False,
            use_cache=use_cache,
        )
        return list(made[0, len(ids) :].tolist())

    return work


def ours(engine: Any, *, use_cache: bool = True) -> Callable[[Sequence[int], int], list[int]]:
    """Greedy decoding by one of our engines."""
    from training.gpt.generation import Window, continued
    from training.gpt.sampling import Sampling

    def work(ids: Sequence[int], count: int) -> list[int]:
        window = Window(list(ids), engine.network.weights.context)
        tokens = continued(engine, window, Sampling(), count=count, use_cache=use_cache)
        return [token for token, _ in tokens]

    return work


def perplexity(network: Any, ids: Sequence[int]) -> float:
    """exp of the mean loss over windows of the context, each read from its beginning."""
    import torch

    losses = []
    for start in range(0, len(ids) - 1, CONTEXT):
        window = ids[start : start + CONTEXT + 1]
        cache = network.new_cache(slots=1, length=CONTEXT)
        logits = network.read(cache, window[:-1], slot=0, start=0, all=True)
        targets = torch.tensor(window[1:])
        losses += torch.nn.functional.cross_entropy(logits, targets, reduction="none").tolist()
    return math.exp(statistics.fmean(losses))


def bandwidth() -> float:
    """Bytes a second that all threads together read from memory, best of several."""
    import torch

    block = torch.ones(64_000_000)  # 256 MB: more than caches hold
    seconds = []
    for _ in range(7):
        start = time.perf_counter()
        block.sum()
        seconds.append(time.perf_counter() - start)
    return 4 * len(block) / min(seconds)


def _half(model: Any) -> Any:
    import copy

    import torch

    return copy.deepcopy(model).to(torch.bfloat16)


def _read_each_token(weights: Any) -> int:
    """Weights that one token reads: all but the embedding's other rows."""
    return int(weights.parameters) - weights.embedding.numel()


def table(weights: str, figures: dict[str, Any], gigabytes: float) -> str:
    """The figures as Markdown."""
    read = figures["bytes_per_token_float32"]
    limit = gigabytes * 1e9 / read

    def row(name: str, way: dict[str, Any]) -> str:
        rates = way["tokens_per_second"]
        return (
            f"| {name} | {statistics.median(rates):.0f} | {min(rates):.0f} to {max(rates):.0f} "
            f"| {way['ratio']:.2f}× | {100 * way['same_tokens']:.1f} % |"
        )

    scores = ", ".join(
        f"{name.removeprefix('perplexity_')} {value:.3f}"
        for name, value in figures.items()
        if name.startswith("perplexity_")
    )
    return "\n".join(
        [
            f"Weights: {weights}. {figures['threads']} threads.",
            "",
            "| | tokens/s (median) | spread | ratio | tokens as transformers' float32 |",
            "|---|---|---|---|---|",
            *(row(name, way) for name, way in figures["ways"].items()),
            "",
            f"Memory reads at {gigabytes:.1f} GB/s and a token reads {read / 1e6:.1f} MB of "
            f"float32 weights: without guessing no way can exceed {limit:.0f} tokens/s in float32, "
            f"{2 * limit:.0f} in bfloat16 (more only where the caches hold a part).",
            f"Perplexity on {SCORED:,} held-out tokens: {scores}.",
        ]
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
