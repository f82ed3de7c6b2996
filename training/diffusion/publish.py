"""Lay out what a Hub gets: the pipeline's files, pictures, the card."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub_utils.cards import Metric, ModelFacts, model_card
from hub_utils.names import RepoId
from hub_utils.snippets import painter
from training.diffusion.config import FACTS, TrainConfig
from training.diffusion.evaluate import CHOICES, SEEDS, Combinations, Evaluation
from training.diffusion.milestones import SHARES
from training.diffusion.sheets import enlarged, sheet
from training.diffusion.train import Trained
from training.shared.captioned import PictureCorpus, Pictures
from training.shared.device import probe
from training.shared.pictures import draw_curve, save_pictures
from training.shared.publishing import empty, plain_markdown, table_cell, versions, write_json

if TYPE_CHECKING:
    from PIL.Image import Image

LIBRARIES = ("torch", "diffusers", "transformers", "datasets", "huggingface_hub")
PICTURES = "pictures"
EVALUATION = "evaluation.json"
COMPARED = ("judge", "judge_revision", "prompts")  # alike where two accuracies can be compared
SAMPLE_SIDE = 64


@dataclass(frozen=True)
class Outcome:
    """All that the card speaks of."""

    corpus: PictureCorpus
    collection: Pictures  # one of each group that was learnt
    pictures: int  # that were learnt
    config: TrainConfig
    trained: Trained
    evaluation: Evaluation
    repo: RepoId
    command: str
    started_from: str | None = None  # repository and revision
    milestones: Image | None = None  # what it painted while it learnt


def write_repository(outcome: Outcome, folder: Path) -> Path:
    """Write the repository's files into an empty `folder`."""
    empty(folder)
    pipeline = outcome.trained.pipeline
    pipeline.save_pretrained(folder, safe_serialization=True)
    evaluation = outcome.evaluation
    settings = asdict(outcome.config)
    settings["text"] = outcome.config.text_name
    write_json(
        folder / FACTS,
        {
            "steps": evaluation.steps,
            "guidance": evaluation.guidance,
            "prompts": [captions[0] for captions in outcome.collection.captions],
            "settings": settings,
        },
    )
    history = outcome.trained.history
    save_pictures({"learning_curve.png": lambda axes: draw_curve(axes, history)}, folder / PICTURES)
    evaluation.grid.save(folder / PICTURES / "grid.png")
    beside(evaluation.samples).save(folder / PICTURES / "beside_nearest.png")
    if evaluation.combinations:
        beside(evaluation.combinations.samples).save(folder / PICTURES / "combinations.png")
    if outcome.milestones:
        outcome.milestones.save(folder / PICTURES / "milestones.png")
    write_json(folder / EVALUATION, evaluation_figures(evaluation))
    (folder / "README.md").write_text(card(outcome), "utf-8")
    return folder


def beside(samples: Sequence[tuple[str, Image, Image]]) -> Image:
    """Of each sample its first picture above its second, in rows of eight pairs."""
    pairs = [
        sheet([enlarged(image, SAMPLE_SIDE) for image in pair], columns=1, gap=(0, 2))
        for _, *pair in samples
    ]
    return sheet(pairs, columns=8, gap=(4, 10))


def evaluation_figures(evaluation: Evaluation) -> dict[str, Any]:
    """The evaluation as plain numbers, for programs."""
    held_out = evaluation.combinations
    combinations = (
        {
            "combination_accuracy": held_out.accuracy,
            "combination_accuracy_of_real_pictures": held_out.real,
            "combinations": held_out.prompts,
        }
        if held_out
        else {}
    )
    return {
        "prompt_accuracy": evaluation.accuracy,
        "prompt_accuracy_of_real_pictures": evaluation.real,
        "prompt_accuracy_of_noise": evaluation.noise,
        "chance": evaluation.chance,
        "judge": evaluation.judge,
        "judge_revision": evaluation.judge_revision,
        "diversity": evaluation.diversity,
        "collection_diversity": evaluation.collection_diversity,
        "copies": evaluation.copies,
        "images_per_second": evaluation.images_per_second,
        "prompts": evaluation.prompts,
        "steps": evaluation.steps,
        "guidance": evaluation.guidance,
        **combinations,
    }


