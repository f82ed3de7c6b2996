"""Near-copies among hits: the best of them stays and carries the others' ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from training.index.stores.base import Rows, Vectors

SAME_COSINE = 0.98  # from here on two passages say the same


@dataclass
class Group:
    """A row and the rows that are near-copies of it, best first."""

    row: int
    copies: list[int] = field(default_factory=list)


def fold(rows: Rows, vectors: Vectors, hashes: Sequence[str | None]) -> list[Group]:
    """Group ranked rows: equal text hash, or a cosine of SAME_COSINE or more to the first.

    vectors: (len(rows), d) of these rows, of length one. A row joins the best group that has it.
    """
    import numpy as np

    wide = np.asarray(vectors, np.float32)
    near = wide @ wide.T >= SAME_COSINE  # (r, r)
    groups: list[Group] = []
    leaders: list[int] = []  # places of the groups' rows
    for place, row in enumerate(rows.tolist()):
        same = (
            number
            for number, leader in enumerate(leaders)
            if near[place, leader] or (hashes[place] and hashes[place] == hashes[leader])
        )
        number = next(same, None)
        if number is None:
            groups.append(Group(row))
            leaders.append(place)
        else:
            groups[number].copies.append(row)
    return groups


def unfolded(rows: Rows) -> list[Group]:
    """Every row by itself."""
    return [Group(row) for row in rows.tolist()]
