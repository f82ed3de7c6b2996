"""Continue texts with a published language model, token by token, fast.

writer = load("lab/fairy-tale-gpt")
for step in writer.stream("Once upon a time", 200, temperature=0.8, seed=1):
    print(step.text, end="")
list(writer.generate(ids, 400))    # token ids; temperature 0 is greedy

One seed gives one text: with and without the cache, alone or in a batch, guessed ahead or not. The
seed of text i of a batch is `seed` + i. Where compiled kernels decode (see `engine`), logits are
the same to the last bit in all these ways; plain torch rounds differently by a few units in the
last place, so there the tokens are the same except where two are as good as tied.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from hub_utils.errors import LabError
from hub_utils.origin import Origin, find_model
from hub_utils.pull import Pulled

if TYPE_CHECKING:
    from torch import Tensor

    from training.gpt.engine import Engine, Precision
    from training.gpt.generation import Window
    from training.gpt.sampling import Sampling

CANDIDATES = 10


@dataclass(frozen=True)
class Step:
    """One generated token."""

    id: int
    text: str  # what can be printed now; empty in the middle of a character
    probability: float  # of this token under the model, before temperature and filters
    candidates: tuple[tuple[str, float], ...]  # the likeliest tokens and their probabilities
    tokens_per_second: float  # since the start, the reading of the prompt included


class Continuation(Iterator[int]):
    """New tokens, as they are made. `close` stops at once.

    cut: how many tokens of the prompt were left out at its left, being more than the context.
    """

    def __init__(self, tokens: Iterator[tuple[int, Tensor]], *, cut: int) -> None:
        self.cut = cut
        self._tokens: Any = tokens

    def __next__(self) -> int:
        """The next token."""
        return int(next(self._tokens)[0])

    def close(self) -> None:
        """End it; nothing more is computed."""
        self._tokens.close()


class Stream(Iterator[Step]):
    """Steps, as they are made. `close` stops at once; `cut` as in `Continuation`."""

    def __init__(self, steps: Iterator[Step], *, cut: int) -> None:
        self.cut = cut
        self._steps: Any = steps

    def __next__(self) -> Step:
        """The next step."""
        step: Step = next(self._steps)
        return step

    def close(self) -> None:
        """End it; nothing more is computed."""
        self._steps.close()


class TextGenerator:
    """A loaded language model. Safe to use from several threads: each call has its own cache."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        repo: str,
        revision: str | None,
        away: bool = False,
        precision: Precision = "float32",
    ) -> None:
        from training.gpt.engine import plain_engine
        from training.gpt.weights import read_weights

        self.repo, self.revision, self.away = repo, revision, away
        self.config = model.config
        self.tokenizer = tokenizer
        self.weights = read_weights(model)
        self._engine = plain_engine(self.weights)
        self._faster = Thread(target=self._speed_up, args=(precision,), daemon=True)
        self._faster.start()

    @property
    def context(self) -> int:
        """How many tokens the model sees at once."""
        return self.weights.context

    @property
    def parameters(self) -> int:
        """How many weights the model has."""
        return self.weights.parameters

    @property
    def engine(self) -> Engine:
        """What decodes now; calls that have begun keep theirs."""
        return self._engine

    def prepare(self, seconds: float | None = None) -> Engine:
        """Wait, at most `seconds`, until the fastest engine has been found."""
        self._faster.join(seconds)
        return self._engine

    def _speed_up(self, precision: Precision) -> None:
        from training.gpt.engine import compiled_engine

        self._engine = compiled_engine(self.weights, precision) or self._engine

    def generate(
        self,
        ids: Sequence[int],
        max_new_tokens: int,
        *,
        stop: Sequence[str] = (),
        use_cache: bool = True,
        **sampling: Any,
    ) -> Continuation:
        """New token ids, one at a time; a token that ends the text is the last one.

        sampling: temperature (0, the default, is greedy), top_k, top_p, min_p,
        repetition_penalty, seed (None: a new one each time).
        stop: the tokens end with the one that completes one of these words.
        Raises LabError for ids or values that cannot be used.
        """
        window = self._window(ids, max_new_tokens)
        chosen = _sampling(sampling)
        tokens = self._tokens(window, chosen, max_new_tokens, stop=stop, use_cache=use_cache)
        return Continuation(tokens, cut=window.cut)

    def stream(
        self,
        prompt: str,
        max_new_tokens: int,
        *,
        stop: Sequence[str] = (),
        use_cache: bool = True,
        **sampling: Any,
    ) -> Stream:
        """Steps with printable text; the texts joined are the continuation.

        A stop word is not printed. Options and errors as for `generate`.
        """
        window = self._window(self.encode(prompt), max_new_tokens)
        chosen = _sampling(sampling)
        steps = self._steps(window, chosen, max_new_tokens, stop=stop, use_cache=use_cache)
        return Stream(steps, cut=window.cut)

    def generate_batch(
        self,
        prompts: Sequence[Sequence[int]],
        max_new_tokens: int,
        *,
        stop: Sequence[str] = (),
        **sampling: Any,
    ) -> list[list[int]]:
        """New token ids for several prompts at once: the same as `generate` for each.

        Prompts of different lengths need no padding. Options and errors as for `generate`.
        """
        from training.gpt.generation import continued_together

        if not prompts:
            return []
        windows = [self._window(ids, max_new_tokens) for ids in prompts]
        chosen = _sampling(sampling)
        samplings = [replace(chosen, seed=chosen.seed + row) for row in range(len(windows))]
        endings = [_Ending(self.tokenizer, window.ids, stop) for window in windows]
        texts: list[list[int]] = [[] for _ in windows]
        for tokens in continued_together(
            self._engine.network, windows, samplings, count=max_new_tokens
        ):
            for text, ending, token in zip(texts, endings, tokens, strict=True):
                if token is not None and not ending.found:
                    text.append(token)
                    ending.push(token)
            if stop and all(ending.found for ending in endings):
                break
        return texts

    def encode(self, prompt: str) -> list[int]:
        """Token ids of a prompt, as the tokenizer makes them for the model."""
        return list(self.tokenizer(prompt)["input_ids"])

    def _window(self, ids: Sequence[int], count: int) -> Window:
        from training.gpt.generation import Window

        weights = self.weights
        if not len(ids) and weights.begin is not None:
            ids = [weights.begin]
        found = [int(id) for id in ids]
        _check(found, count, vocabulary=weights.vocabulary)
        return Window(found, weights.context)

    def _tokens(
        self,
        window: Window,
        sampling: Sampling,
        count: int,
        *,
        stop: Sequence[str],
        use_cache: bool,
    ) -> Iterator[tuple[int, Tensor]]:
        from training.gpt.generation import continued

        ending = _Ending(self.tokenizer, window.ids, stop)
        for token, logits in continued(
            self._engine, window, sampling, count=count, use_cache=use_cache
        ):
            yield token, logits
            if stop and ending.push(token):
                return

    def _steps(
        self,
        window: Window,
        sampling: Sampling,
        count: int,
        *,
        stop: Sequence[str],
        use_cache: bool,
    ) -> Iterator[Step]:
        from training.gpt.generation import continued
        from training.gpt.printing import Printer, StopWords

        printer, words = Printer(self.tokenizer, window.ids), StopWords(stop)
        seconds, began = 0.0, time.perf_counter()
        for token, logits in continued(
            self._engine, window, sampling, count=count, use_cache=use_cache
        ):
            last = window.new == count or token in self.weights.ends
            text = words.push(printer.push(token, last=last), last=last)
            probability, candidates = self._shown(logits, token, window.ids[-2])
            seconds += time.perf_counter() - began
            yield Step(token, text, probability, candidates, window.new / max(seconds, 1e-9))
            began = time.perf_counter()  # what the caller does meanwhile is not our time
            if words.found:
                return

    def _shown(
        self, logits: Tensor, token: int, before: int
    ) -> tuple[float, tuple[tuple[str, float], ...]]:
        """Probability of `token`, and the likeliest tokens with theirs."""
        from training.gpt.printing import label

        probabilities = logits.float().softmax(-1)
        best = probabilities.topk(min(CANDIDATES, len(probabilities)))
        candidates = tuple(
            (label(self.tokenizer, before, number), probability)
            for number, probability in zip(best.indices.tolist(), best.values.tolist(), strict=True)
        )
        return float(probabilities[token]), candidates


