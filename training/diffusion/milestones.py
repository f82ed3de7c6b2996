"""Pictures of a model as it learns: the same prompts and the same noise, again and again.

    output/milestones/003.png     after 3 % of the budget, a row of pictures

The rows one below the other show what comes first: colours, then places, then shapes.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from training.diffusion.sheets import enlarged, sheet

if TYPE_CHECKING:
    from PIL.Image import Image

    from training.diffusion.painting import Paint

FOLDER = "milestones"
SHARES = (0.03, 0.1, 0.25, 0.5, 1.0)  # of the budget
PROMPTS = 8
SIDE, GAP = 64, 4  # pixels of the strip


class Milestones:
    """Paints when a milestone is passed. What a killed run has painted is not painted again."""

    def __init__(self, output: Path, captions: Sequence[str], paint: Paint) -> None:
        self._folder, self._paint = output / FOLDER, paint
        count = min(PROMPTS, len(captions))
        self.prompts = [captions[n * len(captions) // count] for n in range(count)]

    def clear(self) -> None:
        """Forget an earlier run."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def maybe(self, used: float) -> None:
        """Paint if the budget's share `used` is past a milestone that is not there yet."""
        passed = [share for share in SHARES if share <= used]
        if not passed or (path := self._path(passed[-1])).exists():
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        painted = self._paint(self.prompts, range(len(self.prompts)))
        images = [enlarged(image, SIDE) for image in painted]
        sheet(images, columns=len(images), gap=(GAP, GAP)).save(path)

    def _path(self, share: float) -> Path:
        return self._folder / f"{round(100 * share):03d}.png"


def strip_of(output: Path) -> Image | None:
    """All milestones of a run, the first on top; None if it has painted none."""
    from PIL import Image

    rows = [Image.open(path) for path in sorted((output / FOLDER).glob("*.png"))]
    return sheet(rows, columns=1, gap=(GAP, GAP)) if rows else None
