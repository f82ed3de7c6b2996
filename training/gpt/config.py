"""What a run of the mini-GPT can be told, and the presets that were measured.

    python -m training gpt --preset quick

Only values live here; nothing heavy is imported.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from hub_utils.errors import SettingsError

DEFAULT_DATA = "fairy-tales"  # in the user's namespace
DEFAULT_REPO = "fairy-tale-gpt"
DEFAULT_OUTPUT = Path(".lab/runs/gpt")
HELD_OUT_SHARE = 0.1  # of the text, its last part, when the data brings no test split

Positions = Literal["rope", "learned", "sinusoidal", "alibi"]
Norm = Literal["rmsnorm", "layernorm"]
Activation = Literal["swiglu", "gelu", "relu2"]
TokenizerKind = Literal["bytes", "wordpiece", "unigram", "char"]
CHOICES: dict[str, tuple[str, ...]] = {
    "tokenizer": ("bytes", "wordpiece", "unigram", "char"),
    "positions": ("rope", "learned", "sinusoidal", "alibi"),
    "norm": ("rmsnorm", "layernorm"),
    "activation": ("swiglu", "gelu", "relu2"),
    "optimizer": ("muon", "adamw"),
}


@dataclass(frozen=True)
class ModelConfig:
    """The shape of a model: all that its weights depend on."""

    vocab_size: int
    context: int = 256  # tokens
    layers: int = 4
    width: int = 128
    heads: int = 4
    kv_heads: int = 4  # = heads: multi-head; 1: multi-query; between: grouped-query
    head_width: int | None = None  # None: width / heads
    positions: Positions = "rope"
    norm: Norm = "rmsnorm"
    activation: Activation = "swiglu"
    hidden: int = 352  # width of the feed-forward
    experts: int = 1  # > 1: mixture of experts
    experts_per_token: int = 2
    tied: bool = True  # the head is the token embedding
    bias: bool = False  # GPT-2 has biases
    dropout: float = 0.0  # of what each branch adds, in training
    rope_theta: float = 10_000.0
    norm_eps: float = 1e-5

    @property
    def head_size(self) -> int:
        """Width of one head."""
        return self.head_width or self.width // self.heads


@dataclass(frozen=True)
class TrainConfig:
    """How a model is made from a text. Everything that changes the result is here."""

    tokenizer: TokenizerKind = "bytes"  # "bytes": byte-level BPE
    vocab_size: int = 2048  # what the tokenizer is trained to; characters bring their own
    # the model, see ModelConfig
    context: int = 256
    layers: int = 4
    width: int = 128
    heads: int = 4
    kv_heads: int = 4
    positions: Positions = "rope"
    norm: Norm = "rmsnorm"
    activation: Activation = "swiglu"
    hidden: int = 352
    experts: int = 1
    experts_per_token: int = 2
    tied: bool | None = None  # None: unless the vocabulary is so small that two cost little
    bias: bool = False
    dropout: float = 0.0
    # the training
    batch_tokens: int = 4096  # per optimizer step, over all processes
    max_steps: int | None = None
    max_seconds: float | None = None  # wall clock, from the first batch to the last step
    max_epochs: float | None = None  # passes over the text when planned in seconds; None: no limit
    optimizer: Literal["muon", "adamw"] = "muon"
    learning_rate: float = 0.008  # peak; of matrices under Muon, of everything under AdamW
    embedding_learning_rate: float = 0.01  # peak; of what AdamW trains beside Muon
    weight_decay: float = 0.0
    momentum: float = 0.9  # of Muon
    warmup: float = 0.02  # share of the budget
    first_context: int | None = None  # tokens of a window at first; None: always the context
    first_batch_tokens: int | None = None  # of a step while windows are short; None: batch_tokens
    seed: int = 0
    checkpoint_seconds: float = 30.0
    stream_tokens: int | None = None  # read a Hub data set row by row, up to here; None: whole

    def model_config(self, vocab_size: int) -> ModelConfig:
        """The shape of the model for a tokenizer of `vocab_size` tokens."""
        names = {field.name for field in fields(ModelConfig)} - {"vocab_size"}
        shape: dict[str, Any] = {
            field.name: getattr(self, field.name) for field in fields(self) if field.name in names
        }
        if self.tied is None:
            shape["tied"] = vocab_size > 2 * self.width
        return ModelConfig(vocab_size=vocab_size, **shape)


PRESETS: dict[str, TrainConfig] = {
    # python -m training gpt --preset quick: the embedded default, 2 minutes on 2 cores. Its shape,
    # rate, batch and windows were chosen on parts of the first nine tenths of Shakespeare's
    # characters. After 800 steps there: 1.567 nats with first windows of 64 tokens, 1.560 with 32;
    # 1.557 with a head of its own (docs/mini-gpt.md).
    "quick": TrainConfig(
        max_seconds=89.0,
        max_epochs=5.0,  # of the tales; beyond, they are learned by heart and the loss rises
        layers=3,
        hidden=256,
        first_context=32,
        batch_tokens=1024,
        learning_rate=0.011,
    ),
    # python -m training gpt --preset cpu: half an hour on 2 cores.
    "cpu": TrainConfig(
        max_seconds=1800.0, max_epochs=5.0, layers=6, width=192, heads=6, kv_heads=6, hidden=512
    ),
    # python -m training gpt --preset gpu: nanoGPT's size for Shakespeare, 10.7M parameters.
    "gpu": TrainConfig(
        tokenizer="char",
        layers=6,
        width=384,
        heads=6,
        kv_heads=6,
        hidden=1024,
        dropout=0.2,
        batch_tokens=16_384,
        max_steps=5000,
    ),
    # python -m training gpt --preset gpt2 --data HUB_DATASET: 124M parameters, GPT-2's own shape.
    "gpt2": TrainConfig(
        vocab_size=50_257,
        context=1024,
        layers=12,
        width=768,
        heads=12,
        kv_heads=12,
        positions="learned",
        norm="layernorm",
        activation="gelu",
        hidden=3072,
        bias=True,
        batch_tokens=524_288,
        max_steps=20_000,
        stream_tokens=2_000_000_000,  # 4 GB on disk
    ),
}

Config = TypeVar("Config", TrainConfig, ModelConfig)


def preset(name: str) -> TrainConfig:
    """A preset by name. Raises SettingsError."""
    if name not in PRESETS:
        raise SettingsError(
            f"There is no preset named {name!r}.", hint=f"Choose one of: {', '.join(PRESETS)}."
        )
    return PRESETS[name]


def checked(config: Config) -> Config:
    """`config` if its values can work. Raises SettingsError."""
    for name, allowed in CHOICES.items():
        value = getattr(config, name, allowed[0])
        if value not in allowed:
            raise SettingsError(
                f"--{name} {value!r} is not known.", hint=f"Choose one of: {', '.join(allowed)}."
            )
    rules = _shape_rules(config)
    if isinstance(config, TrainConfig):
        rules |= _training_rules(config)
    for rule, holds in rules.items():
        if not holds:
            raise SettingsError(f"{rule}.", hint="Change it and run again.")
    return config


def without_time_limit(config: TrainConfig) -> TrainConfig:
    """`config` planned in steps alone: the same on every machine."""
    return replace(config, max_seconds=None)


def _shape_rules(config: TrainConfig | ModelConfig) -> dict[str, bool]:
    counts = ("vocab_size", "context", "layers", "width", "heads", "kv_heads", "hidden", "experts")
    rules = {
        f"--{name.replace('_', '-')} must be at least 1": getattr(config, name) >= 1
        for name in counts
    }
    if not all(rules.values()):
        return rules  # the rules below divide by these
    head = getattr(config, "head_width", None) or config.width // config.heads
    per_token, experts = config.experts_per_token, config.experts
    return rules | {
        f"--width {config.width} is not divisible by --heads {config.heads}": config.width
        % config.heads
        == 0,
        f"--heads {config.heads} is not divisible by --kv-heads {config.kv_heads}": config.heads
        % config.kv_heads
        == 0,
        f"--positions rope turns pairs: a head must have an even width, not {head}": head % 2 == 0
        or config.positions != "rope",
        f"--positions sinusoidal needs an even --width, not {config.width}": config.width % 2 == 0
        or config.positions != "sinusoidal",
        f"--experts-per-token {per_token} must be between 1 and --experts {experts}": experts == 1
        or 1 <= per_token <= experts,
        "--dropout must be at least 0 and below 1": 0 <= config.dropout < 1,
    }


def _training_rules(config: TrainConfig) -> dict[str, bool]:
    return {
        "--batch-tokens must be at least --context": config.batch_tokens >= config.context,
        "--max-steps must be at least 1": config.max_steps is None or config.max_steps >= 1,
        "--max-seconds must be above 0": config.max_seconds is None or config.max_seconds > 0,
        "--learning-rate must be above 0": config.learning_rate > 0,
        "--embedding-learning-rate must be above 0": config.embedding_learning_rate > 0,
        "--weight-decay must not be negative": config.weight_decay >= 0,
        "--checkpoint-seconds must be above 0": config.checkpoint_seconds > 0,
        "--stream-tokens must be at least 1": config.stream_tokens is None
        or config.stream_tokens >= 1,
    }
