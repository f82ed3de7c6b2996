"""Vectors are those of sentence-transformers, however texts are batched."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training.index.encoder import Encoder, _taken, load_encoder


@pytest.fixture(scope="module")
def encoder(tiny_encoder: Path) -> Encoder:
    # In float32, whatever this machine is faster at.
    loaded = load_encoder(tiny_encoder)
    return Encoder(loaded._model, repo="lab/tiny", revision="a" * 40)


def test_vectors_are_those_of_sentence_transformers_in_the_order_given(
    encoder: Encoder, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sentence_transformers import SentenceTransformer

    texts = ["the rocket " * (1 + 7 * n % 30) for n in range(35)]
    monkeypatch.setattr(encoder, "_batch_tokens", 200)
    told: list[int] = []
    vectors = encoder.encode(texts, report=told.append)
    theirs = SentenceTransformer(str(tiny_encoder)).encode(texts, normalize_embeddings=True)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, theirs, atol=2e-5)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert told[-1] == len(texts)
    assert len(told) > 3
    assert told == sorted(told)


def test_no_texts_are_no_vectors(encoder: Encoder) -> None:
    assert encoder.encode([]).shape == (0, encoder.dimension)


def test_questions_alone_and_together_are_the_same(encoder: Encoder) -> None:
    questions = ["where is the moon", "bread and butter"]
    together = encoder.encode_queries(questions)
    for question, vector in zip(questions, together, strict=True):
        np.testing.assert_allclose(encoder.encode_query(question), vector, atol=2e-5)


def test_bfloat16_moves_passages_a_little_and_questions_not_at_all(
    encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.index.encoder.MIN_HALF_WIDTH", 1)
    half = Encoder(encoder._model, repo="lab/tiny", revision="a" * 40, bfloat16=True)
    texts = ["the rocket went to the moon", "bread and butter", "a long way home"]
    exact, rounded = encoder.encode(texts), half.encode(texts)
    assert rounded.dtype == np.float32
    assert not np.array_equal(exact, rounded)
    assert (exact * rounded).sum(1).min() > 0.999
    np.testing.assert_allclose(np.linalg.norm(rounded, axis=1), 1, atol=1e-3)
    np.testing.assert_array_equal(half.encode_query(texts[0]), encoder.encode_query(texts[0]))


def test_more_texts_than_are_cut_into_tokens_at_once(
    encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ["the rocket " * n for n in range(1, 8)]
    expected = encoder.encode(texts)
    monkeypatch.setattr("training.index.encoder.PIECE", 3)
    told: list[int] = []
    np.testing.assert_allclose(encoder.encode(texts, report=told.append), expected, atol=2e-5)
    assert told[-1] == len(texts)


@pytest.mark.parametrize(
    ("tokens", "columns", "taken"),
    [(2, 40, 16), (16, 40, 16), (17, 40, 32), (35, 40, 40), (2, 3, 3)],
)
@pytest.mark.parametrize("left", [True, False])
def test_padding_of_either_side_is_left_out_but_to_a_width_that_is_quick(
    *, tokens: int, columns: int, taken: int, left: bool
) -> None:
    import torch

    mask = torch.zeros(2, columns, dtype=torch.long)
    mask[0], mask[1, slice(-tokens, None) if left else slice(tokens)] = 1, 1
    features = {"input_ids": 7 * mask, "attention_mask": mask, "modality": "text"}
    found = _taken(features, np.array([1]))
    padding, used = [0] * (taken - tokens), [1] * tokens
    expected = [*padding, *used] if left else [*used, *padding]
    assert found["attention_mask"].tolist() == [expected]
    assert found["input_ids"].tolist() == [[7 * one for one in expected]]
    assert found["modality"] == "text"


def test_few_texts_are_shared_by_the_cores(
    encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.index.encoder.cores", lambda: 2)
    mask = np.ones((6, 32), np.int64)
    assert [rows.tolist() for rows in encoder._planned(mask)] == [[0, 1, 2], [3, 4, 5]]


def test_a_prompt_of_the_model_goes_before_passages(tiny_encoder: Path) -> None:
    plain, prompted = (load_encoder(tiny_encoder, device="cpu") for _ in range(2))
    prompted._model.prompts = {"query": "search: ", "document": "moon: "}
    np.testing.assert_allclose(
        prompted.encode(["the rocket"]), plain.encode(["moon: the rocket"]), atol=2e-5
    )