def accuracy_before(folder: Path, now: Evaluation) -> float | None:
    """Prompt accuracy (0 to 1) that a published folder states, if it can be set beside `now`.

    None: it states none, or by another judge, or of other prompts.
    """
    try:
        before = json.loads((folder / EVALUATION).read_text("utf-8"))
        alike = all(before[name] == getattr(now, name) for name in COMPARED)
        return float(before["prompt_accuracy"]) if alike else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def figures(outcome: Outcome) -> dict[str, Any]:
    """What the command prints last."""
    trained, evaluation = outcome.trained, outcome.evaluation
    found = evaluation_figures(evaluation)
    rounded = {k: round(v, 6) if isinstance(v, float) else v for k, v in found.items()}
    rounded["sampling_steps"] = rounded.pop("steps")
    return {
        **rounded,
        "train_seconds": round(trained.seconds, 2),
        "decoder_seconds": round(trained.decoder_seconds, 2),
        "decoder_steps": trained.decoder_steps,
        "steps": trained.steps,
        "pictures_per_second": round(
            trained.pictures_seen / max(trained.seconds - trained.decoder_seconds, 1e-9), 1
        ),
        "parameters": trained.parameters,
        "seed": outcome.config.seed,
        "repo": str(outcome.repo),
    }


def card(outcome: Outcome) -> str:
    """The README.md of the repository."""
    corpus, config, evaluation = outcome.corpus, outcome.config, outcome.evaluation
    measured = evaluation.accuracy is not None
    facts = ModelFacts(
        title=outcome.repo.name,
        repo=outcome.repo,
        pipeline_tag="text-to-image",
        library_name="diffusers",
        license=corpus.license,
        base_model=config.text,
        base_revision=config.text_revision,
        dataset_id=corpus.name if corpus.revision else None,
        dataset_revision=corpus.revision,
        dataset_split=f"{outcome.pictures:,} pictures that were learnt",
        metrics=(
            (Metric("Prompt accuracy", "accuracy", float(evaluation.accuracy or 0)),)
            if measured
            else ()
        ),
        tags=("text-to-image", "diffusion", "emoji"),
        command=outcome.command,
        seed=config.seed,
        versions=versions(LIBRARIES),
        hardware=probe().name,
        train_seconds=outcome.trained.seconds,
        intended_use="Painting small drawings of the things it has learnt, and learning how latent "
        "diffusion works.",
        limits=f"It has seen {outcome.pictures:,} drawings of one style, of "
        f"{config.image_size} pixels a side, and paints little else. Give the steps and the "
        f"guidance as above: the library's own defaults (50 and 7.5) are slower and no better.",
        snippet=painter(
            outcome.repo,
            prompt=outcome.collection.captions[0][0],
            steps=evaluation.steps,
            guidance=evaluation.guidance,
        ),
        sections=_sections(outcome),
        credits=f"Texts by `{config.text_name}`; {corpus.credit}",
    )
    return model_card(facts)


def _sections(outcome: Outcome) -> Mapping[str, str]:
    evaluation = outcome.evaluation
    held_out = evaluation.combinations
    return {
        "Samples": f"One of each of some prompts, {evaluation.steps} steps, guidance "
        f"{evaluation.guidance:g}.\n\n![Grid of samples]({PICTURES}/grid.png)",
        "Does it paint what was asked for?": _accuracy(outcome),
        **({"Combinations": _combinations(held_out)} if held_out else {}),
        "Copies": _copies(evaluation),
        "Training": _training(outcome),
    }


def _combinations(held_out: Combinations) -> str:
    prompts = ", ".join(plain_markdown(prompt) for prompt, _, _ in held_out.samples)
    measured = (
        "It was not measured: there was no judge."
        if held_out.accuracy is None
        else f"The judge chooses the prompt for **{held_out.accuracy:.3f}** of the painted "
        f"pictures and for {held_out.real:.3f} of the real ones."
    )
    return (
        f"Of {held_out.prompts:,} things with several details (a hand in five skin tones), one "
        "detail each was kept back: the thing was learnt, the detail was learnt on other things, "
        f"the two together never. The prompt has to beat {CHOICES - 1} texts, among them the same "
        f"thing with each other detail. {measured}\n\nPainted, above the real one that it has "
        f"never seen: {prompts}.\n\n![Combinations]({PICTURES}/combinations.png)"
    )


