"""Lay out what a Hub gets: the stock model, its adapter, the card with its pictures."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hub_utils.cards import Metric, ModelFacts, model_card
from hub_utils.names import RepoId
from hub_utils.snippets import text_classifier
from training.bert.config import ADAPTER_FOLDER, TrainConfig
from training.bert.data import Corpus
from training.bert.evaluate import Evaluation, draw
from training.bert.mean_layer import mean_layer_name
from training.bert.train import Trained
from training.shared.device import probe
from training.shared.publishing import empty, table_cell, versions, write_json

LIBRARIES = ("torch", "transformers", "peft", "datasets", "huggingface_hub")
PICTURES = "pictures"
MAX_TABLE_LABELS = 60

ADAPTER_SNIPPET = """\
```python
from peft import PeftModel
from transformers import AutoModelForSequenceClassification

base = AutoModelForSequenceClassification.from_pretrained("{base}", {sizes})
model = PeftModel.from_pretrained(base, "{repo}", subfolder="{folder}")
```"""


@dataclass(frozen=True)
class Outcome:
    """All that the card speaks of."""

    corpus: Corpus
    config: TrainConfig
    trained: Trained
    evaluation: Evaluation
    reference_accuracy: float  # tf-idf and a linear support vector machine
    repo: RepoId
    command: str


def write_repository(outcome: Outcome, folder: Path) -> Path:
    """Write the repository's files into an empty `folder`."""
    empty(folder)
    outcome.trained.model.save_pretrained(folder)
    outcome.trained.tokenizer.save_pretrained(folder)
    if outcome.trained.adapter is not None:
        shutil.copytree(outcome.trained.adapter, folder / ADAPTER_FOLDER)
    draw(outcome.evaluation, outcome.trained.history, folder / PICTURES)
    write_json(folder / "evaluation.json", evaluation_figures(outcome))
    (folder / "README.md").write_text(card(outcome), "utf-8")
    return folder


def evaluation_figures(outcome: Outcome) -> dict[str, object]:
    """The evaluation as plain numbers, for programs."""
    evaluation = outcome.evaluation
    return {
        "accuracy": evaluation.accuracy,
        "macro_f1": evaluation.macro_f1,
        "expected_calibration_error": evaluation.calibration.error,
        "tfidf_svm_accuracy": outcome.reference_accuracy,
        "texts": evaluation.texts,
        "held_out": outcome.corpus.held_out_name,
        "labels": list(evaluation.labels),
        "confusion": evaluation.confusion.tolist(),
    }


def figures(outcome: Outcome) -> dict[str, object]:
    """What the command prints last."""
    trained, evaluation, corpus = outcome.trained, outcome.evaluation, outcome.corpus
    return {
        "accuracy": round(evaluation.accuracy, 6),
        "macro_f1": round(evaluation.macro_f1, 6),
        "expected_calibration_error": round(evaluation.calibration.error, 6),
        "tfidf_svm_accuracy": round(outcome.reference_accuracy, 6),
        "train_seconds": round(trained.seconds, 2),
        "eval_texts_per_second": round(evaluation.texts_per_second, 1),
        "parameters": trained.parameters,
        "trainable_parameters": trained.trainable_parameters,
        "steps": trained.steps,
        "epochs": round(trained.steps * outcome.config.batch_size / len(corpus.train), 3),
        "frozen_layers": trained.frozen,
        "train_texts": len(corpus.train),
        "eval_texts": evaluation.texts,
        "labels": len(corpus.labels),
        "truncated_texts": trained.truncated,
        "seed": outcome.config.seed,
        "repo": str(outcome.repo),
    }


def card(outcome: Outcome) -> str:
    """The README.md of the repository."""
    corpus, config, evaluation = outcome.corpus, outcome.config, outcome.evaluation
    source = corpus.source
    facts = ModelFacts(
        title=outcome.repo.name,
        repo=outcome.repo,
        pipeline_tag="text-classification",
        library_name="transformers",
        base_model=config.base,
        base_revision=config.base_revision,
        dataset_id=source.name,
        dataset_revision=source.revision,
        dataset_split=corpus.held_out_name,
        metrics=(
            Metric("Accuracy", "accuracy", evaluation.accuracy),
            Metric("Macro F1", "f1", evaluation.macro_f1),
            Metric("Expected calibration error", "ece", evaluation.calibration.error),
        ),
        tags=("text-classification", "lora") if config.lora_rank else ("text-classification",),
        command=outcome.command,
        seed=config.seed,
        versions=versions(LIBRARIES),
        hardware=probe().name,
        train_seconds=outcome.trained.seconds,
        intended_use=_intended_use(corpus),
        limits=_limits(outcome),
        snippet=text_classifier(outcome.repo, example=_example(corpus)),
        sections=_sections(outcome),
        credits=_credits(corpus, config),
    )
    return model_card(facts)


