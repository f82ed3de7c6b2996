"""Run a classifier over many texts with every core: packed, by length, a worker a core.

Where bfloat16 or 8-bit integers are faster they compute the products. A text whose best two labels
come out close is then scored again in float32, so that rounding does not change labels.

Legend: n tokens of all texts, h width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from training.bert.data import Tokens, batches_by_length
from training.bert.model import Packed, pack
from training.shared.device import probe
from training.shared.workers import map_on_cores

# Activations of this many tokens stay in a core's share of the cache.
CPU_BATCH_TOKENS = 512
GPU_BATCH_TOKENS = 32_768
# Best minus second-best logit below which rounding may have swapped two labels. On R8, bfloat16 is
# off by hundredths; 8-bit products by 0.1 on average and 1.0 at most. The wider margin there is
# for the probabilities: a best one of 0.98 may then be 0.95 in float32.
UNSURE_BFLOAT16 = 0.5
UNSURE_INT8 = 4.0

Result = TypeVar("Result")
Report = Callable[[int], None]  # hears how many texts are done


def batch_of(tokens: Tokens, rows: np.ndarray) -> Packed:
    """The texts of `rows`, packed."""
    ids = tokens.ids[token_rows(tokens, rows)]
    return pack(torch.from_numpy(ids), tokens.lengths[rows].tolist())


def token_rows(tokens: Tokens, rows: np.ndarray) -> np.ndarray:
    """Places in `tokens.ids` of the tokens of these texts, end to end."""
    return np.concatenate([np.arange(tokens.starts[r], tokens.starts[r + 1]) for r in rows])


def logits_of(
    model: Any,
    tokens: Tokens,
    *,
    bfloat16: bool = False,
    rounded: Any | None = None,
    report: Report | None = None,
) -> Tensor:
    """(texts, labels) float32 logits of every text.

    rounded: a copy of the model in bfloat16 or with 8-bit products to use instead; where there is
    none, the model is too narrow to gain by it. bfloat16: compute its products so all the same.
    """
    fast = rounded is None and bfloat16
    first = model if rounded is None else rounded
    logits = _logits(first, tokens, np.arange(len(tokens)), bfloat16=fast, report=report)
    if fast or rounded is not None:
        best = logits.topk(2).values
        margin = UNSURE_BFLOAT16 if fast or _in_bfloat16(rounded) else UNSURE_INT8
        unsure = (best[:, 0] - best[:, 1] < margin).nonzero().squeeze(1)
        if len(unsure):
            logits[unsure] = _logits(model, tokens, unsure.numpy(), bfloat16=False)
    return logits


def hidden_of(model: Any, tokens: Tokens, *, stop: int, report: Report | None = None) -> Tensor:
    """(n, h) float16 output of layer `stop` for every token of `tokens`, in their order."""
    width = model.model.config.hidden_size
    kept = torch.empty(len(tokens.ids), width, dtype=torch.float16)

    def work(batch: Packed) -> Tensor:
        hidden: Tensor = model.hidden(batch, stop=stop)
        return hidden.to("cpu", torch.float16)

    rows = np.arange(len(tokens))
    for done, part in _map(model, tokens, rows, work, bfloat16=probe().bfloat16, report=report):
        kept[torch.from_numpy(token_rows(tokens, done))] = part
    return kept


def _in_bfloat16(model: Any) -> bool:
    return bool(next(model.parameters()).dtype == torch.bfloat16)


def autocast(device: str, *, bfloat16: bool) -> torch.autocast | nullcontext[None]:
    """Products in bfloat16, or nothing."""
    return torch.autocast(device, torch.bfloat16) if bfloat16 else nullcontext()


def _logits(
    model: Any,
    tokens: Tokens,
    rows: np.ndarray,
    *,
    bfloat16: bool,
    report: Report | None = None,
) -> Tensor:
    """(rows, labels) logits of these texts."""
    done, parts = [], []

    def work(batch: Packed) -> Tensor:
        logits: Tensor = model(batch)
        return logits.float().cpu()

    for places, part in _map(model, tokens, rows, work, bfloat16=bfloat16, report=report):
        done.append(places)
        parts.append(part)
    back = np.argsort(np.concatenate(done))[np.argsort(np.argsort(rows))]
    return torch.cat(parts)[torch.from_numpy(back)]


def _map(
    model: Any,
    tokens: Tokens,
    rows: np.ndarray,
    work: Callable[[Packed], Result],
    *,
    bfloat16: bool,
    report: Report | None = None,
) -> Iterator[tuple[np.ndarray, Result]]:
    """(rows, result) of every batch, longest texts first. Call with the model in eval mode."""
    device = next(model.parameters()).device
    limit = GPU_BATCH_TOKENS if device.type == "cuda" else CPU_BATCH_TOKENS
    batches = [rows[b] for b in batches_by_length(tokens.lengths[rows], max_tokens=limit)]

    def run(batch: np.ndarray) -> Result:
        with torch.inference_mode(), autocast(device.type, bfloat16=bfloat16):
            return work(batch_of(tokens, batch).to(device))

    done = 0
    for batch, result in zip(batches, map_on_cores(run, batches, device=device.type), strict=True):
        yield batch, result
        done += len(batch)
        if report is not None:
            report(done)
