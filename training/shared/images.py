"""Open pictures that anybody may have made: bounded in memory, always the same kind in the end.

    picture = open_image(path_or_bytes)          # PIL, RGB, upright, transparent parts white

A palette, CMYK, 16-bit or animated file gives its first picture as people see it.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hub_utils.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS = 50_000_000  # decoded, 150 MB as RGB; phones make up to 48 million
MAX_BYTES = 64 * 1024 * 1024  # of a file
SIDE = 1024  # a picture is made this small at once: no model here looks at more
WHITE = (255, 255, 255, 255)


def open_image(source: str | Path | bytes, *, name: str | None = None) -> Image:
    """An RGB picture of at most SIDE pixels a side. Raises DataError with a sentence."""
    picture = open_rgba(source, name=name)
    return on_background(picture, WHITE[:3])


def open_rgba(source: str | Path | bytes, *, name: str | None = None) -> Image:
    """The same with its transparency. Raises DataError."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    called = name or (Path(source).name if isinstance(source, str | Path) else "The picture")
    _check_bytes(source, called)
    with _bounded():
        try:
            with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as opened:
                _check_pixels(opened, called)
                opened.draft("RGB", (SIDE, SIDE))  # a JPEG is decoded small where that is enough
                opened.load()
                picture = ImageOps.exif_transpose(opened) or opened
                return _small(_as_rgba(picture))
        except UnidentifiedImageError:
            raise _unreadable(called, "it is not a picture that can be read") from None
        except Image.DecompressionBombError:
            raise _too_large(called) from None
        except (OSError, SyntaxError, ValueError, EOFError) as error:
            first = (str(error).splitlines() or ["damaged"])[0]
            raise _unreadable(called, first) from None


def on_background(picture: Image, color: tuple[int, ...]) -> Image:
    """An RGBA picture laid on a colour, as RGB."""
    from PIL import Image

    ground = Image.new("RGBA", picture.size, (*color[:3], 255))
    ground.alpha_composite(picture)
    return ground.convert("RGB")


def resized(picture: Image, size: int) -> Image:
    """An RGBA picture in a square of `size` pixels a side, its shape kept, the rest transparent."""
    from PIL import Image

    scale = size / max(picture.size)
    wide, high = (max(1, round(side * scale)) for side in picture.size)
    # Premultiplied, so that the colour of invisible pixels does not bleed into the edge.
    small = picture.convert("RGBa").resize((wide, high), Image.Resampling.BICUBIC).convert("RGBA")
    if (wide, high) == (size, size):
        return small
    square = Image.new("RGBA", (size, size), (255, 255, 255, 0))
    square.paste(small, ((size - wide) // 2, (size - high) // 2))
    return square


def _as_rgba(picture: Image) -> Image:
    if picture.mode.startswith("I;16") or picture.mode in ("I", "F"):
        picture = _eight_bits(picture)
    if picture.mode == "P" and "transparency" in picture.info:
        return picture.convert("RGBA")
    if picture.mode not in ("RGBA", "RGB", "LA", "PA"):
        picture = picture.convert("RGB")
    return picture.convert("RGBA")


def _eight_bits(picture: Image) -> Image:
    """Grey of 16 or 32 bits, scaled to 8: 16 bits by their range, others by what is there."""
    import numpy as np
    from PIL import Image

    values = np.asarray(picture, np.float32)
    top = float(values.max(initial=1.0))
    if picture.mode.startswith("I") and top > 255:
        top = max(top, 65535.0)
    scaled = np.clip(values * (255 / max(top, 255.0)), 0, 255)
    return Image.fromarray(scaled.round().astype(np.uint8))


def _small(picture: Image) -> Image:
    if max(picture.size) > SIDE:
        picture.thumbnail((SIDE, SIDE))
    return picture


def _check_bytes(source: str | Path | bytes, called: str) -> None:
    if isinstance(source, bytes):
        size = len(source)
    else:
        try:
            size = Path(source).stat().st_size
        except OSError as error:
            raise _unreadable(called, error.strerror or "no such file") from None
    if size > MAX_BYTES:
        raise DataError(
            f"{called} has {size / 1e6:.0f} MB; a picture may have {MAX_BYTES / 1e6:.0f}.",
            hint="Save it smaller, for instance as a JPEG.",
        )


def _check_pixels(picture: Image, called: str) -> None:
    if picture.size[0] * picture.size[1] > MAX_PIXELS:
        raise _too_large(called)


def _too_large(called: str) -> DataError:
    return DataError(
        f"{called} has more than {MAX_PIXELS // 1_000_000} million pixels.",
        hint="Scale it down; one of 1,024 pixels a side is enough.",
    )


def _unreadable(called: str, why: str) -> DataError:
    return DataError(
        f"{called} cannot be opened as a picture ({why}).",
        hint="Save it again as PNG, JPEG, WebP or GIF.",
    )


@contextmanager
def _bounded() -> Iterator[None]:
    """Pillow's warning about large pictures is ours to give, as an error of our own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
