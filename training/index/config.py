"""What a build of the index can be told, and its presets.

    python -m training index --preset quick

Only values live here; nothing heavy is imported.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hub_utils.errors import SettingsError

DEFAULT_ENCODER = "sentence-transformers/all-MiniLM-L6-v2"
DEFAULT_DATA = "newsgroups"  # in the user's namespace
DEFAULT_REPO = "newsgroups-index"
DEFAULT_OUTPUT = Path(".lab/runs/index")
MAX_SHARDS = 1024  # documents are spread over this many places first, then gathered into shards
MIN_TOKENS = 16  # of a passage: below, titles alone fill it


@dataclass(frozen=True)
class IndexConfig:
    """How documents become passages and passages become vectors."""

    encoder: str = DEFAULT_ENCODER  # Hub id or folder of a sentence-transformers model
    encoder_revision: str | None = None  # its branch, tag or commit
    max_tokens: int | None = None  # of a passage, special ones included; None: all it reads
    overlap_tokens: int = 32  # that a passage repeats of the one before
    shards: int | None = None  # a power of two; None: as the corpus's size asks for
    split: str | None = None  # of a Hub data set; None: all of them
    seed: int = 0  # of the map

    @property
    def encoder_name(self) -> str:
        """The encoder as others may read it: of a folder only its name."""
        return Path(self.encoder).name if Path(self.encoder).is_dir() else self.encoder


PRESETS: dict[str, IndexConfig] = {
    # python -m training index --preset quick: the 7,532 documents of the test part.
    "quick": IndexConfig(split="test"),
    # python -m training index --preset full: all 18,846.
    "full": IndexConfig(),
}


def preset(name: str) -> IndexConfig:
    """A preset by name. Raises SettingsError."""
    if name not in PRESETS:
        raise SettingsError(
            f"There is no preset named {name!r}.", hint=f"Choose one of: {', '.join(PRESETS)}."
        )
    return PRESETS[name]


def checked(config: IndexConfig) -> IndexConfig:
    """`config` if its values can work. Raises SettingsError."""
    tokens, shards = config.max_tokens, config.shards
    rules = {
        f"--max-tokens must be at least {MIN_TOKENS}": tokens is None or tokens >= MIN_TOKENS,
        "--overlap-tokens must not be negative": config.overlap_tokens >= 0,
        "--overlap-tokens must be at most half of --max-tokens": tokens is None
        or 2 * config.overlap_tokens <= tokens,
        f"--shards must be a power of two up to {MAX_SHARDS}": shards is None
        or (1 <= shards <= MAX_SHARDS and shards.bit_count() == 1),
    }
    for rule, holds in rules.items():
        if not holds:
            raise SettingsError(f"{rule}.", hint="Change it and run again.")
    return config


def window(config: IndexConfig, encoder_tokens: int) -> int:
    """Tokens of a passage for an encoder that reads `encoder_tokens`. Raises SettingsError."""
    tokens = config.max_tokens or encoder_tokens
    if tokens > encoder_tokens:
        raise SettingsError(
            f"--max-tokens {tokens} is more than {config.encoder_name} reads: {encoder_tokens}.",
            hint=f"Give {encoder_tokens} or less.",
        )
    if 2 * config.overlap_tokens > tokens:
        raise SettingsError(
            f"--overlap-tokens {config.overlap_tokens} is more than half of a passage's {tokens}.",
            hint=f"Give {tokens // 2} or less.",
        )
    return tokens
