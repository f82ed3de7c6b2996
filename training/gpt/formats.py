"""Which stock architecture of transformers a configuration is, told before anything heavy loads."""

from __future__ import annotations

from typing import Any, Literal

from training.gpt.config import ModelConfig, TrainConfig

Format = Literal["llama", "mixtral", "gpt2"]

CLASSES: dict[Format, str] = {
    "llama": "LlamaForCausalLM",
    "mixtral": "MixtralForCausalLM",
    "gpt2": "GPT2LMHeadModel",
}
_LLAMA = {"positions": "rope", "norm": "rmsnorm", "activation": "swiglu"}
_GPT2 = {"positions": "learned", "norm": "layernorm", "activation": "gelu"}


def native_format(config: ModelConfig | TrainConfig) -> Format | None:
    """The stock architecture whose forward pass `config` describes, or None."""
    return next((name for name in _needs(config) if not _unmet(config, name)), None)


def why_not_native(config: ModelConfig | TrainConfig) -> str:
    """A sentence: which options no stock format has, and the format that is closest.

    Empty if there is a native format.
    """
    if native_format(config):
        return ""
    closest = min(_needs(config), key=lambda name: len(_unmet(config, name)))
    unmet = _unmet(config, closest)
    given = " and ".join(_option(name, getattr(config, name, None)) for name in unmet)
    needed = " and ".join(_option(name, value) for name, value in unmet.items())
    return (
        f"No stock format of transformers has {given} together with the other options, so the "
        f"model cannot be published; as {CLASSES[closest]} it would need {needed}."
    )


def _needs(config: ModelConfig | TrainConfig) -> dict[Format, dict[str, Any]]:
    """What each format requires, of the formats for as many experts."""
    if config.experts > 1:
        return {"mixtral": _LLAMA | {"bias": False}}
    one_size = {"kv_heads": config.heads, "head_width": None}
    return {"llama": dict(_LLAMA), "gpt2": _GPT2 | one_size}


def _unmet(config: ModelConfig | TrainConfig, name: Format) -> dict[str, Any]:
    needs = _needs(config)[name]
    return {key: value for key, value in needs.items() if getattr(config, key, None) != value}


def _option(name: str, value: Any) -> str:
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return f"--{flag}" if value else f"--no-{flag}"
    return f"--{flag} {value}"
