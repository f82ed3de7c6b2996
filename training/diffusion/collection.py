"""Which pictures a run learns, and which combinations of known things it never sees.

One of each group, spread over the kinds, the plainly named first; or all of every group, but of
each with several details ("waving hand with dark skin tone") one detail, to ask for later.

Legend: n pictures.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from training.shared.captioned import Pictures

LEFT_OUT = ("Component",)  # categories of parts, not pictures of something
JOINT = " with "  # between a thing and its detail
MIN_DETAILS = 3  # of a thing, for one of them to be held out


@dataclass(frozen=True)
class Combination:
    """A picture that is not learnt, though its thing and its detail are, apart."""

    row: int
    rivals: tuple[str, ...]  # captions of the same thing with every other detail, and without any


@dataclass(frozen=True)
class Selection:
    """Places of what is learnt and of what is not."""

    learnt: list[int]
    kept_back: list[int] = field(default_factory=list)
    held_out: list[Combination] = field(default_factory=list)  # of those one a group


def selected(pictures: Pictures, *, count: int | None, variants: bool) -> Selection:
    """`count` pictures of different groups (None: of every group), or with `variants` all of them.

    With variants one detail of every thing that has several is kept back, each time another one,
    and its main thing with that detail is to be asked for.
    """
    return _with_variants(pictures) if variants else Selection(chosen(pictures, count))


def chosen(pictures: Pictures, count: int | None) -> list[int]:
    """Places of `count` pictures (None: one of every group), in the order of the data.

    They are taken by turns from the subgroups of the categories (without any from the categories),
    and there those whose caption has the fewest words come first: "rat" before "water buffalo".
    """
    rows = [row for row in pictures.firsts() if pictures.categories[row] not in LEFT_OUT]
    if count is None or count >= len(rows):
        return rows
    queues: dict[tuple[str, str], list[int]] = {}
    for row in sorted(rows, key=lambda row: (_words(pictures, row), row)):
        kind = (pictures.categories[row], pictures.subgroups[row] if pictures.subgroups else "")
        queues.setdefault(kind, []).append(row)
    return sorted(_by_turns([queues[kind] for kind in sorted(queues)], count))


def _with_variants(pictures: Pictures) -> Selection:
    members: dict[str, list[int]] = {}
    for row in chosen(pictures, None):
        members[pictures.groups[row]] = []
    for row, group in enumerate(pictures.groups):
        if group in members:
            members[group].append(row)
    kept_back: set[int] = set()
    held_out: list[Combination] = []
    for rows in members.values():
        detailed = _detailed(pictures, rows)
        thing = min((pictures.captions[row][0] for row in rows), key=len)
        own = {detail: row for row, (name, detail) in detailed.items() if name == thing}
        if len(own) < MIN_DETAILS:
            continue
        detail = sorted(own)[len(held_out) % len(own)]
        kept_back.update(row for row, (_, found) in detailed.items() if detail in found)
        others = [pictures.captions[row][0] for other, row in own.items() if other != detail]
        held_out.append(Combination(own[detail], (thing, *others)))
    learnt = [row for rows in members.values() for row in rows if row not in kept_back]
    return Selection(sorted(learnt), sorted(kept_back), held_out)


def slots(pictures: Pictures) -> list[list[int]]:
    """What one pass over the pictures goes through, a picture of each: a group's first; the others.

    So a thing with a hundred variants is seen as often as one with two.
    """
    firsts = pictures.firsts()
    others: dict[str, list[int]] = {}
    for row in sorted(set(range(len(pictures))) - set(firsts)):
        others.setdefault(pictures.groups[row], []).append(row)
    return [[row] for row in firsts] + list(others.values())


def _detailed(pictures: Pictures, rows: list[int]) -> dict[int, tuple[str, str]]:
    """Row → (thing, detail) of those whose thing is there without a detail, too."""
    plain = {pictures.captions[row][0] for row in rows}
    split = {row: pictures.captions[row][0].rpartition(JOINT) for row in rows}
    return {row: (thing, detail) for row, (thing, _, detail) in split.items() if thing in plain}


def _by_turns(queues: list[list[int]], count: int) -> list[int]:
    taken: list[int] = []
    turn = 0
    while len(taken) < count:
        taken += [queue[turn] for queue in queues if turn < len(queue)]
        turn += 1
    return taken[:count]


def _words(pictures: Pictures, row: int) -> int:
    return len(pictures.captions[row][0].split())
