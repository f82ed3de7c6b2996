"""Say what machine and which versions a figure was measured with."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("torch", "transformers", "datasets", "huggingface_hub", "gradio", "peft")


def describe_machine() -> str:
    """Processor, cores, memory and vector extensions, in one phrase."""
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{_processor()}, {os.cpu_count()} cores, {memory_gib:.0f} GiB, {_extensions()}"


def describe_versions() -> str:
    """Python and the libraries that the figures depend on."""
    return ", ".join(
        [f"Python {platform.python_version()}", *(f"{p} {version(p)}" for p in PACKAGES)]
    )


def _processor() -> str:
    return _cpuinfo().get("model name", platform.processor() or platform.machine())


def _extensions() -> str:
    flags = set(_cpuinfo().get("flags", "").split())
    known = ("amx_bf16", "avx512_bf16", "avx512_vnni", "avx512f", "avx2")
    return ", ".join(name for name in known if name in flags) or platform.machine()


def _cpuinfo() -> dict[str, str]:
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return {}
    pairs = (line.partition(":") for line in path.read_text("utf-8").splitlines() if ":" in line)
    return {key.strip(): value.strip() for key, _, value in pairs}
