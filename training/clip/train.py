"""Learn the image tower: every picture close to its own text, far from the others' of the batch.

Texts are encoded once, before the first step, since the text tower stays. A step takes one picture
of each of `batch_size` groups, changed a little, and one of its texts.

Legend: b pictures of a step, d dimension of the vectors.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from training.clip import model as towers
from training.clip.augment import augmented, sized
from training.clip.config import TrainConfig
from training.shared import checkpoint, seed
from training.shared.captioned import PictureCorpus, Pictures
from training.shared.checkpoint import Checkpoint
from training.shared.device import probe
from training.shared.muon_adamw import MuonAdamW
from training.shared.progress import Progress
from training.shared.schedule import Budget, one_cycle

MAX_LOGIT_SCALE = math.log(100)  # Radford et al. 2021 (CLIP), section 2.5
LIKENESS_SCALE = 20.0  # of cosines: texts much less like the own one get nothing
MAY_DIFFER = ("checkpoint_seconds", "gallery")


@dataclass(frozen=True)
class Trained:
    """A finished run."""

    model: Any  # open_clip's CustomTextCLIP, in evaluation mode, on the CPU
    tokenizer: Any
    config: TrainConfig
    seconds: float
    steps: int
    pictures_seen: int
    parameters: int
    trainable_parameters: int
    history: list[dict[str, float]]
    learned: Tensor  # (g, d) vectors of length 1: of every group's picture its caption


@dataclass
class Run:
    """The moving parts; all of it goes into a checkpoint."""

    model: Any
    optimizer: MuonAdamW
    weights: dict[str, Tensor]  # the trained ones, by name
    averaged: dict[str, Tensor]  # floating point state of the image tower; empty: not averaged
    order: np.random.Generator
    budget: Budget
    pending: list[int] = field(default_factory=list)  # groups of this pass, not yet used
    step: int = 0
    seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)


def train(
    corpus: PictureCorpus,
    config: TrainConfig,
    *,
    text_folder: Path,
    output: Path,
    progress: Progress,
    resume: bool = False,
) -> Trained:
    """Train on `corpus.train` (or on all of it). text_folder: the text encoder's files."""
    pictures = corpus.all if config.all_pictures else corpus.train
    order = seed.seed_everything(config.seed)
    model, tokenizer = towers.build(config, text_folder), towers.tokenizer_of(text_folder)
    progress.say("encode", f"{sum(map(len, pictures.captions)):,} texts")
    feed = Feed(pictures, model, tokenizer, whiten=config.whiten)
    run = _start(model, config, order, groups=len(feed.groups))
    folder = output / "checkpoint"
    found = checkpoint.load(folder) if resume else None
    if found is None:
        checkpoint.clear(folder)
    else:
        checkpoint.require_same(config, found, free=MAY_DIFFER)
        _restore(run, found)
    progress.say("train", f"{len(pictures):,} pictures of {len(feed.groups):,} groups")
    _fit(run, feed, config, progress=progress, folder=folder)
    model.visual.load_state_dict(run.averaged, strict=False)
    return Trained(
        model=model.to("cpu").eval(),
        tokenizer=tokenizer,
        config=config,
        seconds=run.seconds,
        steps=run.step,
        pictures_seen=run.step * min(config.batch_size, len(feed.groups)),
        parameters=sum(p.numel() for p in model.parameters()),
        trainable_parameters=sum(p.numel() for p in run.weights.values()),
        history=run.history,
        learned=feed.bank.cpu(),
    )


