import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, f1_score

from tests.training.conftest import make_examples
from training.bert.evaluate import calibrate, draw, measure, tfidf_accuracy


@pytest.fixture
def scored():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, 200)
    logits = rng.normal(size=(200, 4)) + 2 * np.eye(4)[truth]
    return np.exp(logits) / np.exp(logits).sum(1, keepdims=True), truth


def test_figures_equal_scikit_learns(scored):
    probabilities, truth = scored
    found = measure(probabilities, truth, "abcd")
    predicted = probabilities.argmax(1)
    assert found.accuracy == pytest.approx((predicted == truth).mean())
    assert found.macro_f1 == pytest.approx(f1_score(truth, predicted, average="macro"))
    np.testing.assert_array_equal(found.confusion, confusion_matrix(truth, predicted))


def test_a_label_that_never_occurs_does_not_count(scored):
    probabilities, truth = scored
    wider = np.concatenate([probabilities, np.zeros((200, 1))], axis=1)
    assert measure(wider, truth, "abcde").macro_f1 == measure(probabilities, truth, "abcd").macro_f1


def test_calibration_error_is_the_gap_between_confidence_and_accuracy():
    confidence = np.full(100, 0.9)
    assert calibrate(confidence, np.arange(100) < 90).error == pytest.approx(0, abs=1e-9)
    assert calibrate(confidence, np.arange(100) < 50).error == pytest.approx(0.4)
    assert calibrate(np.array([1.0]), np.array([True])).counts[-1] == 1


def test_the_reference_learns_separable_topics():
    assert tfidf_accuracy(make_examples(200, seed=1), make_examples(50, seed=2)) > 0.95


def test_three_pictures_are_drawn(scored, tmp_path):
    history = [{"step": n, "loss": 1 / (n + 1)} for n in range(60)]
    names = draw(measure(*scored, "abcd"), history, tmp_path)
    assert len(names) == 3
    for name in names:
        assert (tmp_path / name).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_a_run_of_one_step_and_a_hundred_labels_can_be_drawn(tmp_path):
    truth = np.arange(100)
    found = measure(np.eye(100), truth, [str(n) for n in range(100)])
    assert draw(found, [{"step": 1, "loss": 0.5}], tmp_path)
