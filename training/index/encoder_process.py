"""An encoder in a process of its own: it gets ready while this process reads and counts.

with loading() as load:                     # the libraries load from here on
    …                                       # the Hub, the documents, the earlier index
    encoder = load(folder, repo="sentence-transformers/all-MiniLM-L6-v2", revision="…", known=None)
    encoder.encode(["First passage …"])     # (1, 384) float32; waits until it is ready

To import sentence-transformers takes longer than to embed what one document in a hundred has
become. Questions and answers are lines of JSON on the child's stdin and stdout, vectors the bytes
that follow a line. The child ends when its stdin does, so it does not outlive a killed parent.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from threading import Lock
from typing import IO, TYPE_CHECKING, Any, Protocol

import numpy as np

from hub_utils.errors import LabError
from training.shared.memory import collect_rarely, keep_freed_memory

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from training.index.encoder import Report, TextEncoder
    from training.index.manifest import EncoderFacts

LIBRARY = "sentence_transformers"
_FACTS = ("dimension", "max_tokens", "normalized")


class UnexpectedEncoderError(LabError):
    """The encoder is not what was supposed while it was loaded."""

    hint = "Its documents are read again."


class Load(Protocol):
    """Opens an encoder's folder. known: what an earlier index says of this very revision."""

    def __call__(
        self, folder: Path, *, repo: str, revision: str | None, known: EncoderFacts | None
    ) -> TextEncoder: ...


@contextmanager
def loading() -> Iterator[Load]:
    """How to open an encoder: in a process that ends with the block, or here if that is ready."""
    if LIBRARY in sys.modules:
        yield _load_here
        return
    process = EncoderProcess()
    try:
        yield process.open
    finally:
        process.close()


class EncoderProcess:
    """As `Encoder`, in a child process. What is asked before it is ready waits.

    With `known` facts it tells them at once, and cuts as the folder's tokenizer.json says, until it
    is ready. If the encoder is different, what is asked then raises UnexpectedEncoderError, once;
    later answers are right.
    """

    def __init__(self) -> None:
        self.repo, self.revision = "", ""
        self._known: Mapping[str, Any] | None = None
        self._early: Tokenizer | None = None
        self._one_at_a_time = Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdin is not None  # noqa: S101 - both were asked for
        assert self._process.stdout is not None  # noqa: S101
        self._questions, self._answers = self._process.stdin, self._process.stdout

    def open(
        self, folder: Path, *, repo: str, revision: str | None, known: EncoderFacts | None
    ) -> EncoderProcess:
        """Name the encoder. It is loaded while this process goes on."""
        self.repo, self.revision = repo, revision or ""
        if known is not None:
            self._known = {name: getattr(known, name) for name in _FACTS}
            self._early = _tokenizer_in(folder)
        self._send({"folder": str(folder), "repo": repo})
        return self

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()

    @property
    def dimension(self) -> int:
        """Numbers of a vector."""
        return int(self._facts["dimension"])

    @property
    def max_tokens(self) -> int:
        """Tokens that it reads."""
        return int(self._facts["max_tokens"])

    @property
    def normalized(self) -> bool:
        """Whether vectors have length 1."""
        return bool(self._facts["normalized"])

    @property
    def tokenizer(self) -> Tokenizer:
        """As `Encoder.tokenizer`: it cuts in this process."""
        if self._early is not None:
            return self._early
        self.wait()
        return self._tokenizer

    def wait(self) -> None:
        """Until it is ready. Raises UnexpectedEncoderError, LabError: it cannot be loaded."""
        known, self._known = self._known, None
        early, self._early = self._early, None
        if known is not None and any(self._ready[name] != known[name] for name in _FACTS):
            raise UnexpectedEncoderError(
                f"{self.repo} is not as the earlier index says ({dict(known)})."
            )
        if early is not None and _cutting(early) != _cutting(self._tokenizer):
            raise UnexpectedEncoderError(f"{self.repo} does not cut as its tokenizer.json says.")

    def encode(self, texts: Sequence[str], *, report: Report | None = None) -> np.ndarray:
        """(n, d) float32 vectors of passages, in their order."""
        return self._vectors("passages", texts, report)

    def encode_query(self, text: str) -> np.ndarray:
        """(d,) float32 vector of a question."""
        vector: np.ndarray = self.encode_queries([text])[0]
        return vector

    def encode_queries(self, texts: Sequence[str]) -> np.ndarray:
        """(n, d) float32 vectors of questions that came together."""
        return self._vectors("queries", texts, None)

    @property
    def _facts(self) -> Mapping[str, Any]:
        return self._known if self._known is not None else self._ready

    @cached_property
    def _ready(self) -> Mapping[str, Any]:
        """The child's first answer."""
        return self._answer()

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        from tokenizers import Tokenizer

        return Tokenizer.from_str(self._ready["tokenizer"])

    def _vectors(self, task: str, texts: Sequence[str], report: Report | None) -> np.ndarray:
        with self._one_at_a_time:
            self.wait()
            self._send({"task": task, "texts": list(texts)})
            while "done" in (answer := self._answer()):
                if report is not None:
                    report(answer["done"])
            data = self._read(4 * len(texts) * self.dimension)
        return np.frombuffer(data, np.float32).reshape(len(texts), self.dimension).copy()

    def _send(self, question: Mapping[str, Any]) -> None:
        try:
            _write(self._questions, question)
        except BrokenPipeError:
            raise self._ended() from None

    def _answer(self) -> dict[str, Any]:
        line = self._answers.readline()
        if not line.endswith(b"\n"):
            raise self._ended()
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise LabError(answer["error"], hint=answer["hint"])
        return answer

    def _read(self, size: int) -> bytes:
        data = self._answers.read(size)
        if len(data) < size:
            raise self._ended()
        return data

    def _ended(self) -> LabError:
        code = self._process.wait()
        return LabError(
            f"The process that computes the vectors ended with code {code}.",
            hint="Is there enough memory? Then run it again with --resume.",
        )


