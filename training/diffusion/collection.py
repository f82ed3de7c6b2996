"""Which pictures a run learns: one of each group, spread over the kinds, the plainly named first.

Legend: n pictures.
"""

from __future__ import annotations

from training.shared.captioned import Pictures

LEFT_OUT = ("Component",)  # categories of parts, not pictures of something


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


def _by_turns(queues: list[list[int]], count: int) -> list[int]:
    taken: list[int] = []
    turn = 0
    while len(taken) < count:
        taken += [queue[turn] for queue in queues if turn < len(queue)]
        turn += 1
    return taken[:count]


def _words(pictures: Pictures, row: int) -> int:
    return len(pictures.captions[row][0].split())
