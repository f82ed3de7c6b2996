"""Classify texts with a published model, fast.

classifier = load("lab/reuters-classifier")
classifier.classify(["Wheat exports fell."])   # [{"grain": 0.97, "trade": 0.01, …}]
classifier.attribute("Wheat exports fell.")    # [("Wheat ", 1.0), ("exports ", 0.4), …]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hub_utils.errors import LabError
from hub_utils.origin import Origin, find_model
from hub_utils.pull import Pulled
from training.shared.batcher import Batcher

Report = Callable[[int, int], None]  # hears (texts done, texts)


class Classifier:
    """A loaded text classifier. Safe to use from several threads."""

    def __init__(
        self, model: Any, tokenizer: Any, *, repo: str, revision: str | None, away: bool = False
    ) -> None:
        from training.bert.model import runner
        from training.bert.quantized import rounded_if_faster

        self.repo, self.revision, self.away = repo, revision, away
        self.labels = tuple(model.config.id2label[n] for n in range(model.config.num_labels))
        self.max_tokens = _max_tokens(model, tokenizer)
        self._tokenizer = tokenizer
        self._network = runner(model).eval()
        # Rounded products may move a probability by hundredths; labels stay (scoring.py).
        self._rounded = rounded_if_faster(self._network)
        self._score: Batcher[str, dict[str, float]] = Batcher(self._scored)

    def classify(
        self, texts: Sequence[str], *, progress: Report | None = None
    ) -> list[dict[str, float]]:
        """Probability of every label for each text, highest first.

        Single texts of several callers at once share a pass of the network.
        """
        if not texts:
            return []
        if len(texts) == 1:
            return [self._score(texts[0])]
        return self._scored(texts, progress=progress)

    def _scored(
        self, texts: Sequence[str], *, progress: Report | None = None
    ) -> list[dict[str, float]]:
        from training.bert.data import tokenize
        from training.bert.scoring import logits_of

        tokens = tokenize(texts, self._tokenizer, max_tokens=self.max_tokens)
        total = len(texts)
        report = None if progress is None else lambda done: progress(done, total)
        probabilities = logits_of(
            self._network, tokens, rounded=self._rounded, report=report
        ).softmax(1)
        ordered = probabilities.sort(dim=1, descending=True, stable=True)
        return [
            {self.labels[number]: value for number, value in zip(numbers, values, strict=True)}
            for values, numbers in zip(
                ordered.values.tolist(), ordered.indices.tolist(), strict=True
            )
        ]

    def attribute(self, text: str, label: str | None = None) -> list[tuple[str, float]]:
        """Words of `text`, end to end, each with what it did for `label`, -1 to 1.

        label: None means the predicted one. Raises LabError for an unknown label.
        """
        from training.bert.attribution import word_contributions

        if label is not None and label not in self.labels:
            raise LabError(
                f"This classifier has no label {label!r}.",
                hint=f"Its labels are: {', '.join(self.labels)}.",
            )
        number = None if label is None else self.labels.index(label)
        return word_contributions(
            self._network, self._tokenizer, text, label=number, max_tokens=self.max_tokens
        )


def load(repo_or_folder: str | Path, revision: str | None = None) -> Classifier:
    """Open a classifier from the Hub or from a folder. Nothing is unpickled.

    Raises RepoNotFoundError, RevisionNotFoundError, UnsafeWeightsError, LabError.
    """
    return _open(find_model(repo_or_folder, revision))


def load_pulled(pulled: Pulled) -> Classifier:
    """Open a snapshot that `hub_utils.pull` fetched and checked."""
    return _open(Origin.of(pulled))


def _open(origin: Origin) -> Classifier:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(str(origin.folder))
        model = AutoModelForSequenceClassification.from_pretrained(
            str(origin.folder),
            dtype=torch.float32,
            use_safetensors=True,
            trust_remote_code=False,
            attn_implementation="sdpa",
        )
    except (OSError, ValueError, KeyError) as error:
        raise LabError(
            f"{origin.repo} cannot be opened as a text classifier ({str(error).splitlines()[0]}).",
            hint="It must be a model for AutoModelForSequenceClassification with a tokenizer.",
        ) from error
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return Classifier(
        model.to(device), tokenizer, repo=origin.repo, revision=origin.revision, away=origin.away
    )


def _max_tokens(model: Any, tokenizer: Any) -> int:
    """What the tokenizer was saved with, within what the model has positions for."""
    positions = int(getattr(model.config, "max_position_embeddings", 512))
    return min(int(tokenizer.model_max_length), positions)
