"""The file computes what the stock classes do, for texts of any number and length."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer

from tests.conftest import ROOT
from tests.tabs.lab import tiny_classifier
from tests.training.index.conftest import make_encoder
from training.export.onnx_file import classifier, encoder, largest_difference, write_onnx

SIZES = [(1, 1), (1, 64), (3, 17), (40, 2)]  # texts, tokens


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_classifier(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="module")
def onnx_file(folder):
    """The classifier's file and what writing it found."""
    path = folder / "model.onnx"
    return path, write_onnx(classifier(folder), path, name="tiny")


@pytest.mark.parametrize(("texts", "length"), SIZES)
def test_logits_are_the_stock_classifiers(folder, onnx_file, texts, length):
    feed = some_tokens(texts, length, vocabulary=15)
    stock = AutoModelForSequenceClassification.from_pretrained(folder)
    (logits,) = opened(onnx_file[0]).run(["logits"], feed)
    np.testing.assert_allclose(logits, answer(stock, feed).logits.numpy(), atol=1e-4)


def test_names_are_those_that_other_programs_ask_for(onnx_file):
    session = opened(onnx_file[0])
    inputs = {value.name: value.shape for value in session.get_inputs()}
    assert set(inputs) == {"input_ids", "attention_mask", "token_type_ids"}
    assert set(map(tuple, inputs.values())) == {("batch", "length")}
    assert [value.name for value in session.get_outputs()] == ["logits"]


def test_the_file_is_alone_and_says_nothing_of_this_machine(onnx_file):
    path = onnx_file[0]
    assert not path.with_name("model.onnx.data").exists()
    content = path.read_bytes()
    assert str(ROOT).encode() not in content
    assert b"site-packages" not in content


def test_a_file_of_other_weights_is_found_out(folder, onnx_file, tmp_path):
    path, figures = onnx_file
    assert figures["max_difference"] == largest_difference(path, classifier(folder)) < 1e-4
    other = tiny_classifier(tmp_path / "other", seed=1)
    assert largest_difference(path, classifier(other)) > 1e-3


def test_an_encoder_gives_tokens_and_sentence_transformers_vectors(tmp_path):
    from sentence_transformers import SentenceTransformer

    folder, path = make_encoder(tmp_path / "encoder"), tmp_path / "model.onnx"
    write_onnx(encoder(folder), path, name="encoder")
    stock = SentenceTransformer(str(folder), device="cpu")
    texts = ["The rocket", "A recipe with butter and onion, for the oven, said the board."]
    tokens = stock.tokenizer(texts, padding=True, return_tensors="np")
    hidden, vectors = opened(path).run(["last_hidden_state", "sentence_embedding"], dict(tokens))
    np.testing.assert_allclose(vectors, stock.encode(texts), atol=1e-5)
    bert = AutoModel.from_pretrained(folder)
    real = tokens["attention_mask"].astype(bool)
    expected = answer(bert, tokens).last_hidden_state.numpy()
    np.testing.assert_allclose(hidden[real], expected[real], atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["roberta", "distilbert"])
def test_encoders_of_another_shape_become_files_too(kind, request, tmp_path):
    base = request.getfixturevalue(kind)
    AutoModelForSequenceClassification.from_pretrained(base, num_labels=3).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(base).save_pretrained(tmp_path)
    figures = write_onnx(classifier(tmp_path), tmp_path / "model.onnx", name=kind)
    assert figures["max_difference"] < 1e-4


def some_tokens(texts: int, length: int, *, vocabulary: int) -> dict[str, np.ndarray]:
    """Random ids; the last text is half as long as the others."""
    random = np.random.default_rng(0)
    mask = np.ones((texts, length), np.int64)
    mask[-1, max(1, length // 2) :] = 0
    ids = random.integers(0, vocabulary, (texts, length))
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}


def opened(path: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def answer(model, feed):
    with torch.no_grad():
        return model.eval()(**{name: torch.from_numpy(value) for name, value in feed.items()})
