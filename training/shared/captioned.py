"""Pictures with captions: from a Hub data set, or from a folder of pictures with metadata.jsonl.

corpus = load_pictures("twemoji-captions", hub=hub, size=64)
corpus.train.rgba             # (n, 64, 64, 4) uint8
corpus.train.captions[0]      # ("red apple", "apple", …): texts that fit, the caption first
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hub_utils.errors import DataError
from training.shared.datasets import TEST_SPLITS, pull_dataset, splits_of
from training.shared.images import open_rgba, resized

if TYPE_CHECKING:
    from hub_utils.connection import Hub

CAPTION_COLUMNS = ("caption", "text", "description", "title", "label_text")
GROUP_COLUMNS = ("base_emoji", "group")  # pictures of one group are all trained on, or none
HELD_OUT_SHARE = 0.1
KINDS = "pictures in a column `image` and texts in a column `caption` or `text`"


@dataclass(frozen=True)
class Pictures:
    """n pictures and what is known of each."""

    rgba: np.ndarray  # (n, size, size, 4) uint8
    captions: tuple[tuple[str, ...], ...]  # of each picture, the caption first
    categories: tuple[str, ...]  # "" where there is none
    groups: tuple[str, ...]
    subgroups: tuple[str, ...] = ()  # finer than categories; () where the data has none

    def __len__(self) -> int:
        return len(self.captions)

    def take(self, rows: Sequence[int]) -> Pictures:
        """The pictures at these places."""
        return Pictures(
            self.rgba[list(rows)],
            tuple(self.captions[row] for row in rows),
            tuple(self.categories[row] for row in rows),
            tuple(self.groups[row] for row in rows),
            tuple(self.subgroups[row] for row in rows) if self.subgroups else (),
        )

    def without(self, rows: Sequence[int]) -> Pictures:
        """All but the pictures at these places."""
        gone = set(rows)
        return self.take([row for row in range(len(self)) if row not in gone])

    def firsts(self) -> list[int]:
        """The place of the first picture of each group: a base emoji without skin tones."""
        found: dict[str, int] = {}
        for row, group in enumerate(self.groups):
            best = found.get(group)
            if best is None or len(self.captions[row][0]) < len(self.captions[best][0]):
                found[group] = row
        return sorted(found.values())


@dataclass(frozen=True)
class PictureCorpus:
    """What a run learns from and what it is measured on."""

    train: Pictures
    held_out: Pictures
    name: str  # Hub id, or the folder's name
    revision: str | None  # of the Hub data set
    held_out_name: str  # for people

    @property
    def license(self) -> str:
        """Of the pictures, as the Hub names licences."""
        return "cc-by-4.0" if self._is_twemoji else "other"

    @property
    def credit(self) -> str:
        """Whose pictures these are, for a card."""
        drawn = " The pictures are Twemoji, CC-BY 4.0, © Twitter, Inc. and other contributors."
        return f"data `{self.name}`, see its card.{drawn if self._is_twemoji else ''}"

    @property
    def _is_twemoji(self) -> bool:
        return self.revision is not None and self.name.endswith("/twemoji-captions")

    @property
    def all(self) -> Pictures:
        """Both parts, the training part first."""
        one, two = self.train, self.held_out
        return Pictures(
            np.concatenate([one.rgba, two.rgba]),
            one.captions + two.captions,
            one.categories + two.categories,
            one.groups + two.groups,
            one.subgroups + two.subgroups if one.subgroups and two.subgroups else (),
        )


def load_pictures(
    data: str,
    *,
    hub: Hub | None,
    size: int,
    eval_data: str | None = None,
    image_column: str | None = None,
    caption_column: str | None = None,
    seed: int = 0,
) -> PictureCorpus:
    """Read `data`: a Hub id or a folder. size: pixels a side. Raises DataError."""
    splits, name, revision = _splits(data, hub)
    columns = (image_column, caption_column)
    train = _pictures(splits.get("train", next(iter(splits.values()))), name, size, columns)
    if eval_data is not None:
        others, other_name, _ = _splits(eval_data, hub)
        rows = next((others[n] for n in (*TEST_SPLITS, *others) if n in others), None)
        held_out = _pictures(rows, other_name, size, columns)
        return PictureCorpus(train, held_out, name, revision, other_name)
    test = next((n for n in TEST_SPLITS if n in splits), None)
    if test is not None:
        held_out = _pictures(splits[test], name, size, columns)
        return PictureCorpus(train, held_out, name, revision, f"the {test} split")
    return _divided(train, name, revision, seed)


def _splits(data: str, hub: Hub | None) -> tuple[dict[str, Any], str, str | None]:
    if Path(data).is_dir():
        return splits_of(Path(data), source=Path(data).name, kinds=KINDS), Path(data).name, None
    if Path(data).exists():
        raise DataError(
            f"{Path(data).name} is a file; pictures come in a folder.",
            hint="Give the folder, with a metadata.jsonl of file_name and caption.",
        )
    if hub is None:
        raise DataError(f"There is no folder {data!r}.", hint="Give a folder or a Hub id.")
    pulled = pull_dataset(data, hub=hub, otherwise="give a folder of pictures with metadata.jsonl")
    name = str(pulled.repo)
    return splits_of(pulled.folder, source=name, kinds=KINDS), name, pulled.revision


def _pictures(rows: Any, name: str, size: int, columns: tuple[str | None, str | None]) -> Pictures:
    from datasets import Image

    names = list(rows.column_names)
    image = _column(columns[0], ("image",), names, name, "--image-column")
    caption = _column(columns[1], CAPTION_COLUMNS, names, name, "--caption-column")
    rows = rows.cast_column(image, Image(decode=False))
    group = next((column for column in GROUP_COLUMNS if column in names), None)
    rgba = np.empty((len(rows), size, size, 4), np.uint8)
    captions, categories, groups = [], [], []
    subgroups = tuple(map(str, rows["subgroup"])) if "subgroup" in names else ()
    for number, row in enumerate(rows):
        where = f"Picture {number} of {name}"
        content = row[image]["bytes"] or Path(row[image]["path"]).read_bytes()
        rgba[number] = np.asarray(resized(open_rgba(content, name=where), size))
        captions.append(_texts(row, caption, where))
        categories.append(str(row.get("category") or ""))
        groups.append(str(row[group]) if group else str(number))
    if not captions:
        raise DataError(f"{name} has no pictures.", hint=f"It must hold {KINDS}.")
    return Pictures(rgba, tuple(captions), tuple(categories), tuple(groups), subgroups)


def _texts(row: dict[str, Any], caption: str, where: str) -> tuple[str, ...]:
    first = " ".join(str(row[caption] or "").split())
    if not first:
        raise DataError(f"{where} has no caption.", hint="Write one, or leave the row out.")
    others = [row.get("name"), *(row.get("aliases") or ())]
    return tuple(dict.fromkeys([first, *(str(text) for text in others if text)]))


def _column(
    given: str | None, usual: Sequence[str], names: Sequence[str], source: str, option: str
) -> str:
    wanted = [given] if given else usual
    for column in wanted:
        if column in names:
            return column
    raise DataError(
        f"{source} has no column {' or '.join(map(repr, wanted))}; it has {', '.join(names)}.",
        hint=f"Name it with {option}.",
    )


def _divided(whole: Pictures, name: str, revision: str | None, seed: int) -> PictureCorpus:
    """A random tenth of the groups held out."""
    groups = sorted(set(whole.groups))
    if len(groups) < 2:
        raise DataError(
            f"{name} has {len(whole)} picture; some must be held out.", hint="Give at least two."
        )
    random.Random(seed).shuffle(groups)  # noqa: S311 - a seeded order, no secret
    kept_back = set(groups[: max(1, round(HELD_OUT_SHARE * len(groups)))])
    held_out = [row for row, group in enumerate(whole.groups) if group in kept_back]
    train = [row for row, group in enumerate(whole.groups) if group not in kept_back]
    return PictureCorpus(
        whole.take(train), whole.take(held_out), name, revision, f"a random tenth (seed {seed})"
    )
