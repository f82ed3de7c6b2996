"""Many callers at once, one piece of work: who comes while a batch runs is served by the next.

Sixteen queries encoded together cost far less than sixteen times one, and nobody waits for a
clock: a lone caller is served at once. No thread of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Condition
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batcher(Generic[Item, Result]):
    """Calls `work` with the items of all callers that wait, at most `limit` together."""

    def __init__(self, work: Callable[[list[Item]], Sequence[Result]], *, limit: int = 32) -> None:
        self._work, self._limit = work, limit
        self._waiting: list[_Entry[Item, Result]] = []
        self._turn = Condition()
        self._busy = False

    def __call__(self, item: Item) -> Result:
        """The result of one item. What `work` raises, every caller of that batch gets."""
        entry: _Entry[Item, Result] = _Entry(item)
        with self._turn:
            self._waiting.append(entry)
        while True:
            with self._turn:
                self._turn.wait_for(lambda: entry.done or not self._busy)
                if entry.done:
                    return entry.outcome()
                batch, self._waiting = self._waiting[: self._limit], self._waiting[self._limit :]
                self._busy = True
            try:
                self._serve(batch)
            finally:
                with self._turn:
                    self._busy = False
                    self._turn.notify_all()

    def _serve(self, batch: list[_Entry[Item, Result]]) -> None:
        try:
            results = self._work([entry.item for entry in batch])
            for entry, result in zip(batch, results, strict=True):
                entry.result = result
        except BaseException as error:
            for entry in batch:
                entry.error = error
        for entry in batch:
            entry.done = True


class _Entry(Generic[Item, Result]):
    """A caller's item and what came of it."""

    def __init__(self, item: Item) -> None:
        self.item = item
        self.done = False
        self.result: Result | None = None
        self.error: BaseException | None = None

    def outcome(self) -> Result:
        if self.error is not None:
            raise self.error
        return self.result  # type: ignore[return-value]
