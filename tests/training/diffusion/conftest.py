"""Coloured shapes, a tiny text encoder, a tiny painter: real ones, once a session."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.training.clip.conftest import make_text_encoder, write_pictures
from training.diffusion.config import TrainConfig
from training.shared.captioned import PictureCorpus, load_pictures

TINY = TrainConfig(
    image_size=16,
    patch=4,
    pictures=12,
    latent_channels=6,
    decoder_width=8,
    decoder_blocks=(1, 0, 0),
    widths=(16, 16),
    time_width=32,
    decoder_seconds=None,
    decoder_steps=4,
    max_seconds=None,
    max_steps=6,
    batch_size=8,
    sampling_steps=3,
)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of 24 pictures in 24 groups."""
    return write_pictures(tmp_path_factory.mktemp("painted") / "shapes", copies=1)


@pytest.fixture(scope="session")
def corpus(pictures: Path) -> PictureCorpus:
    """The same, read."""
    return load_pictures(str(pictures), hub=None, size=TINY.image_size)


@pytest.fixture(scope="session")
def text_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny text encoder."""
    return make_text_encoder(tmp_path_factory.mktemp("text") / "encoder")


@pytest.fixture(scope="session")
def finished(
    pictures: Path, text_encoder: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Any]:
    """(work folder, figures) of one small training by the command line's own function."""
    from training.diffusion import config as settings
    from training.diffusion.cli import train_and_publish

    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(settings.PRESETS, "tiny", TINY)
        return folder, train_and_publish(parse(pictures, text_encoder, folder, "--no-push"))


def parse(data: Path | str, text: Path | str, folder: Path, *more: str) -> Any:
    """The parsed command of a tiny training; the preset `tiny` must be in the table."""
    import argparse

    from training.diffusion.cli import add_parser

    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers(dest="recipe"))
    options = (
        f"diffusion --data {data} --text {text} --output-dir {folder} --preset tiny --judge none"
    )
    return parser.parse_args([*options.split(), *more])
