"""Trainings started from the page: `python -m training RECIPE …`, one at a time."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from tabs.jobs import Jobs, Order


class TrainingJobs(Jobs):
    """The page's trainings. The recipes' own go by the recipe's name."""

    what = "The training"

    def __init__(self, runs: Path, *, command: Sequence[str] | None = None) -> None:
        """Keep logs and outputs under `runs`; `command` replaces `python -m training`."""
        super().__init__(runs)
        self._command = tuple(command or (sys.executable, "-m", "training"))

    def start(self, recipe: str, arguments: Sequence[str] = ()) -> None:
        """Queue a training of `recipe`; LabError when it already runs or waits."""
        self.order(Order(recipe, self._of(recipe, recipe, arguments)))

    def start_own(
        self, recipe: str, repo: str, arguments: Sequence[str], *, data: Path | None = None
    ) -> None:
        """Queue a training on a reader's own data, next in line: somebody waits for it.

        data: a folder that goes when the training has ended. Raises LabError as `start` does.
        """
        name = f"own-{repo}"  # no recipe is called so
        command = self._of(recipe, name, ("--repo", repo, "--push", *arguments))
        self.order(Order(name, command, title=repo, leaves=data, soon=True))

    def _of(self, recipe: str, name: str, arguments: Sequence[str]) -> tuple[str, ...]:
        folder = str(self.output_dir(name))
        return (*self._command, recipe, "--output-dir", folder, *arguments)
