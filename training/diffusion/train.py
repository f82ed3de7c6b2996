"""Learn to paint: first the decoder of latents, then a U-Net that takes noise off latents.

Texts are encoded once, before the first step, since the text encoder stays. A step of the U-Net
takes `batch_size` pictures of different groups, moved a little, each with one of its names.

Legend: b pictures of a step, c components, h latent positions a side.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from training.diffusion import model as parts
from training.diffusion.augment import moved, on_white
from training.diffusion.collection import slots
from training.diffusion.config import MAX_STEPS, TrainConfig
from training.diffusion.decoder import BATCH, DecoderRun
from training.diffusion.milestones import Milestones
from training.diffusion.painting import painted
from training.diffusion.replicas import Replicas
from training.shared import checkpoint, seed
from training.shared.captioned import Pictures
from training.shared.checkpoint import Checkpoint
from training.shared.device import one_thread_each, probe
from training.shared.muon_adamw import MuonAdamW
from training.shared.progress import Progress
from training.shared.schedule import Budget, one_cycle

MAY_DIFFER = ("checkpoint_seconds",)
# Weights that are no map between two spaces: AdamW's, like biases.
NO_MATRICES = ("conv_in", "conv_out", "time_embedding.linear_1", "add_embedding")


@dataclass(frozen=True)
class Trained:
    """A finished run."""

    pipeline: Any  # diffusers' StableDiffusionPipeline, on the CPU
    config: TrainConfig
    seconds: float  # of both parts
    decoder_seconds: float
    decoder_steps: int
    steps: int
    pictures_seen: int
    parameters: int  # of U-Net and autoencoder
    history: list[dict[str, float]]


@dataclass(frozen=True)
class Material:
    """What a run learns from."""

    learnt: Pictures  # the collection
    others: Pictures  # these only help the decoder


@dataclass
class Run:
    """The moving parts of the U-Net's training; all of it goes into a checkpoint."""

    denoiser: Any
    optimizer: MuonAdamW
    averaged: list[Tensor]
    budget: Budget
    pending: list[int] = field(default_factory=list)  # slots of this pass, not yet used
    step: int = 0
    seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)

    @property
    def used(self) -> float:
        """Share of the budget."""
        return self.budget.progress(step=self.step, seconds=self.seconds)


@dataclass
class Chance:
    """All randomness of a run."""

    order: np.random.Generator
    noise: torch.Generator


def train(
    material: Material,
    config: TrainConfig,
    *,
    text_folder: Path,
    output: Path,
    progress: Progress,
    resume: bool = False,
    start: Path | None = None,
) -> Trained:
    """Train both parts. text_folder: the text encoder's files.

    start: a published folder to go on from; the architecture and the latents are that folder's.
    """
    pictures = material.learnt
    chance = Chance(seed.seed_everything(config.seed), torch.Generator().manual_seed(config.seed))
    encoder, tokenizer = parts.load_text(text_folder)
    progress.say("encode", f"{sum(map(len, pictures.captions)):,} texts")
    feed = Feed(pictures, encoder, tokenizer)
    decoder, run = _start(feed, config, start=start, width=int(encoder.config.hidden_size))
    saver = Saver(output / "checkpoint", config, decoder, run, chance)
    resumed = saver.begin(resume=resume)
    milestones = _milestones(feed, run, decoder, config, (encoder, tokenizer), output=output)
    if not resumed:
        milestones.clear()

    def after_step() -> None:
        saver.maybe()
        milestones.maybe(run.used)

    with one_thread_each():
        _fit_decoder(decoder, feed, material.others, chance, progress=progress, saver=saver)
        _fit(
            run,
            decoder.components,
            feed,
            config,
            chance,
            progress=progress,
            after_step=after_step,
        )
    _use_average(run.denoiser, run.averaged)
    trained_parts = (run.denoiser, decoder.autoencoder)
    return Trained(
        pipeline=parts.assembled(
            autoencoder=decoder.autoencoder,
            denoiser=run.denoiser,
            encoder=encoder,
            tokenizer=tokenizer,
        ),
        config=config,
        seconds=decoder.seconds + run.seconds,
        decoder_seconds=decoder.seconds,
        decoder_steps=decoder.step,
        steps=run.step,
        pictures_seen=run.step * min(config.batch_size, len(feed.slots)),
        parameters=sum(p.numel() for part in trained_parts for p in part.parameters()),
        history=run.history,
    )


