"""Paint with a published diffusion model, and watch each step.

painter = load("lab/emoji-painter")
for stage in painter.paint("red apple", seed=3):
    stage.images[0]                                   # a picture from the first step on
painter.interpolate("red apple", "green apple", 5)    # five pictures between two prompts

The loop is the stock pipeline's, so `DiffusionPipeline` gives the same picture for the same seed.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub_utils.errors import LabError
from hub_utils.origin import Origin, find_model
from hub_utils.pull import Pulled
from training.diffusion.config import FACTS, GUIDANCE, STEPS

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

MAX_PROMPT = 1_000  # characters
MAX_STEPS, MAX_GUIDANCE, MAX_SEED, MAX_COUNT = 100, 20.0, 2**63 - 1, 16
# Samplers by the name that people know; all go on from the published scheduler's settings.
SCHEDULERS: dict[str, str] = {
    "DPM++ 2M": "DPMSolverMultistepScheduler",
    "UniPC": "UniPCMultistepScheduler",
    "DDIM": "DDIMScheduler",
    "Euler": "EulerDiscreteScheduler",
    "Euler ancestral": "EulerAncestralDiscreteScheduler",
}


@dataclass(frozen=True)
class Stage:
    """What there is after a step."""

    step: int  # from 1
    of: int
    images: list[Image]


class Painter:
    """A loaded pipeline. Safe to use from several threads."""

    def __init__(
        self,
        pipeline: Any,
        *,
        repo: str,
        revision: str | None,
        steps: int = STEPS,
        guidance: float = GUIDANCE,
        away: bool = False,
    ) -> None:
        self.repo, self.revision, self.away = repo, revision, away
        self.steps, self.guidance = steps, guidance
        self.schedulers = tuple(SCHEDULERS)
        self.size = int(pipeline.unet.config.sample_size * pipeline.vae_scale_factor)
        self.pipeline = pipeline

    def paint(
        self,
        prompt: str,
        negative: str = "",
        seed: int = 0,
        steps: int | None = None,
        guidance: float | None = None,
        scheduler: str | None = None,
        count: int = 1,
    ) -> Iterator[Stage]:
        """A stage after each step; the last has the pictures. Raises LabError at once.

        scheduler: of `schedulers`; None: the published one. Pictures have seeds from `seed` on.
        """
        prompt, negative = _checked_prompt(prompt), _checked_prompt(negative, needed=False)
        _check_whole("The number of pictures", count, 1, MAX_COUNT)
        prompts, negatives = self._states(prompt, count), self._states(negative, count)
        seeds = [_checked_seed(seed) + number for number in range(count)]
        settings = self._settings(steps, guidance, scheduler)
        return self._stages(prompts, negatives, seeds, *settings)

    def interpolate(
        self,
        first: str,
        second: str,
        count: int = 5,
        *,
        seed: int = 0,
        steps: int | None = None,
        guidance: float | None = None,
        scheduler: str | None = None,
    ) -> list[Image]:
        """Pictures from one prompt to another, both included, all from the same noise.

        Raises LabError.
        """
        import torch

        _check_whole("The number of pictures", count, 2, MAX_COUNT)
        one, two = (self._states(_checked_prompt(text), 1) for text in (first, second))
        prompts = torch.cat([torch.lerp(one, two, place / (count - 1)) for place in range(count)])
        seeds = [_checked_seed(seed)] * count
        settings = self._settings(steps, guidance, scheduler)
        *_, last = self._stages(prompts, self._states("", count), seeds, *settings)
        return last.images

    def _settings(
        self, steps: int | None, guidance: float | None, scheduler: str | None
    ) -> tuple[int, float, Any]:
        steps = self.steps if steps is None else steps
        guidance = self.guidance if guidance is None else guidance
        _check_whole("The number of steps", steps, 1, MAX_STEPS)
        if not (_is_number(guidance) and 0 <= guidance <= MAX_GUIDANCE):
            raise LabError(
                f"The guidance is {guidance!r}; it can be from 0 to {MAX_GUIDANCE:g}.",
                hint=f"Try {self.guidance:g}.",
            )
        return int(steps), float(guidance), self._scheduler(scheduler)

    def _scheduler(self, name: str | None) -> Any:
        """A scheduler of its own for one painting: it counts the steps."""
        import diffusers

        config = self.pipeline.scheduler.config
        if name is None:
            return type(self.pipeline.scheduler).from_config(config)
        if name not in SCHEDULERS:
            raise LabError(
                f"There is no scheduler named {str(name)[:60]!r}.",
                hint=f"Choose one of: {', '.join(SCHEDULERS)}.",
            )
        given = {"clip_sample": False} if name == "DDIM" else {}  # latents are not from -1 to 1
        return getattr(diffusers, SCHEDULERS[name]).from_config(config, **given)

    def _states(self, text: str, count: int) -> Tensor:
        """(count, tokens, width) of what the text encoder says."""
        import torch

        # The stock pipeline warns of what it cuts off; nothing is cut off twice here.
        with torch.inference_mode():
            tokens = self.pipeline.tokenizer(
                text,
                padding="max_length",
                max_length=self.pipeline.tokenizer.model_max_length,
                truncation=True,
                return_tensors="pt",
            )
            encoder = self.pipeline.text_encoder
            masked = getattr(encoder.config, "use_attention_mask", False)
            mask = tokens["attention_mask"].to(encoder.device) if masked else None
            found = encoder(tokens["input_ids"].to(encoder.device), attention_mask=mask)[0]
        states: Tensor = found.repeat(count, 1, 1)
        return states

    def _stages(
        self,
        prompts: Tensor,
        negatives: Tensor,
        seeds: Sequence[int],
        steps: int,
        guidance: float,
        scheduler: Any,
    ) -> Iterator[Stage]:
        import torch

        pipeline = self.pipeline
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        guided = guidance > 1
        states = torch.cat([negatives, prompts]) if guided else prompts
        scheduler.set_timesteps(steps, device=states.device)
        latents = self._noise(generators, states) * scheduler.init_noise_sigma
        extra = _extra(scheduler, generators)
        for number, moment in enumerate(scheduler.timesteps, 1):
            with torch.inference_mode():
                given = torch.cat([latents] * 2) if guided else latents
                given = scheduler.scale_model_input(given, moment)
                found = pipeline.unet(given, moment, states, return_dict=False)[0]
                if guided:
                    without, own = found.chunk(2)
                    found = without + guidance * (own - without)
                latents = scheduler.step(found, moment, latents, **extra, return_dict=False)[0]
                images = self._drawn(latents)
            yield Stage(number, len(scheduler.timesteps), images)

    def _noise(self, generators: Sequence[Any], states: Tensor) -> Tensor:
        from diffusers.utils.torch_utils import randn_tensor

        config = self.pipeline.unet.config
        shape = (len(generators), config.in_channels, config.sample_size, config.sample_size)
        noise: Tensor = randn_tensor(
            shape, generator=list(generators), device=states.device, dtype=states.dtype
        )
        return noise

    def _drawn(self, latents: Tensor) -> list[Image]:
        autoencoder = self.pipeline.vae
        pictures = autoencoder.decode(latents / autoencoder.config.scaling_factor).sample
        images: list[Image] = self.pipeline.image_processor.postprocess(pictures)
        return images


def save_png(image: Image, settings: Mapping[str, Any]) -> bytes:
    """The picture as PNG, with how it was made in its text chunks."""
    from PIL.PngImagePlugin import PngInfo

    chunks = PngInfo()
    for name, value in settings.items():
        chunks.add_itxt(name, str(value))
    content = io.BytesIO()
    image.save(content, "PNG", pnginfo=chunks)
    return content.getvalue()


def load(repo_or_folder: str | Path, revision: str | None = None) -> Painter:
    """Open a text-to-image model from the Hub or from a folder. Nothing is unpickled.

    Raises RepoNotFoundError, RevisionNotFoundError, UnsafeWeightsError, LabError.
    """
    return _open(find_model(repo_or_folder, revision))


def load_pulled(pulled: Pulled, *, device: str | None = None) -> Painter:
    """Open a snapshot that `hub_utils.pull` fetched and checked. device: None: a GPU if any."""
    return _open(Origin.of(pulled), device=device)


def _open(origin: Origin, *, device: str | None = None) -> Painter:
    import torch
    from diffusers import DiffusionPipeline, StableDiffusionPipeline

    try:
        pipeline = DiffusionPipeline.from_pretrained(
            str(origin.folder), use_safetensors=True, local_files_only=True
        )
        if not isinstance(pipeline, StableDiffusionPipeline):
            raise TypeError(f"it is a {type(pipeline).__name__}")
    except (OSError, ValueError, KeyError, RuntimeError, AttributeError, TypeError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise LabError(
            f"{origin.repo} cannot be opened as a text-to-image model ({first}).",
            hint="It must be a StableDiffusionPipeline of diffusers, with safetensors weights.",
        ) from error
    pipeline.set_progress_bar_config(disable=True)
    pipeline.to(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    return Painter(
        pipeline,
        repo=origin.repo,
        revision=origin.revision,
        away=origin.away,
        **_defaults(origin.folder),
    )


def _defaults(folder: Path) -> dict[str, Any]:
    """Steps and guidance that the repository names; none if it does not or they cannot be."""
    try:
        facts = json.loads((folder / FACTS).read_text("utf-8"))
        steps, guidance = int(facts["steps"]), float(facts["guidance"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    if not (1 <= steps <= MAX_STEPS and 0 <= guidance <= MAX_GUIDANCE):
        return {}
    return {"steps": steps, "guidance": guidance}


def _extra(scheduler: Any, generators: Sequence[Any]) -> dict[str, Any]:
    """What the stock pipeline hands to a scheduler's step, if it takes it."""
    import inspect

    takes = inspect.signature(scheduler.step).parameters
    return {"generator": list(generators)} if "generator" in takes else {}


def _checked_prompt(prompt: str, *, needed: bool = True) -> str:
    if len(prompt) > MAX_PROMPT:
        raise LabError(
            f"The prompt has {len(prompt):,} characters; it may have {MAX_PROMPT:,}.",
            hint="Some words are enough: the model reads the first dozen.",
        )
    words = " ".join(prompt.split())
    if needed and not words:
        raise LabError("The prompt is empty.", hint="Write what to paint, for instance: red apple")
    return words


def _checked_seed(seed: int) -> int:
    _check_whole("The seed", seed, 0, MAX_SEED - MAX_COUNT)
    return int(seed)


def _check_whole(name: str, value: Any, least: int, most: int) -> None:
    if not (_is_number(value) and least <= value <= most and value == int(value)):
        nearest = min(max(round(value), least), most) if _is_number(value) else least
        raise LabError(
            f"{name} is {str(value)[:40]}; it must be a whole number from {least} to {most}.",
            hint=f"Try {nearest}.",
        )


def _is_number(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
