"""What a run of the diffusion model can be told, and the presets.

    python -m training diffusion --preset quick

Only values live here; nothing heavy is imported.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hub_utils.errors import SettingsError

DEFAULT_TEXT = "sentence-transformers/all-MiniLM-L6-v2"
DEFAULT_DATA = "twemoji-captions"  # in the user's namespace
DEFAULT_REPO = "emoji-painter"
DEFAULT_JUDGE = "emoji-judge"  # a CLIP: python -m training clip --preset judge --repo emoji-judge
DEFAULT_OUTPUT = Path(".lab/runs/diffusion")
FACTS = "painter.json"  # in a published repository: how it was made, and its defaults
PROMPT_TOKENS = 16  # of a prompt; more are cut off
TRAIN_TIMES = 1000  # noise levels
STEPS, GUIDANCE = 8, 3.5  # defaults of a painting


@dataclass(frozen=True)
class TrainConfig:
    """How the weights are found. Everything that changes the result is here."""

    text: str = DEFAULT_TEXT  # encoder of the prompts; its weights stay
    text_revision: str | None = None
    pictures: int | None = 768  # of the collection that is learnt; None: one of every group
    variants: bool = False  # all pictures of those groups, but one detail of each is held out
    image_size: int = 32  # pixels a side
    patch: int = 8  # pixels a side that become one latent position: 2, 4 or 8
    latent_channels: int = 32
    evened: float = 0.25  # how much of the components' own spread stays
    decoder_width: int = 32
    decoder_blocks: tuple[int, ...] = (3, 2, 1, 0)  # at each size, the smallest first
    widths: tuple[int, ...] = (96, 96)  # of the U-Net, the largest size first
    attention: tuple[int, ...] = ()  # its levels whose positions look at single tokens
    time_width: int = 256
    decoder_seconds: float | None = 35.0  # the autoencoder's share of the time
    decoder_steps: int = 2_000
    decoder_rate: float = 0.02  # Muon's there; at 0.05 its rectifiers die
    max_seconds: float | None = 110.0  # the U-Net's share
    max_steps: int | None = None
    batch_size: int = 256  # at 32 most of a step is operators' overhead: a quarter of the pictures
    matrix_rate: float = 0.05  # Muon's, at its peak
    other_rate: float = 2e-3  # AdamW's
    own_caption: float = 0.7  # share of prompts that are the caption; the rest: any name
    noisier: float = 1.5  # 1: all noise levels alike; above: more of the noisy ones
    unprompted: float = 0.1  # share without a prompt, for guidance
    augment: float = 0.3  # how much pictures are moved; 0: not at all
    average: float = 0.99  # decay of the moving average of the weights
    sampling_steps: int = STEPS  # of the paintings that are measured; published as the default
    guidance: float = GUIDANCE
    seed: int = 0
    checkpoint_seconds: float = 30.0

    @property
    def latent_side(self) -> int:
        """Latent positions a side."""
        return self.image_size // self.patch

    @property
    def text_name(self) -> str:
        """The text encoder as others may read it: of a folder only its name."""
        return Path(self.text).name if Path(self.text).is_dir() else self.text


MAX_STEPS = 1_000_000  # where only the time limits a run

PRESETS: dict[str, TrainConfig] = {
    # python -m training diffusion --preset quick: under three minutes on 2 cores.
    "quick": TrainConfig(),
    # python -m training diffusion --preset good: all base emoji in 45 minutes on 2 cores.
    "good": TrainConfig(
        pictures=None,
        variants=True,
        decoder_width=48,
        widths=(128, 128),
        time_width=384,
        decoder_seconds=300.0,
        decoder_steps=20_000,
        max_seconds=2_250.0,
        batch_size=192,
        average=0.999,
        checkpoint_seconds=60.0,
    ),
    # python -m training diffusion --preset pixels: `quick` where latents are the pixels, 2 x 2 of
    # them to a position, nothing lost. Only to compare; docs/benchmarks.md says what it costs.
    "pixels": TrainConfig(
        patch=2,
        latent_channels=12,
        decoder_blocks=(1, 0),
        widths=(48, 64, 96),
        decoder_seconds=20.0,
        max_seconds=125.0,
        batch_size=64,  # sixteen times the positions: less overhead, steps that cost more
    ),
}


def preset(name: str) -> TrainConfig:
    """A preset by name. Raises SettingsError."""
    if name not in PRESETS:
        raise SettingsError(
            f"There is no preset named {name!r}.", hint=f"Choose one of: {', '.join(PRESETS)}."
        )
    return PRESETS[name]


# What a published painter's weights were made for.
ARCHITECTURE = (
    "image_size", "patch", "latent_channels", "decoder_width", "decoder_blocks", "widths",
    "attention", "time_width", "evened",
)  # fmt: skip


# Learning rates, and the share of them at which weights learn on that have learnt already.
RATES = ("matrix_rate", "other_rate", "decoder_rate")
LEARNING_ON = 0.3


def continued(config: TrainConfig, folder: Path, *, asked_for: Collection[str] = ()) -> TrainConfig:
    """`config` with the architecture of a published folder and rates for going on from it.

    asked_for: rates that stay as they are. Raises SettingsError.
    """
    try:
        settings = json.loads((folder / FACTS).read_text("utf-8"))["settings"]
        given: dict[str, Any] = {name: settings[name] for name in ARCHITECTURE}
    except (OSError, ValueError, KeyError, TypeError):
        raise SettingsError(
            f"{folder.name} does not say what it was made with.",
            hint="Give a model that `python -m training diffusion` published.",
        ) from None
    for name, value in given.items():
        if isinstance(value, list):
            given[name] = tuple(value)
    rates = {r: LEARNING_ON * getattr(config, r) for r in RATES if r not in asked_for}
    return replace(config, **given, **rates)


def checked(config: TrainConfig) -> TrainConfig:
    """`config` if its values can work. Raises SettingsError."""
    deepest = config.patch * 2 ** (len(config.widths) - 1)
    rules = {
        "--pictures must be left out where all pictures of every group are learnt": not (
            config.variants and config.pictures is not None
        ),
        "--pictures must be at least 2": config.pictures is None or config.pictures >= 2,
        f"--image-size must be a multiple of {deepest}, from {deepest} to 256": (
            config.image_size % deepest == 0 and deepest <= config.image_size <= 256
        ),
        "--batch-size must be at least 1": config.batch_size >= 1,
        "--max-steps must be at least 1": config.max_steps is None or config.max_steps >= 1,
        "--max-seconds must be above 0": config.max_seconds is None or config.max_seconds > 0,
        "--decoder-steps must be at least 1": config.decoder_steps >= 1,
        "--decoder-seconds must be above 0": (
            config.decoder_seconds is None or config.decoder_seconds > 0
        ),
        "--matrix-rate and --other-rate must be above 0": (
            config.matrix_rate > 0 and config.other_rate > 0
        ),
        "--noisier must be from 0.2 to 5": 0.2 <= config.noisier <= 5,
        "--unprompted must be from 0 to below 1": 0 <= config.unprompted < 1,
        "--augment must be from 0 to 2": 0 <= config.augment <= 2,
        "--sampling-steps must be from 1 to 100": 1 <= config.sampling_steps <= 100,
        "--guidance must be from 0 to 20": 0 <= config.guidance <= 20,
        "--average must be from 0 to below 1": 0 <= config.average < 1,
    }
    for rule, holds in rules.items():
        if not holds:
            raise SettingsError(f"{rule}.", hint="Change it and run again.")
    return config
