"""Lay out what a Hub gets: the stock model, its tokenizer, the card with samples and a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hub_utils.cards import Metric, ModelFacts, model_card
from hub_utils.names import RepoId
from hub_utils.snippets import text_generator
from training.gpt.baselines import COUNTED_TOKENS
from training.gpt.config import DEFAULT_DATA, TrainConfig
from training.gpt.data import Corpus
from training.gpt.evaluate import Evaluation
from training.gpt.formats import CLASSES, native_format, why_not_native
from training.gpt.native import save_stock
from training.gpt.samples import SAMPLING, Sample
from training.gpt.train import Trained
from training.shared.device import probe
from training.shared.pictures import draw_curve, save_pictures
from training.shared.publishing import empty, plain_markdown, table_cell, versions, write_json

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LIBRARIES = ("torch", "transformers", "tokenizers", "datasets", "huggingface_hub")
PICTURES = "pictures"
SNIPPET_TOKENS = 60
MAX_HISTORY = 500  # points of the learning curve in evaluation.json

# For a model that has no stock format: only this project's code can open it.
OWN_SNIPPET = """\
import json
from pathlib import Path

from safetensors.torch import load_model
from training.gpt.config import ModelConfig
from training.gpt.model import MiniGPT

model = MiniGPT(ModelConfig(**json.loads(Path("shape.json").read_text())))
load_model(model, "weights.safetensors")
"""


@dataclass(frozen=True)
class Outcome:
    """All that the card speaks of."""

    corpus: Corpus
    config: TrainConfig
    trained: Trained
    evaluation: Evaluation
    samples: Sequence[Sample]
    repo: RepoId
    command: str

    @property
    def native(self) -> bool:
        """Whether the model has a stock format."""
        return native_format(self.trained.model.config) is not None


def write_repository(outcome: Outcome, folder: Path) -> Path:
    """Write the repository's files into an empty `folder`.

    Without a stock format the weights are kept under names of their own, for this project only.
    """
    from safetensors.torch import save_model

    empty(folder)
    model, tokenizer = outcome.trained.model, outcome.trained.tokenizer
    if outcome.native:
        save_stock(model, tokenizer, folder)
    else:
        tokenizer.save_pretrained(folder)
        write_json(folder / "shape.json", asdict(model.config))
        save_model(model, str(folder / "weights.safetensors"))
    save_pictures({"learning_curve.png": lambda axes: _draw(axes, outcome)}, folder / PICTURES)
    write_json(folder / "evaluation.json", evaluation_figures(outcome))
    (folder / "README.md").write_text(card(outcome), "utf-8")
    return folder


def evaluation_figures(outcome: Outcome) -> dict[str, object]:
    """The evaluation as plain numbers, for programs."""
    evaluation = outcome.evaluation
    baselines = {"unigram": evaluation.unigram, "bigram": evaluation.bigram}
    return {
        "loss": evaluation.loss,
        "bits_per_byte": evaluation.bits_per_byte,
        "perplexity": evaluation.perplexity,
        "tokens": evaluation.tokens,
        "bytes": evaluation.bytes,
        "held_out": outcome.corpus.held_out_name,
        "baselines": {
            name: {**asdict(line), "bits_per_byte": evaluation.as_bits_per_byte(line.loss)}
            for name, line in baselines.items()
        },
        "samples": [asdict(sample) for sample in outcome.samples],
        "history": thinned(outcome.trained.history),
    }


def thinned(history: Sequence[dict[str, float]]) -> list[dict[str, float]]:
    """At most about MAX_HISTORY points of a run, and all that have a validation loss."""
    every = 1 + len(history) // MAX_HISTORY
    return [p for n, p in enumerate(history) if n % every == 0 or "validation" in p]


def figures(outcome: Outcome) -> dict[str, object]:
    """What the command prints last."""
    trained, evaluation, shape = outcome.trained, outcome.evaluation, outcome.trained.model.config
    return {
        "val_loss": round(evaluation.loss, 6),
        "bits_per_byte": round(evaluation.bits_per_byte, 6),
        "perplexity": round(evaluation.perplexity, 4),
        "unigram_loss": round(evaluation.unigram.loss, 6),
        "bigram_loss": round(evaluation.bigram.loss, 6),
        "parameters": trained.parameters,
        "tokens_seen": trained.tokens_seen,
        "tokens_per_second": round(trained.tokens_per_second, 1),
        "train_seconds": round(trained.seconds, 2),
        "steps": trained.steps,
        "epochs": round(trained.tokens_seen / len(outcome.corpus.train_ids), 3),
        "train_tokens": len(outcome.corpus.train_ids),
        "eval_tokens": evaluation.tokens,
        "eval_seconds": round(evaluation.seconds, 2),
        "vocab_size": shape.vocab_size,
        "context": shape.context,
        "format": native_format(shape),
        "seed": outcome.config.seed,
        "repo": str(outcome.repo),
    }


def card(outcome: Outcome) -> str:
    """The README.md of the repository."""
    corpus, evaluation, source = outcome.corpus, outcome.evaluation, outcome.corpus.source
    facts = ModelFacts(
        title=outcome.repo.name,
        repo=outcome.repo,
        pipeline_tag="text-generation",
        library_name="transformers" if outcome.native else "pytorch",
        language="en" if source.name.split("/")[-1] == DEFAULT_DATA else None,
        dataset_id=source.name,
        dataset_revision=source.revision,
        dataset_split=corpus.held_out_name,
        metrics=(
            Metric("Bits per byte", "bits_per_byte", evaluation.bits_per_byte),
            Metric("Validation loss (nats per token)", "loss", evaluation.loss),
            Metric("Perplexity", "perplexity", evaluation.perplexity),
        ),
        tags=("text-generation", "mini-gpt"),
        command=outcome.command,
        seed=outcome.config.seed,
        versions=versions(LIBRARIES),
        hardware=probe().name,
        train_seconds=outcome.trained.seconds,
        intended_use=_intended_use(outcome),
        limits=_limits(outcome),
        snippet=_snippet(outcome),
        sections=_sections(outcome),
        credits=_credits(outcome),
    )
    return model_card(facts)


def _snippet(outcome: Outcome) -> str:
    if not outcome.native:
        return OWN_SNIPPET
    prompt = outcome.samples[0].prompt
    room = outcome.trained.model.config.context - len(outcome.trained.tokenizer(prompt).input_ids)
    tokens = max(1, min(SNIPPET_TOKENS, room))
    return text_generator(outcome.repo, prompt=prompt, tokens=tokens)


def _sections(outcome: Outcome) -> Mapping[str, str]:
    return {
        "What it writes": _samples(outcome.samples),
        "Beside counting": _baselines(outcome),
        "The model": _architecture(outcome),
        "Training": _training(outcome),
    }


def _samples(samples: Sequence[Sample]) -> str:
    intro = (
        f"The beginnings, in bold, are from the held-out part; temperature {SAMPLING.temperature}, "
        f"top-k {SAMPLING.top_k}, seeds 0 to {len(samples) - 1}, not selected."
    )
    return "\n\n<!-- -->\n\n".join([intro, *map(_quoted, samples)])


def _quoted(sample: Sample) -> str:
    """A block quote, its prompt in bold; the empty comment between two quotes keeps them apart."""
    prompt = plain_markdown(sample.prompt)
    text = plain_markdown((sample.prompt + sample.text).rstrip())
    text = text.replace(prompt, f"<b>{prompt}</b>", 1)
    return "\n".join(f"> {line}".rstrip() for line in text.split("\n"))


def _baselines(outcome: Outcome) -> str:
    evaluation, corpus = outcome.evaluation, outcome.corpus
    lines = {
        "**this model**": evaluation.loss,
        "bigram: how often each token follows the one before": evaluation.bigram.loss,
        "unigram: how often each token occurs": evaluation.unigram.loss,
    }
    rows = [
        f"| {name} | {loss:.4f} | {evaluation.as_bits_per_byte(loss):.4f} |"
        for name, loss in lines.items()
    ]
    few = len(corpus.train_ids) > COUNTED_TOKENS
    counted = f" (the counts are of the first {COUNTED_TOKENS:,})" if few else ""
    head = "| | nats per token | bits per byte |\n|---|---|---|"
    context = outcome.trained.model.config.context
    return (
        f"All three learned from the same {len(corpus.train_ids):,} tokens{counted} and predict "
        f"each of the {evaluation.tokens:,} held-out tokens once "
        f"({table_cell(corpus.held_out_name)}, {evaluation.bytes:,} bytes). This model reads "
        f"overlapping windows, so that from {context // 2} to {context} tokens stand before each. "
        "Bits per byte compare across tokenizers, nats per token do not.\n\n"
        + "\n".join([head, *rows])
    )


def _architecture(outcome: Outcome) -> str:
    shape, kind = outcome.trained.model.config, native_format(outcome.trained.model.config)
    experts = f", {shape.experts} experts, {shape.experts_per_token} for each token"
    rows = {
        "stock architecture": f"`{CLASSES[kind]}`" if kind else why_not_native(shape),
        "parameters": f"{outcome.trained.parameters:,}",
        "layers, width": f"{shape.layers}, {shape.width}",
        "heads": f"{shape.heads} of width {shape.head_size}, {shape.kv_heads} for keys and values",
        "positions": shape.positions,
        "norm": shape.norm,
        "feed-forward": f"{shape.activation}, width {shape.hidden}"
        + (experts if shape.experts > 1 else ""),
        "context": f"{shape.context:,} tokens",
        "tokenizer": f"{outcome.config.tokenizer}, {shape.vocab_size:,} tokens",
        "head": "the token embedding" if shape.tied else "its own matrix",
    }
    lines = [f"| {name} | {table_cell(value)} |" for name, value in rows.items()]
    return "\n".join(["| | |", "|---|---|", *lines])


def _training(outcome: Outcome) -> str:
    trained, config = outcome.trained, outcome.config
    passes = trained.tokens_seen / len(outcome.corpus.train_ids)
    matrices = "Muon for matrices, AdamW for the rest" if config.optimizer == "muon" else "AdamW"
    return (
        f"From random weights: {trained.steps:,} steps, {trained.tokens_seen:,} tokens seen "
        f"({passes:.1f} passes over the training part), {trained.tokens_per_second:,.0f} tokens a "
        f"second. Optimizer: {matrices}.\n\n![Learning curve]({PICTURES}/learning_curve.png)"
    )


def _draw(axes: Axes, outcome: Outcome) -> None:
    draw_curve(
        axes,
        outcome.trained.history,
        along="seconds",
        label="seconds of training",
        unit="nats per token",
        scale="linear",  # it falls to a third, not to a thousandth
    )


def _intended_use(outcome: Outcome) -> str:
    return (
        "Learning how language models work, and playing with text in the manner of "
        f"`{_data(outcome)}`. Not for facts, advice or decisions."
    )


def _limits(outcome: Outcome) -> str:
    context, read = outcome.trained.model.config.context, len(outcome.corpus.train_ids)
    return (
        f"It is small and knows nothing but a text of {read:,} tokens: the sound of it, not the "
        f"world. What it says is invented. It sees {context:,} tokens at once; longer prompts must "
        "be cut from the left. It may repeat passages and biases of its data. The figures hold for "
        "text like its held-out part."
    )


def _credits(outcome: Outcome) -> str:
    own = not outcome.corpus.source.is_dataset
    return "Data: own." if own else f"Data `{_data(outcome)}`; see its card."


def _data(outcome: Outcome) -> str:
    return outcome.corpus.source.name.replace("`", "'")
