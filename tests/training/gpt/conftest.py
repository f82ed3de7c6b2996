"""Tiny models with weights large enough for differences to show, a tiny text, a tiny training."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import torch

from training.gpt.config import ModelConfig
from training.gpt.model import MiniGPT

TINY = ModelConfig(vocab_size=61, context=24, layers=2, width=32, heads=4, kv_heads=4, hidden=48)


def tiny_config(**changes: Any) -> ModelConfig:
    """Two layers of width 32, with `changes`."""
    from dataclasses import replace

    return replace(TINY, **changes)


def randomized(model: torch.nn.Module, *, seed: int = 0) -> Any:
    """`model` with every parameter drawn anew: no zeros or ones hide a mistake."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            center = 1.0 if "norm" in name and name.endswith("weight") else 0.0
            parameter.normal_(center, 0.2, generator=generator)
    return model.eval()


def tiny_model(*, seed: int = 0, written_out: bool = False, **changes: Any) -> MiniGPT:
    """A MiniGPT of `tiny_config(**changes)` with random weights."""
    model: MiniGPT = randomized(MiniGPT(tiny_config(**changes), written_out=written_out), seed=seed)
    return model


def some_ids(batch: int = 2, length: int = 17, *, seed: int = 0, vocab: int = 61) -> torch.Tensor:
    """(batch, length) random tokens."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, vocab, (batch, length), generator=generator)


def tale(characters: int = 24_000, *, seed: int = 0) -> str:
    """A text with words, quotes and paragraphs, from a small grammar."""
    rng = random.Random(seed)
    who = ["the wolf", "the miller", "a little girl", "the old king", "the youngest son"]
    did = ["went into the wood", "found a golden ring", "came home at night", "saw a light"]
    said = ["Who is there?", "Come in, my child.", "I will not go.", "Give me the ring!"]
    text = ""
    while len(text) < characters:
        text += f"Once {rng.choice(who)} {rng.choice(did)}, and {rng.choice(who)} said:\n"
        text += f'"{rng.choice(said)}" Then {rng.choice(who)} {rng.choice(did)}.\n\n'
    return text


@pytest.fixture(scope="session")
def tale_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tale of 24,000 characters in a file."""
    path = tmp_path_factory.mktemp("text") / "tale.txt"
    path.write_text(tale(), "utf-8")
    return path


def gpt_options(data: Path | str, folder: Path, *more: str) -> list[str]:
    """A command of `python -m training` for a model that trains in a second or two."""
    shape = "--layers 2 --width 32 --heads 2 --kv-heads 1 --context 48 --vocab-size 320"
    options = f"gpt --data {data} --output-dir {folder} --batch-tokens 480 {shape}"
    return [*options.split(), *more]


@pytest.fixture(scope="session")
def finished(tale_file: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """(work folder, figures) of one small training by the command line's own function."""
    from training.cli import build_parser
    from training.gpt.cli import train_and_publish

    folder = tmp_path_factory.mktemp("finished")
    options = gpt_options(tale_file, folder, "--no-push", "--max-steps", "120")
    return folder, train_and_publish(build_parser().parse_args(options))
