"""Fine-tune: tokens, a frozen prefix computed once, then epochs over the layers above it.

Run: python -m training bert --preset quick
Expect on 2 cores: docs/benchmarks.md has the figures.

The learning rate follows the share of the budget used, so it ends at zero when the seconds do. A
run that is planned in steps gives the same weights after a kill and `--resume`.
"""

from __future__ import annotations

import json
import math
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from training.bert import loop
from training.bert import model as models
from training.bert.config import TrainConfig
from training.bert.data import Corpus, Tokens, class_weights, tokenize
from training.bert.gradients import Feed
from training.bert.plan import choose_frozen
from training.bert.quantized import rounded_if_faster
from training.bert.scoring import hidden_of
from training.shared import checkpoint, seed
from training.shared.device import Hardware, probe
from training.shared.processes import agreed
from training.shared.progress import Progress
from training.shared.schedule import Budget

if TYPE_CHECKING:
    from accelerate import Accelerator

KEPT_SHARE_OF_MEMORY = 0.25  # the frozen layers' output may take this much
MIN_LOOP_SHARE = 0.25  # of the seconds, should the preparation have eaten more than planned


@dataclass(frozen=True)
class Trained:
    """What training gives."""

    model: Any  # the stock model, adapter merged in
    tokenizer: Any
    adapter: Path | None  # folder of the LoRA adapter
    main: bool  # False in the other processes of a distributed run
    seconds: float  # from the first token to the last step
    steps: int
    frozen: int  # layers below the trained ones
    parameters: int
    trainable_parameters: int
    truncated: int  # training texts that are longer than the model reads
    history: list[dict[str, float]] = field(default_factory=list)


def train(
    corpus: Corpus,
    config: TrainConfig,
    *,
    base: Path,
    output: Path,
    progress: Progress,
    resume: bool = False,
) -> Trained:
    """Fine-tune the encoder in folder `base` on `corpus.train`; `output` keeps checkpoints."""
    started = time.monotonic()
    hardware = probe()
    accelerator = _accelerator(hardware)
    progress.quiet = progress.quiet or not accelerator.is_main_process
    progress.say("prepare", f"{len(corpus.train)} texts on {hardware.name}")
    order = seed.seed_everything(config.seed)
    tokenizer = _tokenizer(base, config)
    tokens = tokenize(corpus.train.texts, tokenizer, max_tokens=config.max_tokens)
    stock = models.build(str(base), corpus.labels, config)
    found = checkpoint.load(output / "checkpoint") if resume else None
    frozen = _frozen(stock, tokens, config, found=found, accelerator=accelerator)
    parameters = sum(p.numel() for p in stock.parameters())
    model = models.prepare(stock, config, frozen=frozen)
    run = loop.start(models.runner(model), config, accelerator=accelerator, order=order)
    feed = _feed(corpus, tokens, config, run=run, frozen=frozen, progress=progress)
    run.budget = _budget(config, len(tokens), spent=time.monotonic() - started)
    if found is not None:
        loop.restore(run, found)
    if accelerator.process_index:  # other dropout than the main process's
        torch.manual_seed(config.seed + 1000 * accelerator.process_index + run.step)
    trainable = sum(w.numel() for w in run.weights.values())
    progress.say("train", _plan_sentence(model, frozen, trainable, run.budget))
    folder = output / "checkpoint"
    loop.fit(run, feed, config, accelerator=accelerator, progress=progress, folder=folder)
    adapter = _save_adapter(model, config, output / "adapter") if config.lora_rank else None
    return Trained(
        model=models.merged(model).eval(),
        tokenizer=tokenizer,
        adapter=adapter,
        main=accelerator.is_main_process,
        seconds=time.monotonic() - started,
        steps=run.step,
        frozen=frozen,
        parameters=parameters,
        trainable_parameters=trainable,
        truncated=tokens.truncated,
        history=run.history,
    )


def _accelerator(hardware: Hardware) -> Accelerator:
    """One process, or several under `accelerate launch`."""
    from accelerate import Accelerator

    return Accelerator(cpu=hardware.device == "cpu")


