"""Data sets of the embedded Hub, read row by row through the real client."""

import json

import numpy as np
import pytest

from hub_utils.errors import DataError
from hub_utils.push import push_folder
from tests.training.gpt.conftest import tale
from training.gpt.config import TrainConfig
from training.gpt.streaming import stream_corpus
from training.shared.progress import Progress

CONFIG = TrainConfig(tokenizer="bytes", vocab_size=300, context=16, stream_tokens=4000)


@pytest.fixture(scope="module")
def rows():
    return [part for part in tale(30_000).split("\n\n") if part]


@pytest.fixture(scope="module")
def repos(hub, rows, tmp_path_factory):
    """Data sets by what is in them."""
    files = {
        "whole": {"train-0.jsonl": rows[:150], "train-1.jsonl": rows[150:]},
        "split": {"train.jsonl": rows[20:], "validation.jsonl": rows[:20]},
    }
    made = {}
    for name, parts in files.items():
        folder = tmp_path_factory.mktemp(name)
        for file, texts in parts.items():
            lines = "".join(json.dumps({"story": text}) + "\n" for text in texts)
            (folder / file).write_text(lines, "utf-8")
        made[name] = hub.repo(f"streamed-{name}", type="dataset")
        push_folder(folder, made[name], hub=hub, message="Rows")
    return made


def streamed(repo, hub, folder, *, config=CONFIG, column="story"):
    progress = Progress("gpt", folder, quiet=True)
    return stream_corpus(
        str(repo), hub=hub, config=config, folder=folder, text_column=column, progress=progress
    )


def texts_of(ids, tokenizer):
    return tokenizer.decode(ids.tolist()).split(tokenizer.eos_token)[:-1]


def test_rows_become_tokens_up_to_the_limit(repos, rows, hub, tmp_path):
    corpus = streamed(repos["whole"], hub, tmp_path)
    assert isinstance(corpus.train_ids, np.memmap)
    assert (len(corpus.train_ids), corpus.train_ids.dtype) == (4000, np.uint16)
    learned = [text for n, text in enumerate(rows) if n % 100]
    found = texts_of(corpus.train_ids, corpus.tokenizer)
    assert found == learned[: len(found)]
    held_out = rows[::100]
    assert texts_of(corpus.held_out_ids, corpus.tokenizer) == held_out
    assert corpus.held_out_bytes == sum(len(text.encode()) for text in held_out)
    assert corpus.source.revision is not None


def test_a_test_split_is_held_out(repos, rows, hub, tmp_path):
    corpus = streamed(repos["split"], hub, tmp_path)
    assert texts_of(corpus.held_out_ids, corpus.tokenizer) == rows[:20]
    assert corpus.held_out_name == "the validation split"
    assert texts_of(corpus.train_ids, corpus.tokenizer)[0] == rows[20]


def test_tokens_that_are_there_are_not_read_again(repos, hub, tmp_path):
    first = streamed(repos["whole"], hub, tmp_path)
    times = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.bin")}
    again = streamed(repos["whole"], hub, tmp_path)
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.bin")} == times
    assert (again.train_ids == first.train_ids).all()
    more = TrainConfig(tokenizer="bytes", vocab_size=300, context=16, stream_tokens=5000)
    assert len(streamed(repos["whole"], hub, tmp_path, config=more).train_ids) == 5000


def test_an_unknown_column_is_named_with_those_there_are(repos, hub, tmp_path):
    with pytest.raises(DataError) as caught:
        streamed(repos["whole"], hub, tmp_path, column="text")
    assert "has no column 'text'; it has 'story'" in caught.value.line()
    assert "--text-column" in caught.value.line()


def test_a_data_set_smaller_than_the_context_is_refused(repos, hub, tmp_path):
    config = TrainConfig(tokenizer="bytes", vocab_size=300, context=4000, stream_tokens=4000)
    with pytest.raises(DataError, match="a context of 4000 needs 4001"):
        streamed(repos["whole"], hub, tmp_path, config=config)
