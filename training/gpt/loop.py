"""The optimizer's loop: windows in a seeded order, a schedule over the budget, checkpoints.

Everything that decides the next step is in `Run` and goes into a checkpoint.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from training.gpt.config import TrainConfig
from training.gpt.gradients import Backward
from training.gpt.model import MiniGPT
from training.gpt.optim import Optimizer
from training.gpt.plan import schedule_of
from training.shared import checkpoint, seed
from training.shared.checkpoint import Checkpoint
from training.shared.device import one_thread_each
from training.shared.processes import agreed
from training.shared.progress import Progress
from training.shared.schedule import Budget

if TYPE_CHECKING:
    from accelerate import Accelerator

MAX_GRADIENT_NORM = 1.0
SAMPLES = 6  # times in a run that it shows what it writes by now
VALIDATIONS = 10
# Settings that may differ between a run and its resumption.
MAY_DIFFER = ("checkpoint_seconds",)


@dataclass
class Feed:
    """Places in the text in a random order: every token once before any comes again."""

    ids: np.ndarray  # (n,) tokens of the training part
    order: np.random.Generator
    size: int = 0  # tokens of a window now
    pending: list[int] = field(default_factory=list)  # starts that are not yet used

    def take(self, count: int, size: int) -> np.ndarray:
        """(count, size + 1) tokens: windows with the token that follows each."""
        if size != self.size:
            self.size, self.pending = size, []
        while len(self.pending) < count:
            self.pending += self._pass()
        starts, self.pending = np.asarray(self.pending[:count]), self.pending[count:]
        return self.ids[starts[:, None] + np.arange(size + 1)]

    def _pass(self) -> list[int]:
        """Starts of one pass over the text, cut into windows at another place each time."""
        spare = (len(self.ids) - 1) % self.size
        first = int(self.order.integers(min(self.size, spare + 1)))
        count = (len(self.ids) - 1 - first) // self.size
        starts: list[int] = (first + self.size * self.order.permutation(count)).tolist()
        return starts


@dataclass
class Run:
    """The moving parts of a training."""

    model: MiniGPT
    optimizer: Optimizer
    feed: Feed
    budget: Budget
    step: int = 0
    seconds: float = 0.0  # in the loop, over all sessions
    tokens: int = 0  # seen, over all processes
    history: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Watch:
    """What is looked at while a run goes on. Its time counts."""

    validate: Callable[[MiniGPT], float]
    sample: Callable[[MiniGPT], None]


def fit(
    run: Run,
    backward: Backward,
    config: TrainConfig,
    *,
    accelerator: Accelerator,
    watch: Watch,
    progress: Progress,
    folder: Path,
) -> None:
    """Step until the budget is used."""
    keep = _Keeper(run, config, folder, main=accelerator.is_main_process)
    schedule = schedule_of(config)
    clock = time.monotonic() - run.seconds
    run.model.train()
    with one_thread_each() if backward.pool else nullcontext():
        while (used := _used(run, accelerator)) < 1:
            size = schedule.window(used)
            rows = run.feed.take(schedule.rows(used), size)
            loss = backward(rows)
            torch.nn.utils.clip_grad_norm_(run.model.parameters(), MAX_GRADIENT_NORM)
            run.optimizer.step(schedule.rate(used))
            run.step += 1
            run.tokens += rows.shape[0] * size
            run.seconds = time.monotonic() - clock
            _tell(run, loss, progress)
            _look(run, watch, used, accelerator)
            run.seconds = time.monotonic() - clock
            keep.when_due()


@dataclass
class _Keeper:
    """Saves a checkpoint every so often."""

    run: Run
    config: TrainConfig
    folder: Path
    main: bool
    saved: float = field(default_factory=time.monotonic)

    def when_due(self) -> None:
        """Save if the last time is long enough ago."""
        now = time.monotonic()
        if self.main and now - self.saved >= self.config.checkpoint_seconds:
            save(self.run, self.config, self.folder)
            self.saved = now


def save(run: Run, config: TrainConfig, folder: Path) -> None:
    """Write everything that `restore` needs."""
    tensors: dict[str, Tensor] = {f"weight.{n}": w for n, w in run.model.named_parameters()}
    tensors |= {f"rng.{name}": state for name, state in seed.torch_states().items()}
    tensors |= {f"optimizer.{name}": value for name, value in run.optimizer.tensors().items()}
    state = {
        "step": run.step,
        "seconds": run.seconds,
        "tokens": run.tokens,
        "order": seed.generator_state(run.feed.order),
        "size": run.feed.size,
        "pending": run.feed.pending,
        "history": run.history,
        "budget": asdict(run.budget),
        "config": asdict(config),
    }
    checkpoint.save(folder, Checkpoint(tensors, state), step=run.step)


def restore(run: Run, found: Checkpoint) -> None:
    """Put `run` where the checkpoint was taken."""
    with torch.no_grad():
        for name, weight in run.model.named_parameters():
            weight.copy_(found.tensors[f"weight.{name}"])
    run.optimizer.restore(_under("optimizer.", found.tensors))
    state = found.state
    run.feed.order = seed.restore_generator(state["order"])
    run.feed.size, run.feed.pending = state["size"], state["pending"]
    run.step, run.seconds, run.tokens = state["step"], state["seconds"], state["tokens"]
    run.history, run.budget = state["history"], Budget(**state["budget"])
    seed.restore_torch(_under("rng.", found.tensors))


def _used(run: Run, accelerator: Accelerator) -> float:
    return agreed(run.budget.progress(step=run.step, seconds=run.seconds), accelerator)


def _look(run: Run, watch: Watch, before: float, accelerator: Accelerator) -> None:
    """Measure the validation loss when a tenth of the budget went by; show what it writes."""
    if not accelerator.is_main_process:
        return
    used = run.budget.progress(step=run.step, seconds=run.seconds)
    if int(used * VALIDATIONS) > int(before * VALIDATIONS):
        run.history[-1]["validation"] = round(watch.validate(run.model), 5)
    if int(used * SAMPLES) > int(before * SAMPLES):
        watch.sample(run.model)


def _tell(run: Run, loss: float, progress: Progress) -> None:
    point = {"step": run.step, "seconds": round(run.seconds, 2), "loss": round(loss, 5)}
    run.history.append(point)
    progress.update(
        step=run.step,
        steps=run.budget.max_steps,
        loss=loss,
        seconds_left=run.budget.seconds_left(step=run.step, seconds=run.seconds),
        message=f"loss {loss:.3f}, {run.tokens / max(run.seconds, 1e-9):,.0f} tokens/s",
    )


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
