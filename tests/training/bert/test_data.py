import json

import numpy as np
import pytest
from transformers import AutoTokenizer

from hub_utils.errors import DataError
from hub_utils.push import push_folder
from tests.training.conftest import make_examples, write_tsv
from training.bert.data import (
    batches_by_length,
    class_weights,
    hold_out,
    load_corpus,
    tokenize,
)
from training.shared.tables import Columns


def test_a_random_tenth_is_held_out_the_same_for_the_same_seed(corpus_file):
    first = load_corpus(str(corpus_file), hub=None, seed=1)
    again = load_corpus(str(corpus_file), hub=None, seed=1)
    other = load_corpus(str(corpus_file), hub=None, seed=2)
    assert (len(first.train), len(first.held_out)) == (270, 30)
    assert first == again
    assert first.held_out != other.held_out
    assert "random tenth" in first.held_out_name


def test_held_out_rows_are_not_trained_on():
    examples = make_examples(50, seed=0)
    kept, held = hold_out(examples, share=0.2, seed=0)
    rows = lambda part: sorted(zip(part.texts, part.labels, strict=True))  # noqa: E731
    assert sorted(rows(kept) + rows(held)) == rows(examples)
    assert len(held) == 10


def test_other_data_may_be_named_for_evaluation(tmp_path, corpus_file):
    other = write_tsv(tmp_path / "other.tsv", make_examples(12, seed=5))
    corpus = load_corpus(str(corpus_file), hub=None, eval_data=str(other))
    assert (len(corpus.train), len(corpus.held_out)) == (300, 12)
    assert "other.tsv" in corpus.held_out_name


def test_numeric_labels_are_ordered_by_value(tmp_path):
    rows = "".join(f"text {n},{n % 3 + 9}\n" for n in range(30))
    (tmp_path / "a.csv").write_text("text,label\n" + rows)
    assert load_corpus(str(tmp_path / "a.csv"), hub=None).labels == ("9", "10", "11")


def test_a_missing_file_is_a_sentence_even_without_a_hub(tmp_path):
    for name in (str(tmp_path / "none.csv"), "no-such-data", "./folder/x"):
        with pytest.raises(DataError, match="no file"):
            load_corpus(name, hub=None)


@pytest.fixture(scope="module")
def dataset(hub, tmp_path_factory):
    """A published data set with a train and a test split, and a column of other names."""
    folder = tmp_path_factory.mktemp("dataset")
    for split, count in (("train", 40), ("test", 20)):
        examples = make_examples(count, seed=count)
        rows = zip(examples.texts, examples.labels, strict=True)
        lines = [json.dumps({"text": t, "label": n, "topic": n}) + "\n" for t, n in rows]
        (folder / f"{split}.jsonl").write_text("".join(lines))
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# Topics\n")
    repo = hub.repo("topics-of-the-tests", type="dataset")
    return push_folder(folder, repo, hub=hub, message="Publish")


def test_a_hub_data_set_brings_its_own_test_split(hub, dataset):
    corpus = load_corpus("topics-of-the-tests", hub=hub)
    assert (len(corpus.train), len(corpus.held_out)) == (40, 20)
    assert corpus.held_out_name == "the test split"
    assert corpus.source.name == "lab/topics-of-the-tests"
    assert corpus.source.revision == dataset.revision


def test_columns_of_a_hub_data_set_are_checked(hub, dataset):
    with pytest.raises(DataError, match="Did you mean 'topic'"):
        load_corpus("topics-of-the-tests", hub=hub, columns=Columns(label="topics"))


def test_an_id_that_no_hub_has_is_a_sentence(hub):
    with pytest.raises(DataError, match="no data set 'lab/nowhere'"):
        load_corpus("nowhere", hub=hub)


def test_tokens_lie_end_to_end_and_truncation_is_counted(encoder):
    tokenizer = AutoTokenizer.from_pretrained(encoder)
    texts = ["oil", "oil barrel the a of in to said for on"]
    tokens = tokenize(texts, tokenizer, max_tokens=6)
    first = tokenizer("oil")["input_ids"]
    assert tokens.lengths.tolist() == [len(first), 6]
    assert tokens.truncated == 1
    assert tokens.ids[: len(first)].tolist() == first
    assert tokens.ids[-1] == tokenizer.sep_token_id


def test_batches_hold_every_row_once_and_stay_within_the_limit():
    lengths = np.random.default_rng(0).integers(2, 40, size=200)
    batches = list(batches_by_length(lengths, max_tokens=100))
    assert sorted(np.concatenate(batches).tolist()) == list(range(200))
    assert max(lengths[batch].sum() for batch in batches) <= 100
    assert lengths[batches[0][0]] == lengths.max()


def test_a_text_longer_than_the_limit_gets_a_batch_of_its_own():
    batches = list(batches_by_length(np.array([500, 3, 4]), max_tokens=100))
    assert [batch.tolist() for batch in batches] == [[0], [2, 1]]


def test_class_weights_make_labels_count_the_same():
    labels = ["a"] * 90 + ["b"] * 10
    weights = dict(zip("ab", class_weights(labels, ["a", "b"]), strict=True))
    assert 90 * weights["a"] == pytest.approx(10 * weights["b"])
