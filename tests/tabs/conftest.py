"""A Hub for the tests of the tabs, and services that look at it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hub_utils.connection import Hub
from hub_utils.settings import Settings
from tabs.services import Services
from tests.tabs.lab import HubProcess, corpus, tiny_classifier, tiny_generator
from tests.training.index.conftest import make_encoder

if TYPE_CHECKING:
    from training.index.inference import SearchIndex


@pytest.fixture(scope="session")
def classifiers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Folders of two tiny classifiers that differ in their weights."""
    root = tmp_path_factory.mktemp("classifiers")
    return tiny_classifier(root / "one", seed=1), tiny_classifier(root / "two", seed=2)


@pytest.fixture(scope="session")
def generator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny language model."""
    return tiny_generator(tmp_path_factory.mktemp("generator"), seed=1)


@pytest.fixture(scope="session")
def index(tmp_path_factory: pytest.TempPathFactory) -> SearchIndex:
    """The tests' small corpus, indexed in memory by a tiny encoder."""
    from training.index.encoder import load_encoder
    from training.index.inference import index_texts

    folder = make_encoder(tmp_path_factory.mktemp("index") / "encoder")
    return index_texts(corpus(), load_encoder(folder, repo="lab/tiny-encoder", revision="0" * 40))


@pytest.fixture
def hub_process(tmp_path: Path) -> Iterator[HubProcess]:
    """An empty embedded Hub of this test's own."""
    process = HubProcess(tmp_path / "hub").start()
    yield process
    process.stop()


@pytest.fixture
def own_hub(hub_process: HubProcess, tmp_path: Path) -> Hub:
    """A client of `hub_process`."""
    return hub_process.client(tmp_path / "cache")


@pytest.fixture
def make_services(own_hub: Hub, tmp_path: Path) -> Iterator[Callable[..., Services]]:
    """Services on the test's own Hub, closed at the end."""
    made: list[Services] = []

    def make(**settings: object) -> Services:
        base = {"hub_root": tmp_path / "lab" / "hub", "namespace": "lab"}
        made.append(Services(Settings(**{**base, **settings}), own_hub))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for services in made:
        services.close()