class Feed:
    """Pictures with what the text encoder says of their names."""

    def __init__(self, pictures: Pictures, encoder: Any, tokenizer: Any) -> None:
        self.rgba = torch.from_numpy(pictures.rgba)
        self.slots = slots(pictures)  # a step takes a picture of each of some
        self.captions = [pictures.captions[row][0] for row in pictures.firsts()]
        texts = list(dict.fromkeys(["", *(t for names in pictures.captions for t in names)]))
        self.states = parts.text_states(encoder, tokenizer, texts)  # (t, tokens, width)
        places = {text: place for place, text in enumerate(texts)}
        self.texts = [[places[text] for text in names] for names in pictures.captions]

    def __len__(self) -> int:
        return len(self.texts)

    def prompts(
        self, rows: Sequence[int], config: TrainConfig, order: np.random.Generator
    ) -> Tensor:
        """(b, tokens, width): mostly the caption, sometimes another name, sometimes nothing."""
        chosen = []
        for row in rows:
            draws = order.random(2)
            texts = self.texts[row]
            place = 0 if draws[0] < config.own_caption else int(order.integers(len(texts)))
            chosen.append(0 if draws[1] < config.unprompted else texts[place])
        return self.states[chosen]


@dataclass(frozen=True)
class NoisyBatch:
    """What the U-Net is given and what it should say."""

    noisy: Tensor  # (b, c, h, h)
    times: Tensor  # (b,)
    prompts: Tensor  # (b, tokens, width)
    wanted: Tensor  # (b, c, h, h)

    def pieces(self, count: int) -> list[NoisyBatch]:
        """At most `count` parts, one after another."""
        parts = (self.noisy, self.times, self.prompts, self.wanted)
        return [NoisyBatch(*some) for some in zip(*(p.chunk(count) for p in parts), strict=True)]


def denoising_loss(
    denoiser: Any, batch: NoisyBatch, *, whole: int, bfloat16: bool = False
) -> Tensor:
    """Mean squared error of the predicted v, as a share of that of `whole` pictures.

    bfloat16: of the products.
    """
    noisy = batch.noisy.contiguous(memory_format=torch.channels_last)
    with torch.autocast(noisy.device.type, torch.bfloat16, enabled=bfloat16):
        found = denoiser(noisy, batch.times, batch.prompts, return_dict=False)[0]
    return functional.mse_loss(found.float(), batch.wanted) * (len(batch.times) / whole)


def with_noise(
    latents: Tensor,
    prompts: Tensor,
    *,
    signal: Tensor,
    generator: torch.Generator,
    noisier: float = 1.0,
) -> NoisyBatch:
    """(b, c, h, h) latents at noise levels drawn by chance, and the v that belongs to them.

    signal: (TRAIN_TIMES,) share of the signal's variance at each time. All times count alike: what
    a text says matters where there is most noise, and min-SNR weights would all but leave that out.
    noisier: above 1 draws those times more often.
    Source: Salimans & Ho 2022, https://arxiv.org/abs/2202.00512
    """
    # One draw in each of b equal pieces, in any order: the loss of a step varies less.
    count = len(latents)
    pieces = torch.randperm(count, generator=generator) + torch.rand(count, generator=generator)
    shares = 1 - (1 - pieces / count) ** noisier
    times = (shares * len(signal)).long().clamp(0, len(signal) - 1)
    kept = signal[times][:, None, None, None]
    noise = torch.randn(latents.shape, generator=generator)
    return NoisyBatch(
        noisy=kept.sqrt() * latents + (1 - kept).sqrt() * noise,
        times=times,
        prompts=prompts,
        wanted=kept.sqrt() * noise - (1 - kept).sqrt() * latents,
    )


