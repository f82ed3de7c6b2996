"""Pictures that anybody may have made open the same way, or are refused with a sentence."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hub_utils.errors import DataError
from training.shared.images import MAX_PIXELS, SIDE, on_background, open_image, open_rgba, resized


def encoded(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    content = io.BytesIO()
    picture.save(content, kind, **options)
    return content.getvalue()


def red(mode: str = "RGB", size: tuple[int, int] = (40, 20)) -> Image.Image:
    return Image.new("RGB", size, (255, 0, 0)).convert(mode)


@pytest.mark.parametrize(
    "content",
    [
        encoded(red("P")),
        encoded(red("CMYK"), "TIFF"),
        encoded(red("CMYK"), "JPEG", quality=95),
        encoded(red("RGBA")),
        encoded(red(), "GIF", save_all=True, append_images=[Image.new("RGB", (40, 20), "blue")]),
        encoded(red(), "WEBP", lossless=True),
    ],
    ids=["palette", "cmyk tiff", "cmyk jpeg", "rgba", "animated gif", "webp"],
)
def test_every_kind_becomes_rgb_as_people_see_it(content: bytes) -> None:
    picture = open_image(content)
    assert (picture.mode, picture.size) == ("RGB", (40, 20))
    pixel = picture.getpixel((10, 10))
    assert pixel[0] > 230
    assert max(pixel[1:]) < 40


def test_sixteen_bits_are_scaled_not_cut() -> None:
    grey = Image.fromarray(np.full((8, 8), 0x8000, np.uint16))
    assert open_image(encoded(grey)).getpixel((4, 4)) == pytest.approx((128,) * 3, abs=1)


def test_transparent_parts_are_white() -> None:
    assert open_image(encoded(Image.new("RGBA", (4, 4), (0, 0, 0, 0)))).getpixel((1, 1)) == (
        255,
        255,
        255,
    )


def test_a_photo_is_turned_upright_and_made_small() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # lying on its side
    wide = encoded(red(size=(3000, 1500)), "JPEG", exif=exif)
    picture = open_image(wide)
    assert picture.size[1] == SIDE
    assert picture.size[0] == pytest.approx(SIDE // 2, abs=2)


def test_a_forty_megapixel_photo_opens_and_a_bomb_does_not() -> None:
    assert max(open_image(encoded(Image.new("L", (8000, 5000)))).size) == SIDE
    with pytest.raises(DataError, match=r"bomb\.png has more than 50 million pixels"):
        open_image(bomb(), name="bomb.png")


def bomb() -> bytes:
    """A few bytes that claim a picture of 60,000 pixels a side."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    assert MAX_PIXELS < 60_000**2
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0"))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    "content",
    [
        b"just words",
        b"",
        encoded(red(size=(300, 300)), "JPEG")[:400],
        encoded(red(size=(300, 300)))[:200],
    ],
    ids=["a text named .png", "empty", "truncated jpeg", "truncated png"],
)
def test_what_is_no_picture_is_refused_in_a_sentence(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "holiday.png"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"holiday\.png cannot be opened as a picture"):
        open_image(path)


def test_a_missing_file_is_named() -> None:
    with pytest.raises(DataError, match=r"gone\.png"):
        open_image("/nowhere/gone.png")


def test_resizing_keeps_the_shape_and_no_colour_bleeds_from_invisible_pixels() -> None:
    picture = Image.new("RGBA", (40, 20), (0, 255, 0, 0))
    picture.paste((255, 0, 0, 255), (0, 0, 20, 20))
    small = resized(open_rgba(encoded(picture)), 16)
    pixels = np.asarray(on_background(small, (255, 255, 255)))
    assert small.size == (16, 16)
    assert (pixels[:4] == 255).all()
    assert (pixels[12:] == 255).all()
    assert pixels[8, 2].tolist() == [255, 0, 0]
    assert not ((pixels[..., 1] > pixels[..., 0]).any())
