import json

import numpy as np
import pytest

from hub_utils.errors import DataError
from hub_utils.push import push_folder
from tests.training.gpt.conftest import tale
from training.gpt.config import TrainConfig
from training.gpt.data import encode, hold_out, load_corpus, read_text
from training.gpt.tokenizer import train_tokenizer

CHARACTERS = TrainConfig(tokenizer="char", context=32)


def decoded(corpus, part):
    return corpus.tokenizer.decode(part.tolist())


def test_the_last_tenth_of_a_file_is_held_out_and_nothing_is_lost(tale_file):
    corpus = load_corpus(str(tale_file), hub=None, config=CHARACTERS)
    text = tale_file.read_text()
    cut = int(len(text) * 0.9)
    assert decoded(corpus, corpus.train_ids) == text[:cut]
    assert decoded(corpus, corpus.held_out_ids) == text[cut:]
    assert corpus.held_out_characters == len(text) - cut
    assert corpus.held_out_bytes == len(text[cut:].encode())
    assert corpus.held_out_name == "the last tenth of the text"
    assert (corpus.source.name, corpus.source.is_dataset) == ("tale.txt", False)
    assert corpus.train_ids.dtype == np.uint16


def test_the_tokenizer_never_sees_the_held_out_part(tmp_path):
    text = "abc " * 500
    kept, held = hold_out(text)
    (tmp_path / "a.txt").write_text(kept + held.replace("c", "x"))
    corpus = load_corpus(str(tmp_path / "a.txt"), hub=None, config=CHARACTERS)
    assert "x" not in corpus.tokenizer.get_vocab()
    assert "x" in decoded(corpus, corpus.held_out_ids)


def test_other_data_may_be_named_for_evaluation(tale_file, tmp_path):
    (tmp_path / "other.txt").write_text(tale(4000, seed=5))
    corpus = load_corpus(
        str(tale_file), hub=None, eval_data=str(tmp_path / "other.txt"), config=CHARACTERS
    )
    assert decoded(corpus, corpus.train_ids) == tale_file.read_text()
    assert decoded(corpus, corpus.held_out_ids) == (tmp_path / "other.txt").read_text()
    assert corpus.held_out_name == "`other.txt`"


def test_long_texts_are_cut_for_the_tokenizer_without_changing_them():
    text = tale(70_000)
    tokenizer = train_tokenizer("bytes", [text], vocab_size=300)
    ids = encode([text, "ring"], tokenizer, closed=True)
    assert (ids == tokenizer.eos_token_id).sum() == 2
    end = int(np.flatnonzero(ids == tokenizer.eos_token_id)[0])
    assert tokenizer.decode(ids[:end].tolist()) == text


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b" \n\t\n", "is empty"),
        (b"text\0more", "binary file: it has the byte 0x00 at offset 4"),
        (b"caf\xe9 au lait", "byte 0xe9 at offset 3"),
    ],
)
def test_what_is_no_text_is_a_sentence(tmp_path, data, said):
    (tmp_path / "a.txt").write_bytes(data)
    with pytest.raises(DataError, match=said):
        read_text(tmp_path / "a.txt")
    with pytest.raises(DataError, match="is a folder"):
        read_text(tmp_path)


def test_windows_line_ends_and_a_byte_order_mark_are_not_learned(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfone\r\ntwo")
    assert read_text(tmp_path / "a.txt") == "one\ntwo"


def test_a_text_smaller_than_the_context_is_a_sentence(tmp_path):
    (tmp_path / "a.txt").write_text("Once upon a time. " * 10)
    with pytest.raises(DataError, match=r"held-out part has 18 tokens, a context of 32 needs 33"):
        load_corpus(str(tmp_path / "a.txt"), hub=None, config=CHARACTERS)


def test_a_missing_file_is_a_sentence_even_without_a_hub(tmp_path):
    for name in (str(tmp_path / "none.txt"), "no-such-data", "./folder/x"):
        with pytest.raises(DataError, match="no file"):
            load_corpus(name, hub=None, config=CHARACTERS)


@pytest.fixture(scope="module")
def dataset(hub, tmp_path_factory):
    """A published data set of tales with a train and a validation split."""
    folder = tmp_path_factory.mktemp("tales")
    for split, count in (("train", 12), ("validation", 3)):
        rows = [{"text": tale(600, seed=n), "title": f"Tale {n}"} for n in range(count)]
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# Tales\n")
    repo = hub.repo("tales-of-the-tests", type="dataset")
    return push_folder(folder, repo, hub=hub, message="Publish")


def test_each_row_of_a_hub_data_set_is_a_text_closed_by_its_end(hub, dataset):
    corpus = load_corpus("tales-of-the-tests", hub=hub, config=CHARACTERS)
    end = corpus.tokenizer.eos_token_id
    assert (corpus.train_ids == end).sum() == 12
    assert (corpus.held_out_ids == end).sum() == 3
    assert corpus.held_out_name == "the validation split"
    assert (corpus.source.name, corpus.source.revision) == (
        "lab/tales-of-the-tests",
        dataset.revision,
    )


def test_columns_of_a_hub_data_set_are_checked(hub, dataset):
    with pytest.raises(DataError, match="no column 'body'; it has 'text', 'title'"):
        load_corpus("tales-of-the-tests", hub=hub, config=CHARACTERS, text_column="body")


def test_an_id_that_no_hub_has_is_a_sentence(hub):
    with pytest.raises(DataError, match="no data set 'lab/nowhere'"):
        load_corpus("nowhere", hub=hub, config=CHARACTERS)