def _sections(outcome: Outcome) -> Mapping[str, str]:
    return {
        "Beside a simple reference": _reference(outcome),
        "Training": _training(outcome),
        "Confusion matrix": f"![Confusion matrix]({PICTURES}/confusion.png)\n\n"
        f"{_labels_table(outcome.evaluation)}",
        "Can its confidences be trusted?": _calibration(outcome.evaluation),
        "The adapter": _adapter(outcome),
    }


def _reference(outcome: Outcome) -> str:
    evaluation = outcome.evaluation
    return (
        f"Both learned from the same {len(outcome.corpus.train):,} texts and are measured on "
        f"{outcome.corpus.held_out_name} ({evaluation.texts:,} texts), in the same run.\n\n"
        "| model | accuracy |\n|---|---|\n"
        f"| this one | **{100 * evaluation.accuracy:.2f} %** |\n"
        f"| tf-idf + linear support vector machine | {100 * outcome.reference_accuracy:.2f} % |"
    )


def _training(outcome: Outcome) -> str:
    trained, config, evaluation = outcome.trained, outcome.config, outcome.evaluation
    how = f"LoRA of rank {config.lora_rank}" if config.lora_rank else "full fine-tuning"
    frozen = f", the lowest {trained.frozen} layers frozen" if trained.frozen else ""
    new = " A layer was put on top that starts as the mean of all tokens, as the base speaks."
    return (
        f"{how}{frozen}: {trained.trainable_parameters:,} of {trained.parameters:,} weights were "
        f"trained in {trained.steps:,} steps of {config.batch_size} texts."
        f"{new if mean_layer_name(trained.model) else ''}\n\n"
        f"Texts are read up to {config.max_tokens} tokens. Longer were {trained.truncated:,} of "
        f"{len(outcome.corpus.train):,} training texts and {evaluation.truncated:,} of "
        f"{evaluation.texts:,} held-out ones; the rest of those was not read.\n\n"
        f"![Learning curve]({PICTURES}/learning_curve.png)"
    )


def _labels_table(evaluation: Evaluation) -> str:
    rows = [
        f"| {table_cell(name)} | {int(evaluation.confusion[number].sum()):,} | "
        f"{evaluation.precision[number]:.3f} | {evaluation.recall[number]:.3f} | "
        f"{evaluation.f1[number]:.3f} |"
        for number, name in enumerate(evaluation.labels[:MAX_TABLE_LABELS])
    ]
    return "\n".join(
        ["| label | texts | precision | recall | F1 |", "|---|---|---|---|---|", *rows]
    )


def _calibration(evaluation: Evaluation) -> str:
    error = 100 * evaluation.calibration.error
    return (
        f"On average the confidence is {error:.1f} percentage points off the accuracy (expected "
        f"calibration error, 10 bins).\n\n![Reliability]({PICTURES}/reliability.png)"
    )


def _adapter(outcome: Outcome) -> str:
    if outcome.trained.adapter is None:
        return ""
    snippet = ADAPTER_SNIPPET.format(
        base=outcome.config.base_name,
        repo=outcome.repo,
        sizes=_sizes(outcome),
        folder=ADAPTER_FOLDER,
    )
    return (
        "The weights above are the base model with this adapter added in. By itself it is in "
        f"`{ADAPTER_FOLDER}/`:\n\n{snippet}"
    )


def _sizes(outcome: Outcome) -> str:
    """What a stock class must be told so that the adapter's weights fit the base."""
    model = outcome.trained.model
    deeper = f", num_hidden_layers={model.config.num_hidden_layers}"
    return f"num_labels={len(outcome.corpus.labels)}{deeper if mean_layer_name(model) else ''}"


def _intended_use(corpus: Corpus) -> str:
    names = ", ".join(f"`{name}`" for name in corpus.labels[:20])
    more = f" and {len(corpus.labels) - 20} more" if len(corpus.labels) > 20 else ""
    return f"Sorting texts like those it was trained on into: {names}{more}."


def _limits(outcome: Outcome) -> str:
    return (
        "It always answers with one of its labels, for any text in any language. On texts unlike "
        "its training data the figures above do not hold. It reads "
        f"{outcome.config.max_tokens} tokens, about {outcome.config.max_tokens * 3 // 4} words; "
        "pass `truncation=True` for longer texts. It may repeat biases of its data and its base."
    )


def _credits(corpus: Corpus, config: TrainConfig) -> str:
    data = f"data `{corpus.source.name}`; see its card" if corpus.source.is_dataset else "own data"
    return f"Base model `{config.base_name}` (see its card); {data}."


def _example(corpus: Corpus) -> str:
    """A short held-out text; printable, one line."""
    shortest = min(corpus.held_out.texts, key=lambda text: abs(len(text) - 120))
    return " ".join(shortest.split())[:200]
