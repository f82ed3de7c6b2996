"""What the Generate tab does, without its layout: continue a prompt in one or several lanes.

Lanes share the prompt and the seed; they differ in temperature, or in whether the cache is used.
They take turns by the time each has had, so what is slow is seen to be slow.
"""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tabs.i18n import PageError
from tabs.model_slot import Served

if TYPE_CHECKING:
    from training.gpt.inference import Step, Stream, TextGenerator

MAX_CHARACTERS = 50_000
MAX_NEW_TOKENS = 1_000
MAX_TEMPERATURE = 5.0
MAX_TOP_K = 1_000_000
SEED_BITS = 31
UPDATE_S = 1 / 15  # between two looks at what is there: nobody reads faster


@dataclass(frozen=True)
class Ask:
    """What is asked for."""

    prompt: str
    max_new_tokens: int
    temperature: float  # 0: always the likeliest token
    top_k: int  # 0: no limit
    top_p: float  # 1: no limit
    seed: int


@dataclass(frozen=True)
class Lane:
    """One way to continue the prompt."""

    temperature: float
    use_cache: bool = True


@dataclass
class Run:
    """A lane at work."""

    lane: Lane
    stream: Stream
    steps: list[Step] = field(default_factory=list)
    seconds: float = 0.0  # that the model worked for this lane
    ended: bool = False

    @property
    def tokens_per_second(self) -> float:
        """So far, the reading of the prompt included."""
        return len(self.steps) / self.seconds if self.seconds else 0.0

    @property
    def text(self) -> str:
        """The continuation so far."""
        return "".join(step.text for step in self.steps)

    def advance(self) -> None:
        """Make one token, or find that there are no more."""
        began = time.perf_counter()
        step = next(self.stream, None)
        self.seconds += time.perf_counter() - began
        if step is None:
            self.ended = True
        else:
            self.steps.append(step)


@dataclass(frozen=True)
class Gain:
    """What the cache saved, in one race."""

    cached: float  # tokens per second
    uncached: float
    same: bool  # whether both made the same tokens, as far as both came

    @property
    def times(self) -> float:
        """How many times as fast."""
        return self.cached / self.uncached


def asked(
    prompt: str,
    max_new_tokens: Any,
    temperature: Any,
    top_k: Any,
    top_p: Any,
    seed: Any,
) -> Ask:
    """A checked wish; without a seed one is drawn. PageError for what cannot be done."""
    if not (prompt or "").strip():
        raise PageError("generate.empty")
    if len(prompt) > MAX_CHARACTERS:
        raise PageError("generate.too_long", given=len(prompt), limit=MAX_CHARACTERS)
    if seed in (None, ""):
        seed = secrets.randbits(SEED_BITS)
    return Ask(
        prompt,
        max_new_tokens=int(_within("max_new_tokens", max_new_tokens, 1, MAX_NEW_TOKENS)),
        temperature=_within("temperature", temperature, 0, MAX_TEMPERATURE),
        top_k=int(_within("top_k", top_k or 0, 0, MAX_TOP_K)),
        top_p=_within("top_p", top_p, 0.01, 1),
        seed=int(_within("seed", seed, 0, 2**63 - 1)),
    )


def _within(name: str, value: Any, low: float, high: float) -> Any:
    if not isinstance(value, (int, float)) or not low <= value <= high:
        raise PageError("generate.range", name=name, given=value, low=low, high=high)
    return value


def lanes_of(ask: Ask, *, second: float | None = None, no_cache: bool = False) -> list[Lane]:
    """The lanes: the first as asked, then one at a `second` temperature, then one uncached."""
    lanes = [Lane(ask.temperature)]
    if second is not None:
        lanes.append(Lane(_within("temperature", second, 0, MAX_TEMPERATURE)))
    if no_cache:
        lanes.append(Lane(ask.temperature, use_cache=False))
    return lanes


def begin(served: Served[TextGenerator], ask: Ask, lanes: Sequence[Lane]) -> list[Run]:
    """A run for each lane; nothing is computed yet."""
    return [
        Run(
            lane,
            served.model.stream(
                ask.prompt,
                ask.max_new_tokens,
                use_cache=lane.use_cache,
                temperature=lane.temperature,
                top_k=ask.top_k or None,
                top_p=ask.top_p,
                seed=ask.seed,
            ),
        )
        for lane in lanes
    ]


def race(
    runs: Sequence[Run],
    *,
    stopped: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[None]:
    """Advance the runs and come up for air after the first token, then every UPDATE_S.

    The last time is when all is done, or `stopped`; leaving early closes the runs.
    """
    told = -math.inf
    try:
        while (run := _next(runs)) is not None and not stopped():
            run.advance()
            if clock() - told >= UPDATE_S:
                told = clock()
                yield
    finally:
        for run in runs:
            run.stream.close()
    yield


def _next(runs: Sequence[Run]) -> Run | None:
    """The run that has had the least time."""
    return min((run for run in runs if not run.ended), key=lambda run: run.seconds, default=None)


def gain(runs: Sequence[Run]) -> Gain | None:
    """What the cache saved, if a lane ran without it."""
    slow = next((run for run in runs if not run.lane.use_cache), None)
    fast = runs[0]
    if slow is None or not slow.steps or not fast.steps:
        return None
    pairs = zip(fast.steps, slow.steps, strict=False)
    same = all(one.id == other.id for one, other in pairs)
    return Gain(fast.tokens_per_second, slow.tokens_per_second, same)
