"""Guess several tokens cheaply, check them in one exact pass: the same text, sooner.

Reading several tokens at once costs little more than reading one, because weights are loaded once.
Two ways to guess: what followed the last few tokens earlier in the text (free), and the model
itself with 8-bit weights (a quarter of the memory traffic). It works on the exact model's cache,
and what it writes there is overwritten when the guess is checked. A guess is chosen with the same
randomness as the token itself, so sampling guesses as well as greedy decoding does.

How many tokens to guess follows from the share of guesses that held so far and from the times
that were measured when the model was loaded. The text depends on neither.
Source: Leviathan et al. 2022, https://arxiv.org/abs/2211.17192.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from training.gpt.sampling import Sampling, choose

if TYPE_CHECKING:
    from training.gpt.decoding import Network
    from training.gpt.engine import Engine
    from training.gpt.generation import Window

MOST_DRAFTED, MOST_REPEATED = 8, 15  # tokens guessed at once
NGRAM = 3  # tokens that must have occurred before
_MEMORY = 0.9  # how much of the share that held is kept at each new guess


@dataclass(frozen=True)
class Pace:
    """Seconds, measured on this machine."""

    token: float  # reading one token
    row: float  # each further token read with it
    draft: float  # guessing one token


class Drafts:
    """The guesses of one text."""

    def __init__(self, engine: Engine) -> None:
        self._draft = engine.draft
        self._pays, self._pace = engine.pace is not None, engine.pace or Pace(1.0, 1.0, 1.0)
        self._held = {"repeated": 0.6, "drafted": 0.9}  # shares of guesses that held
        self._guesses: dict[str, list[int]] = {}
        self._at = 0  # where in the text they were made

    def propose(self, cache: Any, window: Window, sampling: Sampling, *, most: int) -> list[int]:
        """Tokens that may come next, at most `most`; none where guessing does not pay."""
        if not self._pays or most < 1:
            return []
        again = repeated(window.ids, window.start, min(most, MOST_REPEATED))
        self._guesses, self._at = {"repeated": again}, len(window.ids)
        count = self._best_count(min(most, MOST_DRAFTED))
        rate = self._rate("drafted", count)
        if self._rate("repeated", len(again)) > max(rate, 1 / self._pace.token):
            return again
        if self._draft is None or rate <= 1 / self._pace.token:
            self._held["drafted"] += 0.01  # one unlucky stretch does not end it for good
            return []
        guess = drafted(self._draft, cache, window, sampling, count)
        self._guesses["drafted"] = guess
        return guess

    def learn(self, ids: Sequence[int]) -> None:
        """Compare the guesses, also one that was not used, with what has come."""
        for kind, guess in self._guesses.items():
            for token, guessed in zip(ids[self._at :], guess, strict=False):
                held = token == guessed
                self._held[kind] = _MEMORY * self._held[kind] + (1 - _MEMORY) * held
                if not held:
                    break

    def _best_count(self, most: int) -> int:
        return max(range(1, most + 1), key=lambda count: self._rate("drafted", count))

    def _rate(self, kind: str, count: int) -> float:
        """Tokens a second to expect with `count` guesses."""
        share = min(self._held[kind], 0.995)
        cost = self._pace.draft if kind == "drafted" else 0.0
        seconds = self._pace.token + count * (self._pace.row + cost)
        return (1 - share ** (count + 1)) / (1 - share) / seconds


def drafted(
    draft: Network, cache: Any, window: Window, sampling: Sampling, count: int
) -> list[int]:
    """`count` tokens as the draft would go on, fewer where it ends the text."""
    read = window.ids[window.start :]
    guess: list[int] = []
    for n in range(count):
        rows = draft.read(cache, read[-1:], slot=0, start=window.cached + n, all=False)
        guess.append(choose(rows[0], read, window.new + n, sampling))
        if guess[-1] in draft.weights.ends:
            break
        read.append(guess[-1])
    return guess


def repeated(ids: Sequence[int], start: int, most: int) -> list[int]:
    """What followed the last time that the last `NGRAM` tokens stood at `start` or later."""
    end = list(ids[-NGRAM:])
    for place in range(len(ids) - NGRAM - 1, start - 1, -1):
        if ids[place] == end[0] and list(ids[place : place + NGRAM]) == end:
            return _unrolled(ids[place + NGRAM :], most)
    return []


def _unrolled(following: Sequence[int], most: int) -> list[int]:
    """`most` tokens; what follows goes round where it ends: it is then a loop."""
    return [following[n % len(following)] for n in range(most)]
