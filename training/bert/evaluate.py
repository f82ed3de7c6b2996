"""How good is it, and can its confidences be trusted? Figures, a reference line, three pictures."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from training.bert import model as models
from training.bert.data import Corpus, tokenize
from training.bert.quantized import rounded_if_faster
from training.bert.scoring import Report, logits_of
from training.shared.pictures import draw_curve, save_pictures
from training.shared.tables import Examples

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BINS = 10  # of the reliability diagram
MAX_MATRIX_LABELS = 60  # a confusion matrix with more is unreadable


@dataclass(frozen=True)
class Evaluation:
    """Figures of a classifier on held-out texts."""

    labels: tuple[str, ...]
    confusion: np.ndarray  # (true, predicted) counts
    accuracy: float
    macro_f1: float  # mean over the labels that occur
    precision: np.ndarray  # (labels,)
    recall: np.ndarray  # (labels,)
    f1: np.ndarray  # (labels,)
    calibration: Calibration
    texts: int
    truncated: int
    seconds: float

    @property
    def texts_per_second(self) -> float:
        """Speed of the evaluation, tokenizing included."""
        return self.texts / max(self.seconds, 1e-9)


@dataclass(frozen=True)
class Calibration:
    """Confidence against accuracy, in equal-width bins of confidence.

    error: expected calibration error, Guo et al. 2017, https://arxiv.org/abs/1706.04599
    """

    confidence: np.ndarray  # (bins,) mean; nan where empty
    accuracy: np.ndarray  # (bins,)
    counts: np.ndarray  # (bins,)
    error: float


def evaluate(
    model: Any, tokenizer: Any, corpus: Corpus, *, max_tokens: int, report: Report | None = None
) -> Evaluation:
    """Score the held-out texts with the code that serves."""
    start = time.perf_counter()
    network = models.runner(model).eval()
    tokens = tokenize(corpus.held_out.texts, tokenizer, max_tokens=max_tokens)
    logits = logits_of(network, tokens, rounded=rounded_if_faster(network), report=report)
    seconds = time.perf_counter() - start
    numbers = {name: number for number, name in enumerate(corpus.labels)}
    truth = np.array([numbers[label] for label in corpus.held_out.labels])
    return measure(
        logits.softmax(1).numpy(),
        truth,
        corpus.labels,
        truncated=tokens.truncated,
        seconds=seconds,
    )


def measure(
    probabilities: np.ndarray,
    truth: np.ndarray,
    labels: Sequence[str],
    *,
    truncated: int = 0,
    seconds: float = 0.0,
) -> Evaluation:
    """All figures from (texts, labels) probabilities and (texts,) true label numbers."""
    predicted = probabilities.argmax(1)
    size = len(labels)
    confusion = np.zeros((size, size), dtype=np.int64)
    np.add.at(confusion, (truth, predicted), 1)
    hits = confusion.diagonal().astype(float)
    precision = hits / np.maximum(confusion.sum(0), 1)
    recall = hits / np.maximum(confusion.sum(1), 1)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    occurs = (confusion.sum(0) + confusion.sum(1)) > 0
    return Evaluation(
        labels=tuple(labels),
        confusion=confusion,
        accuracy=float(hits.sum() / max(len(truth), 1)),
        macro_f1=float(f1[occurs].mean()),
        precision=precision,
        recall=recall,
        f1=f1,
        calibration=calibrate(probabilities.max(1), predicted == truth),
        texts=len(truth),
        truncated=truncated,
        seconds=seconds,
    )


def calibrate(confidence: np.ndarray, correct: np.ndarray) -> Calibration:
    """confidence: (texts,) of the chosen label; correct: (texts,) whether it was right."""
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    counts = np.bincount(bins, minlength=BINS)
    filled = np.where(counts, counts, np.nan)
    mean = np.bincount(bins, confidence, BINS) / filled
    right = np.bincount(bins, correct, BINS) / filled
    error = float(np.nansum(np.abs(mean - right) * counts) / max(len(confidence), 1))
    return Calibration(mean, right, counts, error)


def tfidf_accuracy(train: Examples, held_out: Examples, *, seed: int = 0) -> float:
    """Accuracy of the usual reference: tf-idf of words and a linear support vector machine."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import LinearSVC

    vectorizer = TfidfVectorizer(sublinear_tf=True, token_pattern=r"(?u)\b\w+\b")  # noqa: S106
    reference = make_pipeline(vectorizer, LinearSVC(random_state=seed))
    reference.fit(train.texts, train.labels)
    return float(reference.score(held_out.texts, held_out.labels))


def draw(evaluation: Evaluation, history: Sequence[dict[str, float]], folder: Path) -> list[str]:
    """Save the pictures of the card into `folder`; returns their names."""
    pictures = {
        "confusion.png": lambda axes: _draw_confusion(axes, evaluation),
        "reliability.png": lambda axes: _draw_reliability(axes, evaluation.calibration),
        "learning_curve.png": lambda axes: draw_curve(axes, history),
    }
    return save_pictures(pictures, folder)


def _draw_confusion(axes: Axes, evaluation: Evaluation) -> None:
    """The most frequent labels, coloured by share of the true label, counts written in."""
    order = np.argsort(-evaluation.confusion.sum(1), kind="stable")[:MAX_MATRIX_LABELS]
    order = np.sort(order)
    counts = evaluation.confusion[np.ix_(order, order)]
    names = [evaluation.labels[number] for number in order]
    shares = counts / np.maximum(evaluation.confusion.sum(1)[order], 1)[:, None]
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    size = 8 if len(names) <= 20 else 4
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=size)
    axes.set_yticks(range(len(names)), names, fontsize=size)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    for (row, column), count in np.ndenumerate(counts):
        if count:
            color = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, count, ha="center", va="center", fontsize=size, color=color)


def _draw_reliability(axes: Axes, calibration: Calibration) -> None:
    """Accuracy of each bin of confidence beside the diagonal, with the share of texts."""
    middles = (np.arange(BINS) + 0.5) / BINS
    shares = calibration.counts / max(calibration.counts.sum(), 1)
    axes.bar(middles, shares, width=0.9 / BINS, color="#d9d9d9", label="share of texts")
    axes.plot([0, 1], [0, 1], linestyle="--", color="#777777", label="perfect")
    filled = calibration.counts > 0
    axes.plot(
        calibration.confidence[filled],
        calibration.accuracy[filled],
        marker="o",
        color="#08519c",
        label=f"measured (ECE {100 * calibration.error:.1f} %)",
    )
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="confidence", ylabel="accuracy")
    axes.legend(loc="upper left")
