"""Train a mini-GPT.  Run: python -m training gpt --preset quick
Expect on 2 cores: docs/benchmarks.md has the figures.

The learning rate follows the share of the budget used, so it ends at zero when the seconds do. A
run that is planned in steps gives the same weights after a kill and `--resume`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.gpt import loop
from training.gpt.config import TrainConfig
from training.gpt.data import Corpus
from training.gpt.evaluate import held_out_loss
from training.gpt.gradients import Backward
from training.gpt.model import MiniGPT
from training.gpt.optim import Optimizer
from training.gpt.plan import require_memory
from training.gpt.samples import SAMPLING, continuation
from training.shared import checkpoint, seed
from training.shared.device import Hardware, probe
from training.shared.progress import Progress
from training.shared.schedule import Budget

if TYPE_CHECKING:
    from accelerate import Accelerator

EPOCHS = 20  # at most, when neither steps nor seconds are given
NO_LIMIT = 10**6  # steps, where seconds end a run
VALIDATION_TOKENS = 4096  # of the held-out part, looked at while a run goes on
SAMPLE_TOKENS = 80
MIN_LOOP_SHARE = 0.25  # of the seconds, should the preparation have eaten more than planned

OnSample = Callable[[int, str], None]  # (step, what the model writes by now)


@dataclass(frozen=True)
class Trained:
    """What training gives."""

    model: MiniGPT
    tokenizer: Any
    main: bool  # False in the other processes of a distributed run
    seconds: float  # from the first line of `train` to the last step
    steps: int
    tokens_seen: int
    tokens_per_second: float
    parameters: int
    history: list[dict[str, float]] = field(
        default_factory=list
    )  # step, seconds, loss[, validation]


def train(
    corpus: Corpus,
    config: TrainConfig,
    *,
    output: Path,
    progress: Progress,
    resume: bool = False,
    on_sample: OnSample | None = None,
) -> Trained:
    """Train on `corpus.train_ids`; `output` keeps checkpoints. on_sample: told what it writes."""
    started = time.monotonic()
    hardware = probe()
    accelerator = _accelerator(hardware)
    progress.quiet = progress.quiet or not accelerator.is_main_process
    shape = config.model_config(len(corpus.tokenizer))
    require_memory(shape, rows=1)
    found = checkpoint.load(output / "checkpoint") if resume else None
    if found is not None:
        checkpoint.require_same(config, found, free=loop.MAY_DIFFER)
    order = seed.seed_everything(config.seed)
    model = MiniGPT(shape).to(accelerator.device)
    backward = Backward(model, config, hardware=hardware, accelerator=accelerator)
    run = loop.Run(
        model=model,
        optimizer=Optimizer(model, config, pool=backward.pool),
        feed=loop.Feed(corpus.train_ids, order),
        budget=_budget(config, corpus, spent=time.monotonic() - started),
    )
    if found is not None:
        loop.restore(run, found)
    progress.say("train", _plan_sentence(model, run.budget, hardware))
    loop.fit(
        run,
        backward,
        config,
        accelerator=accelerator,
        watch=_watch(corpus, run, progress, on_sample),
        progress=progress,
        folder=output / "checkpoint",
    )
    backward.close()
    return Trained(
        model=model.eval(),
        tokenizer=corpus.tokenizer,
        main=accelerator.is_main_process,
        seconds=time.monotonic() - started,
        steps=run.step,
        tokens_seen=run.tokens,
        tokens_per_second=run.tokens / max(run.seconds, 1e-9),
        parameters=sum(p.numel() for p in model.parameters()),
        history=run.history,
    )


def _first_token(tokenizer: Any) -> int:
    """A new line: what stands in front of a paragraph in any text."""
    found = tokenizer("\n", add_special_tokens=False)["input_ids"]
    return int(found[0]) if found else 0


def _watch(
    corpus: Corpus, run: loop.Run, progress: Progress, on_sample: OnSample | None
) -> loop.Watch:
    """Look at the same sample of the held-out part each time, and at a text from the same seed."""
    part = corpus.held_out_ids[:VALIDATION_TOKENS]

    def show(model: MiniGPT) -> None:
        start = [_first_token(corpus.tokenizer)]
        ids = continuation(model, start, tokens=SAMPLE_TOKENS, sampling=SAMPLING)
        model.train()
        text = str(corpus.tokenizer.decode(ids, skip_special_tokens=True))
        progress.say("train", f"it writes: {' '.join(text.split())!r}")
        if on_sample is not None:
            on_sample(run.step, text)

    return loop.Watch(validate=lambda model: held_out_loss(model, part), sample=show)


def _accelerator(hardware: Hardware) -> Accelerator:
    """One process, or several under `accelerate launch`."""
    from accelerate import Accelerator

    return Accelerator(cpu=hardware.device == "cpu")


def _budget(config: TrainConfig, corpus: Corpus, *, spent: float) -> Budget:
    """Steps, and the seconds that the preparation left."""
    a_pass = math.ceil(len(corpus.train_ids) / config.batch_tokens)
    passes = config.max_epochs or (EPOCHS if config.max_seconds is None else math.inf)
    steps = config.max_steps or math.ceil(min(passes * a_pass, NO_LIMIT))
    if config.max_seconds is None:
        return Budget(steps)
    return Budget(steps, max(config.max_seconds - spent, MIN_LOOP_SHARE * config.max_seconds))


def _plan_sentence(model: MiniGPT, budget: Budget, hardware: Hardware) -> str:
    shape, count = model.config, sum(p.numel() for p in model.parameters())
    limit = f"{budget.max_steps:,} steps"
    if budget.max_seconds is not None:
        seconds = f"{budget.max_seconds:.0f} s"
        limit = seconds if budget.max_steps == NO_LIMIT else f"{limit}, at most {seconds}"
    return (
        f"{shape.layers} layers of width {shape.width}, {count:,} weights, context "
        f"{shape.context}, for {limit} on {hardware.name}"
    )