def _cutting(tokenizer: Tokenizer) -> dict[str, Any]:
    """What of a tokenizer decides where it cuts: all but how it puts pieces together again."""
    described: dict[str, Any] = json.loads(tokenizer.to_str())
    del described["decoder"]
    return described


def _tokenizer_in(folder: Path) -> Tokenizer | None:
    """What most models cut with; None where it cannot be told without them."""
    from tokenizers import Tokenizer

    from training.index.encoder import whole

    path = folder / "tokenizer.json"
    return whole(Tokenizer.from_file(str(path))) if path.is_file() else None


def _load_here(
    folder: Path, *, repo: str, revision: str | None, known: EncoderFacts | None
) -> TextEncoder:
    from training.index.encoder import load_encoder

    del known  # it can be asked itself
    return load_encoder(folder, repo=repo, revision=revision)


def _write(pipe: IO[bytes], message: Mapping[str, Any], data: bytes = b"") -> None:
    """A line of JSON; what it announces follows."""
    pipe.write(json.dumps(message).encode() + b"\n" + data)
    pipe.flush()


def serve(questions: IO[bytes], answers: IO[bytes]) -> None:
    """Answer until there are no more questions: the child's whole life."""
    from training.index.encoder import load_encoder

    say = partial(_write, answers)
    first = questions.readline()
    if not first:
        return
    try:
        asked = json.loads(first)
        encoder = load_encoder(Path(asked["folder"]), repo=asked["repo"])
        facts = {name: getattr(encoder, name) for name in _FACTS}
        say({**facts, "tokenizer": encoder.tokenizer.to_str()})
        for line in questions:
            asked = json.loads(line)
            if asked["task"] == "passages":
                found = encoder.encode(asked["texts"], report=lambda done: say({"done": done}))
            else:
                found = encoder.encode_queries(asked["texts"])
            say({}, np.ascontiguousarray(found, np.float32).tobytes())
    except LabError as error:
        say({"error": str(error), "hint": error.hint})


def main() -> int:
    """Run as `python -m training.index.encoder_process`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for the parent
    collect_rarely()
    keep_freed_memory()
    __import__(LIBRARY)  # the folder may not be known yet
    # Whatever a library prints must not stand among the answers.
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)
        try:
            serve(sys.stdin.buffer, answers)
        except BrokenPipeError:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