def _start(
    feed: Feed, config: TrainConfig, *, start: Path | None, width: int
) -> tuple[DecoderRun, Run]:
    if start is None:
        components = parts.components_of(
            on_white(feed.rgba),
            patch=config.patch,
            count=config.latent_channels,
            evened=config.evened,
        )
        autoencoder = parts.build_autoencoder(config, components)
        denoiser = parts.build_denoiser(config, text_width=width)
    else:
        autoencoder, denoiser = parts.published(start)
    named = dict(denoiser.named_parameters())
    matrices = [n for n, p in named.items() if p.ndim > 1 and not any(s in n for s in NO_MATRICES)]
    optimizer = MuonAdamW(
        [named[name] for name in matrices],
        [weight for name, weight in named.items() if name not in set(matrices)],
        matrix_rate=config.matrix_rate,
        other_rate=config.other_rate,
    )
    averaged = [weight.detach().clone() for weight in named.values()]
    budget = Budget(config.max_steps or MAX_STEPS, config.max_seconds)
    return DecoderRun(autoencoder, config), Run(denoiser.train(), optimizer, averaged, budget)


def _fit_decoder(
    decoder: DecoderRun,
    feed: Feed,
    others: Pictures,
    chance: Chance,
    *,
    progress: Progress,
    saver: Saver,
) -> None:
    """Half of each step's pictures are of the collection, half of all."""
    progress.say("autoencoder", f"{len(others):,} pictures")
    clock = time.monotonic() - decoder.seconds
    other = torch.from_numpy(others.rgba)
    while decoder.used < 1:
        rows = chance.order.integers(len(feed), size=BATCH // 2)
        more = chance.order.integers(len(other), size=BATCH - BATCH // 2)
        rgba = torch.cat([feed.rgba[rows], other[more]])
        loss = decoder.learn(rgba, chance.noise)
        decoder.seconds = time.monotonic() - clock
        _tell(progress, decoder, loss)
        saver.maybe()


def _fit(
    run: Run,
    components: parts.Components,
    feed: Feed,
    config: TrainConfig,
    chance: Chance,
    *,
    progress: Progress,
    after_step: Callable[[], None],
) -> None:
    progress.say("train", f"{len(feed):,} pictures")
    signal = parts.build_scheduler().alphas_cumprod
    replicas = Replicas(run.denoiser)
    clock = time.monotonic() - run.seconds
    while run.used < 1:
        rows = _next_rows(run, feed.slots, config.batch_size, chance.order)
        pictures = moved(feed.rgba[rows], strength=config.augment, generator=chance.noise)
        batch = with_noise(
            components.latents(pictures),
            feed.prompts(rows, config, chance.order),
            signal=signal,
            generator=chance.noise,
            noisier=config.noisier,
        )
        loss = replicas.backward(
            batch.pieces(len(replicas)),
            partial(denoising_loss, whole=len(rows), bfloat16=probe().bfloat16),
        )
        run.optimizer.step(one_cycle(run.used))
        run.step += 1
        _average(run, config.average)
        run.seconds = time.monotonic() - clock
        run.history.append({"step": run.step, "loss": round(loss, 5)})
        _tell(progress, run, loss)
        after_step()


def _milestones(
    feed: Feed,
    run: Run,
    decoder: DecoderRun,
    config: TrainConfig,
    text: tuple[Any, Any],
    *,
    output: Path,
) -> Milestones:
    """Paints with the averaged weights of that moment. text: encoder and tokenizer."""

    def paint(prompts: Sequence[str], seeds: Sequence[int]) -> list[Any]:
        denoiser = copy.deepcopy(run.denoiser)
        _use_average(denoiser, run.averaged)
        autoencoder = copy.deepcopy(decoder.autoencoder)
        encoder, tokenizer = text
        pipeline = parts.assembled(
            autoencoder=autoencoder, denoiser=denoiser, encoder=encoder, tokenizer=tokenizer
        )
        steps, guidance = config.sampling_steps, config.guidance
        return painted(pipeline, prompts, seeds, steps=steps, guidance=guidance)

    return Milestones(output, feed.captions, paint)


@torch.no_grad()
def _use_average(denoiser: Any, averaged: Sequence[Tensor]) -> None:
    for weight, mean in zip(denoiser.parameters(), averaged, strict=True):
        weight.copy_(mean)


def _tell(progress: Progress, run: Run | DecoderRun, loss: float) -> None:
    left = run.budget.seconds_left(step=run.step, seconds=run.seconds)
    planned = run.budget.max_steps
    if run.budget.max_seconds is not None and left is not None and run.seconds:
        planned = run.step + round(left * run.step / run.seconds)
    progress.update(
        step=run.step, steps=planned, loss=loss, seconds_left=left, message=f"loss {loss:.3f}"
    )


def _next_rows(
    run: Run, slots: Sequence[list[int]], count: int, order: np.random.Generator
) -> list[int]:
    """A picture of each of `count` slots, or of all if they are fewer."""
    count = min(count, len(slots))
    if len(run.pending) < count:
        run.pending = [int(slot) for slot in order.permutation(len(slots))]
    taken, run.pending = run.pending[:count], run.pending[count:]
    return [
        rows[int(order.integers(len(rows)))] if len(rows) > 1 else rows[0]
        for rows in (slots[slot] for slot in taken)
    ]


@torch.no_grad()
def _average(run: Run, decay: float) -> None:
    decay = min(decay, (1 + run.step) / (10 + run.step))
    weights = [weight.detach() for weight in run.denoiser.parameters()]
    torch._foreach_lerp_(run.averaged, weights, 1 - decay)


class Saver:
    """Checkpoints of the whole run, every so many seconds."""

    def __init__(
        self, folder: Path, config: TrainConfig, decoder: DecoderRun, run: Run, chance: Chance
    ) -> None:
        self._folder, self._config, self._chance = folder, config, chance
        self._decoder, self._run = decoder, run
        self._saved = time.monotonic()

    def begin(self, *, resume: bool) -> bool:
        """Go on from the checkpoint, or forget it; whether there was one. Raises SettingsError."""
        found = checkpoint.load(self._folder) if resume else None
        if found is None:
            checkpoint.clear(self._folder)
            return False
        checkpoint.require_same(self._config, _tuples(found), free=MAY_DIFFER)
        self._restore(found)
        return True

    def maybe(self) -> None:
        """Save if it is time to."""
        if time.monotonic() - self._saved >= self._config.checkpoint_seconds:
            self._save()
            self._saved = time.monotonic()

    def _save(self) -> None:
        run, decoder = self._run, self._decoder
        groups: dict[str, dict[str, Tensor]] = {
            "denoiser": run.denoiser.state_dict(),
            "averaged": {str(n): tensor for n, tensor in enumerate(run.averaged)},
            "optimizer": run.optimizer.tensors(),
            "autoencoder": decoder.autoencoder.state_dict(),
            "decoder": decoder.optimizer.tensors(),
            "noise": {"state": self._chance.noise.get_state()},
        }
        tensors = {f"{g}.{name}": t for g, group in groups.items() for name, t in group.items()}
        state = {
            "step": run.step,
            "seconds": run.seconds,
            "decoder": {"step": decoder.step, "seconds": decoder.seconds},
            "order": seed.generator_state(self._chance.order),
            "pending": run.pending,
            "history": run.history,
            "config": asdict(self._config),
        }
        checkpoint.save(self._folder, Checkpoint(tensors, state), step=run.step + decoder.step)

    def _restore(self, found: Checkpoint) -> None:
        part = _groups(found.tensors)
        run, decoder = self._run, self._decoder
        run.denoiser.load_state_dict(part("denoiser"))
        averaged = part("averaged")
        run.averaged = [averaged[str(n)] for n in range(len(averaged))]
        run.optimizer.restore(part("optimizer"))
        decoder.autoencoder.load_state_dict(part("autoencoder"))
        decoder.components = parts.components_in(decoder.autoencoder)
        decoder.optimizer.restore(part("decoder"))
        self._chance.noise.set_state(part("noise")["state"])
        self._chance.order = seed.restore_generator(found.state["order"])
        run.pending, run.history = found.state["pending"], found.state["history"]
        run.step, run.seconds = found.state["step"], found.state["seconds"]
        decoder.step = found.state["decoder"]["step"]
        decoder.seconds = found.state["decoder"]["seconds"]


def _groups(tensors: dict[str, Tensor]) -> Callable[[str], dict[str, Tensor]]:
    def part(name: str) -> dict[str, Tensor]:
        start = f"{name}."
        return {n.removeprefix(start): t for n, t in tensors.items() if n.startswith(start)}

    return part


def _tuples(found: Checkpoint) -> Checkpoint:
    """The settings as they were before JSON made lists of tuples."""
    config = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in found.state["config"].items()
    }
    return Checkpoint(found.tensors, {**found.state, "config": config})