def _tokenizer(base: Path, config: TrainConfig) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(str(base), model_max_length=config.max_tokens)


def _frozen(
    stock: Any,
    tokens: Tokens,
    config: TrainConfig,
    *,
    found: checkpoint.Checkpoint | None,
    accelerator: Accelerator,
) -> int:
    """Layers to freeze: as in the run that is resumed, else as planned by the main process."""
    if found is not None:
        checkpoint.require_same(config, found, free=loop.MAY_DIFFER)
        return int(found.state["frozen"])
    planned = choose_frozen(models.runner(stock), tokens, config)
    return int(agreed(planned, accelerator))


def _feed(
    corpus: Corpus,
    tokens: Tokens,
    config: TrainConfig,
    *,
    run: loop.Run,
    frozen: int,
    progress: Progress,
) -> Feed:
    numbers = {name: number for number, name in enumerate(corpus.labels)}
    labels = corpus.train.labels
    weights = torch.tensor(class_weights(labels, corpus.labels)) if config.balance_classes else None
    return Feed(
        tokens=tokens,
        targets=torch.tensor([numbers[label] for label in labels]),
        weights=weights,
        features=_features(
            run,
            tokens,
            frozen=frozen,
            in_seconds=config.max_seconds is not None,
            progress=progress,
        ),
        frozen=frozen,
    )


def _features(
    run: loop.Run, tokens: Tokens, *, frozen: int, in_seconds: bool, progress: Progress
) -> Tensor | None:
    """Output of the frozen layers, computed once; None if there are none or memory is short.

    in_seconds: time counts more than the last bit, so 8-bit products may do where they are faster.
    """
    network = getattr(run.network, "module", run.network)
    if not frozen or not _fits(len(tokens.ids) * network.model.config.hidden_size * 2):
        return None
    total = len(tokens)
    progress.say("prepare", f"{frozen} frozen layers over {total} texts, once")

    def report(done: int) -> None:
        message = f"frozen layers, text {done} of {total}"
        progress.update(step=done, steps=total, loss=None, seconds_left=None, message=message)

    if in_seconds:
        network = rounded_if_faster(network) or network
    return hidden_of(network.eval(), tokens, stop=frozen, report=report)


def _fits(size: int) -> bool:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return size <= KEPT_SHARE_OF_MEMORY * memory


def _budget(config: TrainConfig, texts: int, *, spent: float) -> Budget:
    """Steps of all epochs, and the seconds that the preparation left."""
    steps = config.max_steps or math.ceil(config.epochs * texts / config.batch_size)
    if config.max_seconds is None:
        return Budget(steps)
    return Budget(steps, max(config.max_seconds - spent, MIN_LOOP_SHARE * config.max_seconds))


def _plan_sentence(model: Any, frozen: int, trainable: int, budget: Budget) -> str:
    depth = getattr(model.config, "num_hidden_layers", 0)
    limit = "" if budget.max_seconds is None else f" in at most {budget.max_seconds:.0f} s"
    return (
        f"layers {frozen + 1} to {depth}, {trainable:,} weights, "
        f"up to {budget.max_steps} steps{limit}"
    )


def _sort_lists(path: Path) -> None:
    """peft writes sets in any order; the same run must give the same bytes."""
    settings = json.loads(path.read_text("utf-8"))
    ordered = {k: sorted(set(v)) if isinstance(v, list) else v for k, v in settings.items()}
    path.write_text(json.dumps(ordered, indent=2) + "\n", "utf-8")


def _save_adapter(model: Any, config: TrainConfig, folder: Path) -> Path:
    """Write the adapter for peft; it names the base by its public id, never by a path."""
    settings = model.peft_config["default"]
    settings.base_model_name_or_path = config.base_name
    settings.revision = config.base_revision
    model.save_pretrained(str(folder), save_embedding_layers=False)  # "auto" asks the Hub
    _sort_lists(folder / "adapter_config.json")
    (folder / "README.md").unlink(missing_ok=True)  # the repository has one card
    return folder