class Feed:
    """Pictures by group with the vectors of their texts."""

    def __init__(self, pictures: Pictures, model: Any, tokenizer: Any, *, whiten: float) -> None:
        self.rgba = sized(torch.from_numpy(pictures.rgba), int(model.visual.image_size[0]))
        texts = list(dict.fromkeys(text for texts in pictures.captions for text in texts))
        places = {text: place for place, text in enumerate(texts)}
        self.texts = [[places[text] for text in texts] for texts in pictures.captions]
        rows: dict[str, list[int]] = {}
        for row, group in enumerate(pictures.groups):
            rows.setdefault(group, []).append(row)
        self.groups = list(rows.values())
        first = {pictures.groups[row]: self.texts[row][0] for row in pictures.firsts()}
        own = [first[group] for group in rows]
        vectors = towers.text_vectors(model, tokenizer, texts)
        if whiten:
            model.text.proj.weight.data.copy_(towers.whitened(vectors[own], whiten))
            vectors = functional.normalize(vectors @ model.text.proj.weight.data.T.cpu(), dim=1)
        self.vectors = vectors.clone()  # (t, d)
        self.bank = self.vectors[own].to(probe().device)  # (g, d)

    def batch(self, groups: Sequence[int], order: np.random.Generator) -> tuple[Tensor, Tensor]:
        """(b, s, s, 4) uint8 pictures and (b, d) vectors, one of each group."""
        rows = [int(order.choice(self.groups[group])) for group in groups]
        # The caption says the skin tone, other names may not: it counts as much as all of them.
        texts = [
            self.texts[row][
                0 if order.random() < 0.5 else int(order.integers(len(self.texts[row])))
            ]
            for row in rows
        ]
        return self.rgba[rows], self.vectors[texts]


def _start(model: Any, config: TrainConfig, order: np.random.Generator, *, groups: int) -> Run:
    device = probe().device
    model.to(device)
    weights = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if config.loss == "softmax":
        model.logit_scale.data.fill_(math.log(config.scale))
    optimizer = MuonAdamW(
        [p for p in weights.values() if p.ndim > 1],
        [p for p in weights.values() if p.ndim <= 1],
        matrix_rate=config.learning_rate,
        other_rate=config.vector_rate,
    )
    state = model.visual.state_dict()
    averaged = {n: t.clone() for n, t in state.items() if t.is_floating_point()}
    steps = config.max_steps or math.ceil(config.epochs * groups / min(config.batch_size, groups))
    return Run(
        model,
        optimizer,
        weights,
        averaged if config.average else {},
        order,
        Budget(steps, config.max_seconds),
    )


def _fit(run: Run, feed: Feed, config: TrainConfig, *, progress: Progress, folder: Path) -> None:
    clock = time.monotonic() - run.seconds
    saved = time.monotonic()
    run.model.visual.train()
    while (used := run.budget.progress(step=run.step, seconds=run.seconds)) < 1:
        loss = _step(run, feed, config, used=used)
        run.step += 1
        run.seconds = time.monotonic() - clock
        run.history.append({"step": run.step, "loss": round(loss, 5)})
        progress.update(
            step=run.step,
            steps=run.budget.max_steps,
            loss=loss,
            seconds_left=run.budget.seconds_left(step=run.step, seconds=run.seconds),
            message=f"loss {loss:.3f}",
        )
        if time.monotonic() - saved >= config.checkpoint_seconds:
            _save(run, config, folder)
            saved = time.monotonic()
    run.model.eval()


def _step(run: Run, feed: Feed, config: TrainConfig, *, used: float) -> float:
    hardware = probe()
    groups = _next_groups(run, len(feed.groups), config.batch_size)
    rgba, texts = feed.batch(groups, run.order)
    generator = torch.Generator().manual_seed(int(run.order.integers(2**62)))
    pictures = augmented(rgba, strength=config.augment, generator=generator)
    with torch.autocast(hardware.device, torch.bfloat16, enabled=hardware.bfloat16):
        vectors = run.model.visual(pictures.to(hardware.device))
    loss = contrastive_loss(
        functional.normalize(vectors.float(), dim=1),
        texts.to(hardware.device),
        bank=feed.bank,
        own=torch.tensor(groups, device=hardware.device),
        scale=run.model.logit_scale,
        bias=run.model.logit_bias,
        soften=config.soften,
    )
    loss.backward()  # type: ignore[no-untyped-call]
    run.optimizer.step(one_cycle(used))
    with torch.no_grad():
        run.model.logit_scale.clamp_(0, MAX_LOGIT_SCALE)
        _average(run, config.average)
    return float(loss.detach())