def _accuracy(outcome: Outcome) -> str:
    evaluation = outcome.evaluation
    if evaluation.accuracy is None:
        return "It was not measured: there was no judge."
    choices = min(CHOICES, evaluation.prompts)
    name = table_cell(plain_markdown(evaluation.judge or ""))
    revision = f" at `{evaluation.judge_revision}`" if evaluation.judge_revision else ""
    return (
        f"For each of {evaluation.prompts:,} pictures, one of each prompt of the collection, an "
        f"independent CLIP ({name}{revision}) chooses among {choices} texts: the prompt and "
        f"{choices - 1} others of the collection.\n\n"
        "| pictures | share for which it chooses the prompt |\n|---|---|\n"
        f"| painted | **{evaluation.accuracy:.3f}** |\n"
        f"| real ones | {evaluation.real:.3f} |\n"
        f"| noise | {evaluation.noise:.3f} |\n"
        f"| chance | {evaluation.chance:.3f} |"
    )


def _copies(evaluation: Evaluation) -> str:
    prompts = ", ".join(plain_markdown(prompt) for prompt, _, _ in evaluation.samples)
    return (
        f"Each sample is above the picture of the collection that is nearest to it, pixel by "
        f"pixel. The prompts: {prompts}.\n\n"
        f"![Samples above their nearest pictures]({PICTURES}/beside_nearest.png)\n\n"
        f"A share of {evaluation.copies:.3f} of all samples is nearer to a picture of the "
        "collection than that one is to any other of it: those are copies, moved a little. "
        f"Diversity: {SEEDS} pictures of one prompt are {evaluation.diversity:.3f} apart on "
        "average (root of the mean squared difference, colours from 0 to 1); different pictures of "
        f"the collection {evaluation.collection_diversity:.3f}."
    )


def _a_step(trained: Trained) -> int:
    """Pictures of a step: fewer than the batch size where there are not so many."""
    return trained.pictures_seen // max(1, trained.steps)


def _training(outcome: Outcome) -> str:
    trained, config = outcome.trained, outcome.config
    unet = trained.pipeline.unet
    side = unet.config.sample_size
    went_on = f"It went on from {outcome.started_from}. " if outcome.started_from else ""
    return (
        f"{went_on}{_learnt(outcome)} The "
        f"autoencoder's encoder gives {unet.config.in_channels} principal components of each "
        f"piece of {config.image_size // side} by {config.image_size // side} pixels; its decoder "
        f"was trained in {trained.decoder_steps:,} steps ({trained.decoder_seconds:.0f} s). The "
        f"U-Net ({unet.num_parameters():,} weights, {side} by {side} positions) "
        f"was trained in {trained.steps:,} steps of {_a_step(trained)} pictures to predict v, "
        "the noisier times more often, with Muon and a moving average. The texts are encoded by "
        f"`{table_cell(config.text_name)}`, its weights unchanged.\n\n"
        f"![Learning curve]({PICTURES}/learning_curve.png){_milestones(outcome)}"
    )


def _learnt(outcome: Outcome) -> str:
    groups = len(outcome.collection)
    if outcome.pictures > groups:
        return f"It learnt {outcome.pictures:,} pictures of {groups:,} groups, with their variants."
    return (
        f"The collection: {groups:,} pictures, one of each group, without skin tones, spread over "
        "the kinds that the data names, short captions first."
    )


def _milestones(outcome: Outcome) -> str:
    if outcome.milestones is None:
        return ""
    shares = ", ".join(f"{share:.0%}" for share in SHARES)
    return (
        f"\n\nWhat the same prompts and the same noise gave after {shares} of the time, from the "
        f"top:\n\n![While it learnt]({PICTURES}/milestones.png)"
    )
