"""The loop that continues texts: read, choose, append, until the end.

The context is a window. A prompt longer than it is cut from the left. When generation fills it,
the window moves on by half: its second half is read again as if it were the prompt, so tokens are
again at the positions that the model knows. With and without a cache the windows are the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from torch import Tensor

from training.gpt.decoding import Network
from training.gpt.sampling import Sampling, choose
from training.gpt.speculation import Drafts

if TYPE_CHECKING:
    from training.gpt.engine import Engine


@dataclass
class Window:
    """The tokens of one text and how many of them are cached."""

    ids: list[int]
    context: int
    start: int = 0  # the first token that the model still sees
    cached: int = 0  # tokens of the window whose keys and values are in the cache
    new: int = 0  # tokens generated so far
    cut: int = field(default=0)  # tokens of the prompt that never were in the window

    def __post_init__(self) -> None:
        """Cut the prompt."""
        self.start = self.cut = max(0, len(self.ids) - self.context)

    def append(self, token: int) -> None:
        """Add a generated token; move the window when it is over-full."""
        self.ids.append(token)
        self.new += 1
        if len(self.ids) - self.start > self.context:
            self.start = len(self.ids) - max(1, self.context // 2)
            self.cached = 0

    @property
    def unread(self) -> list[int]:
        """Tokens of the window that are not in the cache."""
        return self.ids[self.start + self.cached :]

    @property
    def room(self) -> int:
        """How many more tokens fit before the window moves."""
        return self.context - (len(self.ids) - self.start)


def continued(
    engine: Engine, window: Window, sampling: Sampling, *, count: int, use_cache: bool
) -> Iterator[tuple[int, Tensor]]:
    """Up to `count` new tokens, each with the logits (v,) that it was chosen from."""
    network = engine.network
    cache = new_cache(network, window, count)
    drafts = Drafts(engine) if use_cache else None
    while window.new < count:
        if not use_cache:
            window.cached = 0
        guess: list[int] = []
        if drafts is not None and len(window.unread) == 1:
            most = min(window.room, count - window.new - 1)
            guess = drafts.propose(cache, window, sampling, most=most)
        for token, logits in _accepted(network, cache, window, sampling, guess):
            yield token, logits
            if token in network.weights.ends:
                return
        if drafts is not None:
            drafts.learn(window.ids)


def _accepted(
    network: Network, cache: Any, window: Window, sampling: Sampling, guess: list[int]
) -> Iterator[tuple[int, Tensor]]:
    """The next token, and those after it for as long as the guess was right.

    One pass reads the guess as if it were the text. Each token is then chosen exactly as it would
    have been alone; where it differs from the guess, what was read behind it is forgotten.
    """
    before = window.cached
    unread = window.unread
    rows = network.read(cache, unread + guess, slot=0, start=before, all=bool(guess))
    for n, logits in enumerate(rows):
        token = choose(logits, window.ids[window.start :], window.new, sampling)
        window.cached = before + len(unread) + n
        window.append(token)
        yield token, logits
        if n < len(guess) and token != guess[n]:
            return


def continued_together(
    network: Network, windows: Sequence[Window], samplings: Sequence[Sampling], *, count: int
) -> Iterator[list[int | None]]:
    """One token for every text at a time; None for texts that have ended."""
    length = max(room_needed(window, count) for window in windows)
    cache = network.new_cache(slots=len(windows), length=length)
    active = list(range(len(windows)))
    while active:
        logits = _next_logits(network, cache, {slot: windows[slot] for slot in active})
        tokens: list[int | None] = [None] * len(windows)
        for slot in active:
            window = windows[slot]
            read = window.ids[window.start :]
            token = choose(logits[slot], read, window.new, samplings[slot])
            window.append(token)
            tokens[slot] = token
        yield tokens
        active = [
            slot
            for slot in active
            if windows[slot].new < count and tokens[slot] not in network.weights.ends
        ]


def _next_logits(network: Network, cache: Any, windows: dict[int, Window]) -> dict[int, Tensor]:
    """Logits after each text: whole prompts one by one, single tokens all at once."""
    long = [slot for slot, window in windows.items() if len(window.unread) != 1]
    logits = {slot: read_on(network, cache, windows[slot], slot=slot) for slot in long}
    short = [slot for slot in windows if slot not in logits]
    if short:
        ids = [windows[slot].unread[0] for slot in short]
        starts = [windows[slot].cached for slot in short]
        rows = network.step(cache, ids, slots=short, starts=starts)
        logits |= dict(zip(short, rows, strict=True))
        for slot in short:
            windows[slot].cached += 1
    return logits


def read_on(network: Network, cache: Any, window: Window, *, slot: int) -> Tensor:
    """Read what is unread; logits (v,) after the last token."""
    ids = window.unread
    logits = network.read(cache, ids, slot=slot, start=window.cached, all=False)
    window.cached += len(ids)
    return logits[-1]


def new_cache(network: Network, window: Window, count: int) -> Any:
    """A cache for one text."""
    return network.new_cache(slots=1, length=room_needed(window, count))


def room_needed(window: Window, count: int) -> int:
    """Length of a cache that holds the text and `count` more tokens, within the context."""
    return min(window.context, len(window.ids) - window.start + count)