def contrastive_loss(
    pictures: Tensor,
    texts: Tensor,
    *,
    bank: Tensor,
    own: Tensor,
    scale: Tensor,
    bias: Tensor | None = None,
    soften: float = 0.0,
) -> Tensor:
    """How far (b, d) pictures are from their own of (b, d) texts; all vectors of length 1.

    bank: (g, d), a text of every group; own: (b,) groups. Since texts are encoded once, every
    picture is set against all of them, not only those of its batch; a text against the pictures of
    the batch. scale: logarithm of the logits' factor. soften: share of the target that goes to the
    texts by their likeness to the own one.
    Source: Radford et al. 2021 (CLIP), https://arxiv.org/abs/2103.00020; with a bias the pairwise
    sigmoid of Zhai et al. 2023 (SigLIP), https://arxiv.org/abs/2303.15343
    """
    rows = torch.arange(len(pictures), device=pictures.device)
    against_all = _with_own(pictures @ bank.T, (pictures * texts).sum(1), own)
    if bias is not None:
        signs = torch.full_like(against_all, -1.0)
        signs[rows, own] = 1.0
        logits = scale.exp() * against_all + bias
        return -functional.logsigmoid(signs * logits).sum() / len(pictures)
    likeness = _with_own(texts @ bank.T, torch.ones_like(texts[:, 0]), own)
    wanted = soften * (LIKENESS_SCALE * likeness).softmax(1)
    wanted[rows, own] += 1 - soften
    to_text = functional.cross_entropy(scale.exp() * against_all, wanted)
    to_picture = functional.cross_entropy(scale.exp() * texts @ pictures.T, rows)
    return (to_text + to_picture) / 2


def _with_own(values: Tensor, own_values: Tensor, own: Tensor) -> Tensor:
    """(b, g) with the column of each row's own group replaced."""
    return values.scatter(1, own[:, None], own_values[:, None])


def _average(run: Run, decay: float) -> None:
    if not run.averaged:
        return
    decay = min(decay, (1 + run.step) / (10 + run.step))
    state = run.model.visual.state_dict()
    names = list(run.averaged)
    torch._foreach_lerp_(
        [run.averaged[name] for name in names], [state[name] for name in names], 1 - decay
    )


def _next_groups(run: Run, groups: int, count: int) -> list[int]:
    count = min(count, groups)
    if len(run.pending) < count:
        run.pending = [int(group) for group in run.order.permutation(groups)]
    taken, run.pending = run.pending[:count], run.pending[count:]
    return taken


def _save(run: Run, config: TrainConfig, folder: Path) -> None:
    visual = run.model.visual.state_dict()
    tensors = {f"visual.{name}": tensor for name, tensor in visual.items()}
    tensors |= {f"averaged.{name}": tensor.clone() for name, tensor in run.averaged.items()}
    tensors["logit_scale"] = run.model.logit_scale.data.reshape(1)
    if run.model.logit_bias is not None:
        tensors["logit_bias"] = run.model.logit_bias.data.reshape(1)
    tensors |= {f"rng.{name}": state for name, state in seed.torch_states().items()}
    tensors |= {f"optimizer.{name}": tensor for name, tensor in run.optimizer.tensors().items()}
    state = {
        "step": run.step,
        "seconds": run.seconds,
        "order": seed.generator_state(run.order),
        "pending": run.pending,
        "history": run.history,
        "budget": asdict(run.budget),
        "config": asdict(config),
    }
    checkpoint.save(folder, Checkpoint(tensors, state), step=run.step)


def _restore(run: Run, found: Checkpoint) -> None:
    def part(prefix: str) -> dict[str, Tensor]:
        start = f"{prefix}."
        return {n.removeprefix(start): t for n, t in found.tensors.items() if n.startswith(start)}

    run.model.visual.load_state_dict(part("visual"))
    with torch.no_grad():
        run.model.logit_scale.copy_(found.tensors["logit_scale"][0])
        if run.model.logit_bias is not None:
            run.model.logit_bias.copy_(found.tensors["logit_bias"][0])
    run.averaged.update(part("averaged"))
    run.optimizer.restore(part("optimizer"))
    seed.restore_torch(part("rng"))
    state = found.state
    run.order = seed.restore_generator(state["order"])
    run.budget = Budget(**state["budget"])
    run.pending, run.history = state["pending"], state["history"]
    run.step, run.seconds = state["step"], state["seconds"]