class _Ending:
    """Watches tokens for a stop word."""

    def __init__(self, tokenizer: Any, prompt: Sequence[int], stop: Sequence[str]) -> None:
        from training.gpt.printing import Printer, StopWords

        self._printer, self._words = Printer(tokenizer, prompt), StopWords(stop)
        self._needed = bool(stop)

    @property
    def found(self) -> bool:
        """Whether a stop word has come."""
        return self._words.found

    def push(self, token: int) -> bool:
        """Take one token; whether a stop word has come."""
        if self._needed:
            self._words.push(self._printer.push(token))
        return self.found


def load(
    repo_or_folder: str | Path, revision: str | None = None, *, precision: Precision = "float32"
) -> TextGenerator:
    """Open a Llama, Mistral, Mixtral or GPT-2 from the Hub or a folder. Nothing is unpickled.

    precision: "bfloat16" rounds the weights that compiled kernels read, for half the memory
    traffic; sums stay in float32.
    Raises RepoNotFoundError, RevisionNotFoundError, UnsafeWeightsError, LabError.
    """
    return _open(find_model(repo_or_folder, revision), precision=precision)


def load_pulled(pulled: Pulled, *, precision: Precision = "float32") -> TextGenerator:
    """Open a snapshot that `hub_utils.pull` fetched and checked."""
    return _open(Origin.of(pulled), precision=precision)


def _open(origin: Origin, *, precision: Precision) -> TextGenerator:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(str(origin.folder))
        model = AutoModelForCausalLM.from_pretrained(
            str(origin.folder), dtype=torch.float32, use_safetensors=True, trust_remote_code=False
        )
    except (OSError, ValueError, KeyError) as error:
        raise LabError(
            f"{origin.repo} cannot be opened as a language model ({str(error).splitlines()[0]}).",
            hint="It must be a model for AutoModelForCausalLM with a tokenizer.",
        ) from error
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return TextGenerator(
        model.eval().to(device),
        tokenizer,
        repo=origin.repo,
        revision=origin.revision,
        away=origin.away,
        precision=precision,
    )


def _sampling(options: dict[str, Any]) -> Sampling:
    from training.gpt.sampling import Sampling

    seed = options.pop("seed", None)
    return Sampling(seed=secrets.randbits(48) if seed is None else int(seed), **options)


def _check(ids: Sequence[int], count: int, *, vocabulary: int) -> None:
    if not ids:
        raise LabError("The prompt is empty.", hint="Write a word or two for the model to go on.")
    if count < 0:
        raise LabError(f"max_new_tokens must not be negative: {count}.", hint="Give 1 or more.")
    for id in ids:
        if not 0 <= id < vocabulary:
            raise LabError(
                f"Token {id} is not in the vocabulary of {vocabulary} tokens.",
                hint="Make the ids with this model's own tokenizer.",
            )
