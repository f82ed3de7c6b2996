"""The optimizer's loop: batches in a seeded order, a schedule over the budget, checkpoints.

Everything that decides the next step is in `Run` and goes into a checkpoint.
"""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from training.bert.config import TrainConfig
from training.bert.gradients import Backward, Feed
from training.bert.model import body_parameters, head_parameters, new_layer_parameters
from training.shared import checkpoint, seed
from training.shared.checkpoint import Checkpoint
from training.shared.device import one_thread_each, probe
from training.shared.processes import agreed
from training.shared.progress import Progress
from training.shared.schedule import Budget, one_cycle

if TYPE_CHECKING:
    from accelerate import Accelerator

MAX_GRADIENT_NORM = 1.0
BETAS = (0.9, 0.98)
# Settings that may differ between a run and its resumption.
MAY_DIFFER = ("checkpoint_seconds",)


@dataclass
class Run:
    """The moving parts of a training."""

    network: Any  # PackedClassifier or PaddedClassifier, perhaps inside DDP
    optimizer: Any
    weights: dict[str, Tensor]  # the trained ones, by name
    order: np.random.Generator  # of the data
    budget: Budget
    average: dict[str, Tensor] | None = None
    pending: list[int] = field(default_factory=list)  # rows of this epoch, not yet used
    step: int = 0
    seconds: float = 0.0  # in the loop, over all sessions
    history: list[dict[str, float]] = field(default_factory=list)


def start(
    network: Any, config: TrainConfig, *, accelerator: Accelerator, order: np.random.Generator
) -> Run:
    """A run at step 0; its budget is set by the caller."""
    weights = {n: p for n, p in network.model.named_parameters() if p.requires_grad}
    groups = [
        {"params": body_parameters(network.model), "peak": config.learning_rate},
        {"params": head_parameters(network.model), "peak": config.head_learning_rate},
        {"params": new_layer_parameters(network.model), "peak": config.new_layer_learning_rate},
    ]
    optimizer = torch.optim.AdamW(
        [group for group in groups if group["params"]],
        lr=0.0,
        betas=BETAS,
        weight_decay=config.weight_decay,
        fused=True,
    )
    average = {n: w.detach().clone() for n, w in weights.items()} if config.average else None
    network, optimizer = accelerator.prepare(network, optimizer)
    return Run(network, optimizer, weights, order, Budget(1), average)


def fit(
    run: Run,
    feed: Feed,
    config: TrainConfig,
    *,
    accelerator: Accelerator,
    progress: Progress,
    folder: Path,
) -> None:
    """Step until the budget is used, then put the averaged weights in place if there are any."""
    backward = Backward(
        run.network,
        list(run.weights.values()),
        feed,
        config,
        accelerator,
        bfloat16=probe().bfloat16,
    )
    keep = _Keeper(run, config, folder, frozen=feed.frozen, main=accelerator.is_main_process)
    clock = time.monotonic() - run.seconds
    run.network.train()
    with one_thread_each() if backward.threaded else nullcontext():
        while (used := _used(run, accelerator)) < 1:
            rows = _next_rows(run, len(feed.tokens), config.batch_size)
            loss = backward(rows, step=run.step, thin=config.thinning * (1 - used))
            _update(run, config, used=used, accelerator=accelerator)
            run.seconds = time.monotonic() - clock
            _tell(run, loss, progress, texts=len(feed.tokens), config=config)
            keep.when_due()
    backward.close()
    if run.average is not None:
        with torch.no_grad():
            for name, weight in run.weights.items():
                weight.copy_(run.average[name])


@dataclass
class _Keeper:
    """Saves a checkpoint every so often."""

    run: Run
    config: TrainConfig
    folder: Path
    frozen: int
    main: bool
    saved: float = field(default_factory=time.monotonic)

    def when_due(self) -> None:
        """Save if the last time is long enough ago."""
        now = time.monotonic()
        if self.main and now - self.saved >= self.config.checkpoint_seconds:
            save(self.run, self.config, self.folder, frozen=self.frozen)
            self.saved = now


def save(run: Run, config: TrainConfig, folder: Path, *, frozen: int) -> None:
    """Write everything that `restore` needs."""
    tensors = {f"weight.{name}": weight for name, weight in run.weights.items()}
    tensors |= {f"rng.{name}": state for name, state in seed.torch_states().items()}
    tensors |= {f"average.{name}": w for name, w in (run.average or {}).items()}
    for number, state in run.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{key}": value for key, value in state.items()}
    state = {
        "step": run.step,
        "seconds": run.seconds,
        "order": seed.generator_state(run.order),
        "pending": run.pending,
        "history": run.history,
        "budget": asdict(run.budget),
        "frozen": frozen,
        "config": asdict(config),
    }
    checkpoint.save(folder, Checkpoint(tensors, state), step=run.step)


def restore(run: Run, found: Checkpoint) -> None:
    """Put `run` where the checkpoint was taken."""
    with torch.no_grad():
        for name, weight in run.weights.items():
            weight.copy_(found.tensors[f"weight.{name}"])
        for name, weight in (run.average or {}).items():
            weight.copy_(found.tensors[f"average.{name}"])
    whole = run.optimizer.state_dict()
    whole["state"] = _optimizer_state(found.tensors)
    run.optimizer.load_state_dict(whole)
    state = found.state
    run.order = seed.restore_generator(state["order"])
    run.pending, run.history = state["pending"], state["history"]
    run.step, run.seconds = state["step"], state["seconds"]
    run.budget = Budget(**state["budget"])
    seed.restore_torch(_under("rng.", found.tensors))


def _used(run: Run, accelerator: Accelerator) -> float:
    return agreed(run.budget.progress(step=run.step, seconds=run.seconds), accelerator)


def _next_rows(run: Run, count: int, size: int) -> np.ndarray:
    """The next `size` rows of an endless sequence of shuffled epochs."""
    while len(run.pending) < size:
        run.pending += run.order.permutation(count).tolist()
    rows, run.pending = run.pending[:size], run.pending[size:]
    return np.asarray(rows)


def _update(run: Run, config: TrainConfig, *, used: float, accelerator: Accelerator) -> None:
    """One optimizer step with the gradients that are in place."""
    for group in run.optimizer.param_groups:
        group["lr"] = group["peak"] * one_cycle(used)
    accelerator.clip_grad_norm_(list(run.weights.values()), MAX_GRADIENT_NORM)
    run.optimizer.step()
    run.optimizer.zero_grad()
    run.step += 1
    if run.average is not None:
        _follow(run.average, run.weights, min(config.average, run.step / (9 + run.step)))


def _follow(average: dict[str, Tensor], weights: dict[str, Tensor], decay: float) -> None:
    with torch.no_grad():
        for name, weight in weights.items():
            average[name].lerp_(weight, 1 - decay)


def _tell(run: Run, loss: float, progress: Progress, *, texts: int, config: TrainConfig) -> None:
    run.history.append({"step": run.step, "loss": round(loss, 5)})
    epoch = run.step * config.batch_size / texts
    progress.update(
        step=run.step,
        steps=run.budget.max_steps,
        loss=loss,
        seconds_left=run.budget.seconds_left(step=run.step, seconds=run.seconds),
        message=f"epoch {epoch:.2f}, loss {loss:.3f}",
    )


def _optimizer_state(tensors: dict[str, Tensor]) -> dict[int, dict[str, Tensor]]:
    states: dict[int, dict[str, Tensor]] = {}
    for name, tensor in _under("optimizer.", tensors).items():
        number, _, key = name.partition(".")
        states.setdefault(int(number), {})[key] = tensor
    return states


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
