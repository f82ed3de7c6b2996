"""An encoder in another process is the same encoder, and ends with whoever started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from hub_utils.errors import LabError
from training.index.build import encoder_facts
from training.index.encoder import Encoder, load_encoder
from training.index.encoder_process import EncoderProcess, UnexpectedEncoderError, loading

ROOT = Path(__file__).parents[3]
NAME = {"repo": "lab/tiny-encoder", "revision": "a" * 40}
TEXTS = ["the rocket " * (1 + 7 * number % 30) for number in range(35)]


@pytest.fixture(scope="module")
def encoder(tiny_encoder: Path) -> Encoder:
    return load_encoder(tiny_encoder, **NAME)


@pytest.fixture(scope="module")
def process(tiny_encoder: Path) -> Iterator[EncoderProcess]:
    made = EncoderProcess()
    yield made.open(tiny_encoder, **NAME, known=None)
    made.close()


def test_it_says_and_computes_what_the_encoder_does(
    process: EncoderProcess, encoder: Encoder
) -> None:
    assert encoder_facts(process) == encoder_facts(encoder)
    assert process.tokenizer.to_str() == encoder.tokenizer.to_str()
    told: list[int] = []
    np.testing.assert_array_equal(process.encode(TEXTS, report=told.append), encoder.encode(TEXTS))
    assert told[-1] == len(TEXTS)
    assert process.encode([]).shape == (0, encoder.dimension)
    questions = ["where is the moon", "面包和黄油"]
    theirs = encoder.encode_queries(questions)
    np.testing.assert_array_equal(process.encode_queries(questions), theirs)
    np.testing.assert_allclose(process.encode_query(questions[1]), theirs[1], atol=2e-5)


def test_a_terminals_ctrl_c_is_not_for_it(process: EncoderProcess) -> None:
    before = process.encode(TEXTS[:3])
    os.kill(process._process.pid, signal.SIGINT)
    np.testing.assert_array_equal(process.encode(TEXTS[:3]), before)


def test_what_is_known_is_told_at_once_and_held_to_the_truth_later(
    tiny_encoder: Path, encoder: Encoder
) -> None:
    wrong = replace(encoder_facts(encoder), max_tokens=7)
    made = EncoderProcess()
    try:
        process = made.open(tiny_encoder, **NAME, known=wrong)
        assert process.max_tokens == 7
        assert (
            process.tokenizer.encode(TEXTS[3]).offsets == encoder.tokenizer.encode(TEXTS[3]).offsets
        )
        assert "_ready" not in vars(process)  # it was not waited for
        with pytest.raises(UnexpectedEncoderError, match="'max_tokens': 7"):
            process.encode(TEXTS[:1])
        assert process.max_tokens == encoder.max_tokens
        assert process.encode(TEXTS[:1]).shape == (1, encoder.dimension)
        made._process.kill()
        with pytest.raises(LabError, match="ended with code -9"):
            process.encode(TEXTS[:1])
    finally:
        made.close()


def test_a_tokenizer_that_is_not_its_files_is_noticed(
    process: EncoderProcess, encoder: Encoder
) -> None:
    changed = Tokenizer.from_str(encoder.tokenizer.to_str())
    changed.normalizer = None
    process._early = changed
    with pytest.raises(UnexpectedEncoderError, match=r"does not cut as its tokenizer\.json"):
        process.encode(TEXTS[:1])
    assert process.tokenizer.to_str() == encoder.tokenizer.to_str()
    assert process.encode(TEXTS[:1]).shape == (1, encoder.dimension)


def test_a_folder_without_an_encoder_is_said_in_a_sentence(tmp_path: Path) -> None:
    made = EncoderProcess()
    try:
        with pytest.raises(LabError, match="cannot be loaded as a sentence encoder") as caught:
            made.open(tmp_path, **NAME, known=None).encode(TEXTS[:1])
    finally:
        made.close()
    assert caught.value.hint.startswith("Give a sentence-transformers model")


def test_it_does_not_outlive_a_killed_parent() -> None:
    program = (
        "from training.index.encoder_process import EncoderProcess\n"
        "print(EncoderProcess()._process.pid, flush=True); input()"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert parent.stdout is not None
    assert parent.stderr is not None
    child = int(parent.stdout.readline())
    assert Path(f"/proc/{child}").exists() or sys.platform != "linux"
    parent.kill()
    # The child has the other end of this pipe: it closes when the child is gone.
    assert parent.stderr.read() == b""
    parent.communicate()


def test_where_the_library_is_loaded_there_is_no_other_process(tiny_encoder: Path) -> None:
    with loading() as load:
        assert isinstance(load(tiny_encoder, **NAME, known=None), Encoder)
