"""Many pictures on one sheet, for cards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image


def sheet(images: Sequence[Image], *, columns: int, gap: tuple[int, int] = (0, 0)) -> Image:
    """Pictures of one size in rows, on white. gap: pixels between columns and between rows."""
    from PIL import Image

    across, down = images[0].width + gap[0], images[0].height + gap[1]
    rows = -(-len(images) // columns)
    found = Image.new("RGB", (columns * across - gap[0], rows * down - gap[1]), "white")
    for place, image in enumerate(images):
        found.paste(image, (place % columns * across, place // columns * down))
    return found


def enlarged(image: Image, side: int) -> Image:
    """A picture as (side, side) pixels."""
    from PIL import Image

    return image.convert("RGB").resize((side, side), Image.Resampling.BICUBIC)
