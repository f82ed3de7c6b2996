"""A run that was interrupted goes on to the same weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from training.clip.config import TrainConfig
from training.clip.train import Trained, train
from training.shared.captioned import PictureCorpus, load_pictures
from training.shared.progress import Progress

STEPS = 6
CONFIG = TrainConfig(
    image_size=32, batch_size=16, max_steps=STEPS, max_seconds=None, checkpoint_seconds=0.0
)


class Interrupted(Progress):
    """As if Ctrl-C came at a step, after its checkpoint."""

    def update(self, *, step: int, **more: Any) -> None:
        super().update(step=step, **more)
        if step == STEPS // 2:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def corpus(pictures: Path) -> PictureCorpus:
    return load_pictures(str(pictures), hub=None, size=CONFIG.image_size)


def run(
    corpus: PictureCorpus, text: Path, output: Path, *, resume: bool = False, stopped: bool = False
) -> Trained:
    progress = (Interrupted if stopped else Progress)("clip", output, quiet=True)
    return train(corpus, CONFIG, text_folder=text, output=output, progress=progress, resume=resume)


def test_an_interrupted_run_resumes_to_the_same_weights(corpus, text_encoder, tmp_path) -> None:
    whole = run(corpus, text_encoder, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(corpus, text_encoder, tmp_path / "broken", stopped=True)
    resumed = run(corpus, text_encoder, tmp_path / "broken", resume=True)
    assert resumed.steps == whole.steps == STEPS
    theirs = whole.model.state_dict()
    for key, weight in resumed.model.state_dict().items():
        torch.testing.assert_close(weight, theirs[key], atol=1e-5, rtol=0, msg=key)


def test_whitened_vectors_spread_evenly_and_equal_ones_stay_finite() -> None:
    from training.clip.model import whitened

    vectors = torch.randn(200, 8, generator=torch.Generator().manual_seed(0))
    vectors = vectors * torch.tensor([9.0, 1, 1, 1, 1, 1, 1, 1]) + 3
    matrix = whitened(vectors, 1e-6)
    spread = torch.cov((vectors @ matrix.T).T)
    torch.testing.assert_close(spread, torch.eye(8), atol=0.02, rtol=0)
    assert whitened(vectors[:1].repeat(3, 1), 1.0).isfinite().all()
