"""What a run of CLIP can be told, the image towers, and the presets.

    python -m training clip --preset quick

Only values live here; nothing heavy is imported.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hub_utils.errors import SettingsError

DEFAULT_TEXT = "sentence-transformers/all-MiniLM-L6-v2"
DEFAULT_DATA = "twemoji-captions"  # in the user's namespace
DEFAULT_REPO = "emoji-clip"
DEFAULT_OUTPUT = Path(".lab/runs/clip")
CONTEXT_TOKENS = 32  # of a text: captions are short
# Image towers of open_clip by name: its `vision_cfg`, without the size of the picture.
TOWERS: dict[str, dict[str, Any]] = {
    name: {"timm_model_name": f"test_{name}", "timm_pool": "avg", "timm_proj": "linear"}
    for name in ("resnet", "byobnet", "vit")  # timm's smallest: 0.3 to 0.4 million weights
}
SHOWN_SIDE = 72  # pixels a side of the published collection's pictures, at least


@dataclass(frozen=True)
class TrainConfig:
    """How the weights are found. Everything that changes the result is here."""

    text: str = DEFAULT_TEXT  # encoder of the texts; its weights stay
    text_revision: str | None = None
    whiten: float = 3.0  # see model.whitened; 0: texts as the encoder places them
    tower: str = "resnet"  # of TOWERS
    image_size: int = 48  # pixels a side
    loss: Literal["softmax", "sigmoid"] = "softmax"  # CLIP's or SigLIP's
    soften: float = 0.2  # share of the softmax's target that goes to texts by their likeness
    scale: float = 30.0  # of the softmax's logits at first
    batch_size: int = 128  # pictures a step
    epochs: float = 400.0  # passes over the groups, if time allows
    max_steps: int | None = None
    max_seconds: float | None = None
    learning_rate: float = 0.04  # of Muon at its peak: matrices and filters
    vector_rate: float = 2e-3  # of AdamW: biases, norms and the logits' scale
    augment: float = 1.0  # strength; 0: pictures as they are
    average: float = 0.995  # decay of the moving average of the weights; 0: none
    all_pictures: bool = False  # learn from the held-out ones too: for a judge of other models
    gallery: bool = True  # publish the pictures' vectors
    seed: int = 0
    checkpoint_seconds: float = 30.0

    @property
    def text_name(self) -> str:
        """The text encoder as others may read it: of a folder only its name."""
        return Path(self.text).name if Path(self.text).is_dir() else self.text


PRESETS: dict[str, TrainConfig] = {
    # python -m training clip --preset quick: a minute on 2 cores at most. Longer, unseen pictures
    # are found no better: 0.20 among the first ten by cosine after 50 s, 0.18 after 112 s.
    "quick": TrainConfig(max_seconds=60.0, max_steps=600),
    # python -m training clip --preset judge --repo emoji-judge: measures the diffusion model.
    "judge": TrainConfig(
        max_seconds=80.0, tower="byobnet", seed=7, all_pictures=True, gallery=False, augment=0.7
    ),
}


def preset(name: str) -> TrainConfig:
    """A preset by name. Raises SettingsError."""
    if name not in PRESETS:
        raise SettingsError(
            f"There is no preset named {name!r}.", hint=f"Choose one of: {', '.join(PRESETS)}."
        )
    return PRESETS[name]


def checked(config: TrainConfig) -> TrainConfig:
    """`config` if its values can work. Raises SettingsError."""
    rules = {
        f"--tower must be one of {', '.join(TOWERS)}": config.tower in TOWERS,
        "--image-size must be a multiple of 16, from 32 to 224": config.image_size % 16 == 0
        and 32 <= config.image_size <= 224,
        "--loss must be softmax or sigmoid": config.loss in ("softmax", "sigmoid"),
        "--batch-size must be at least 2": config.batch_size >= 2,
        "--epochs must be above 0": config.epochs > 0,
        "--max-steps must be at least 1": config.max_steps is None or config.max_steps >= 1,
        "--max-seconds must be above 0": config.max_seconds is None or config.max_seconds > 0,
        "--learning-rate must be above 0": config.learning_rate > 0,
        "--whiten must be at least 0": config.whiten >= 0,
        "--average must be from 0 to below 1": 0 <= config.average < 1,
    }
    for rule, holds in rules.items():
        if not holds:
            raise SettingsError(f"{rule}.", hint="Change it and run again.")
    return config
