"""Lay out what a Hub gets: open_clip's files, the collection with its vectors, the card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub_utils.cards import Metric, ModelFacts, model_card
from hub_utils.names import RepoId
from hub_utils.snippets import picture_matcher
from training.clip.augment import MEAN, STD, sized
from training.clip.config import TOWERS, TrainConfig
from training.clip.evaluate import Evaluation, Retrieval
from training.clip.gallery import FILE, FOLDER, write_gallery
from training.clip.hubness import WEIGHT, familiarity
from training.clip.model import collection_vectors, model_config
from training.clip.train import Trained
from training.shared.captioned import PictureCorpus
from training.shared.clip_files import CONFIG, TEXT_FOLDER, WEIGHTS
from training.shared.device import probe
from training.shared.pictures import draw_curve, save_pictures
from training.shared.publishing import empty, table_cell, versions, write_json

LIBRARIES = ("torch", "open-clip-torch", "transformers", "datasets", "huggingface_hub")
PICTURES = "pictures"

GALLERY_SNIPPET = """\
```python
from datasets import load_dataset
from huggingface_hub import hf_hub_download

path = hf_hub_download("{repo}", "{file}")
pictures = load_dataset("parquet", data_files=path, split="train")
table = pictures.with_format("torch", columns=["embedding", "familiarity"])
with torch.inference_mode():
    text = model.encode_text(tokenizer(["{text}"]), normalize=True)[0]
values = table["embedding"][:].float() @ text - {weight} * table["familiarity"][:]
print(pictures[int(values.argmax())]["caption"])
```"""


@dataclass(frozen=True)
class Outcome:
    """All that the card speaks of."""

    corpus: PictureCorpus
    config: TrainConfig
    trained: Trained
    evaluation: Evaluation
    repo: RepoId
    command: str


def write_repository(outcome: Outcome, folder: Path) -> Path:
    """Write the repository's files into an empty `folder`."""
    from safetensors.torch import save_file

    empty(folder)
    model, tokenizer = outcome.trained.model, outcome.trained.tokenizer
    tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(tensors, folder / WEIGHTS)
    tokenizer.tokenizer.save_pretrained(folder)
    described = model_config(outcome.config, width=int(model.text.output_dim))
    preprocess = {
        "mean": [MEAN] * 3,
        "std": [STD] * 3,
        "interpolation": "bicubic",
        "resize_mode": "longest",
        "fill_color": 255,
    }
    write_json(folder / CONFIG, {"model_cfg": described, "preprocess_cfg": preprocess})
    model.text.config.save_pretrained(folder / TEXT_FOLDER)
    if outcome.config.gallery:
        import torch

        rgba = torch.from_numpy(outcome.corpus.all.rgba)
        vectors = collection_vectors(model, sized(rgba, outcome.config.image_size)).numpy()
        familiar = familiarity(vectors, outcome.trained.learned.numpy())
        write_gallery(outcome.corpus, vectors, familiar, folder / FOLDER)
    history = outcome.trained.history
    save_pictures({"learning_curve.png": lambda axes: draw_curve(axes, history)}, folder / PICTURES)
    write_json(folder / "evaluation.json", evaluation_figures(outcome.evaluation))
    (folder / "README.md").write_text(card(outcome), "utf-8")
    return folder


def evaluation_figures(evaluation: Evaluation) -> dict[str, Any]:
    """The evaluation as plain numbers, for programs."""
    found: dict[str, Any] = {}
    for name in ("held_out", "train", "control"):
        one: Retrieval = getattr(evaluation, name)
        found[name] = {
            **{f"text_to_image_recall_at_{k}": v for k, v in one.text_to_image.items()},
            **{
                f"text_to_image_recall_at_{k}_by_cosine": v
                for k, v in one.text_to_image_by_cosine.items()
            },
            **{f"image_to_text_recall_at_{k}": v for k, v in one.image_to_text.items()},
            "queries": one.queries,
            "collection": one.collection,
        }
    found["zero_shot_accuracy"] = evaluation.zero_shot
    found["zero_shot_control"] = evaluation.zero_shot_control
    found["categories"] = list(evaluation.categories)
    return found


def figures(outcome: Outcome) -> dict[str, Any]:
    """What the command prints last. Recalls are of pictures never seen in training."""
    trained, evaluation = outcome.trained, outcome.evaluation
    held_out, control = evaluation.held_out, evaluation.control
    found: dict[str, Any] = {}
    for k, value in held_out.text_to_image.items():
        found[f"text_to_image_recall_at_{k}"] = round(value, 6)
    for k, value in held_out.text_to_image_by_cosine.items():
        found[f"text_to_image_recall_at_{k}_by_cosine"] = round(value, 6)
    for k, value in held_out.image_to_text.items():
        found[f"image_to_text_recall_at_{k}"] = round(value, 6)
    found |= {
        "zero_shot_accuracy": round(evaluation.zero_shot, 6),
        "train_text_to_image_recall_at_10": round(evaluation.train.text_to_image[10], 6),
        "chance_recall_at_10": round(held_out.chance[10], 6),
        "chance_zero_shot": round(evaluation.zero_shot_chance, 6),
        "control_text_to_image_recall_at_10": round(control.text_to_image[10], 6),
        "control_zero_shot": round(evaluation.zero_shot_control, 6),
        "queries": held_out.queries,
        "collection": held_out.collection,
        "train_seconds": round(trained.seconds, 2),
        "steps": trained.steps,
        "pictures_per_second": round(trained.pictures_seen / max(trained.seconds, 1e-9), 1),
        "parameters": trained.parameters,
        "trainable_parameters": trained.trainable_parameters,
        "seed": outcome.config.seed,
        "repo": str(outcome.repo),
    }
    return found


def card(outcome: Outcome) -> str:
    """The README.md of the repository."""
    corpus, config, evaluation = outcome.corpus, outcome.config, outcome.evaluation
    texts = [captions[0] for captions in corpus.train.captions[:2]]
    facts = ModelFacts(
        title=outcome.repo.name,
        repo=outcome.repo,
        pipeline_tag="zero-shot-image-classification",
        library_name="open_clip",
        license=corpus.license,
        base_model=config.text,
        base_revision=config.text_revision,
        dataset_id=corpus.name if corpus.revision else None,
        dataset_revision=corpus.revision,
        dataset_split=corpus.held_out_name,
        metrics=(
            Metric("Text to image recall@10", "recall", evaluation.held_out.text_to_image[10]),
            Metric("Image to text recall@10", "recall", evaluation.held_out.image_to_text[10]),
            Metric("Zero-shot accuracy", "accuracy", evaluation.zero_shot),
        ),
        tags=("clip", "zero-shot-image-classification"),
        command=outcome.command,
        seed=config.seed,
        versions=versions(LIBRARIES),
        hardware=probe().name,
        train_seconds=outcome.trained.seconds,
        intended_use="Matching small, drawn pictures like those it was trained on with English "
        "texts, and learning how CLIP works.",
        limits="It was trained on drawings of one style and knows nothing of photos. Text inside a "
        "picture is not read. Lay transparent pictures on white before they are preprocessed.",
        snippet=picture_matcher(outcome.repo, texts=texts),
        sections=_sections(outcome),
        credits=f"Texts by `{config.text_name}`; {corpus.credit}",
    )
    return model_card(facts)


def _sections(outcome: Outcome) -> Mapping[str, str]:
    return {
        "Beside chance": _beside_chance(outcome),
        "Training": _training(outcome),
        "Its collection": _collection(outcome),
    }


def _beside_chance(outcome: Outcome) -> str:
    one, seen = outcome.evaluation.held_out, outcome.evaluation.train
    control, figures = outcome.evaluation.control, outcome.evaluation
    rows = [
        ("text to image, recall@1", "text_to_image", 1),
        ("text to image, recall@10", "text_to_image", 10),
        ("text to image by the cosine alone, recall@10", "text_to_image_by_cosine", 10),
        ("image to text, recall@1", "image_to_text", 1),
        ("image to text, recall@10", "image_to_text", 10),
    ]
    lines = [
        f"| {name} | **{getattr(one, kind)[k]:.3f}** | {one.chance[k]:.4f} | "
        f"{getattr(control, kind)[k]:.3f} | {getattr(seen, kind)[k]:.3f} |"
        for name, kind, k in rows
    ]
    zero = (
        f"| zero-shot, {len(figures.categories)} groups | **{figures.zero_shot:.3f}** | "
        f"{figures.zero_shot_chance:.3f} | {figures.zero_shot_control:.3f} | |"
    )
    learned = (
        "This model is a judge: it learned from the held-out pictures, too, so the first column "
        "says nothing about pictures it never saw.\n\n"
        if outcome.config.all_pictures
        else ""
    )
    return (
        f"{learned}{one.queries:,} queries of {outcome.corpus.held_out_name}, among "
        f"{one.collection:,} pictures of both parts, one of each group (skin tones and genders of "
        "one emoji are a group, and never divided). The control is the same image tower with "
        "random weights.\n\n"
        "| | held out | chance | control | queries of the training part |\n|---|---|---|---|---|\n"
        + "\n".join([*lines, *([zero] if figures.categories else [])])
    )


def _training(outcome: Outcome) -> str:
    trained, config = outcome.trained, outcome.config
    tower = ", ".join(f"{key} {value}" for key, value in TOWERS[config.tower].items())
    whitened = ", followed by a matrix that whitens the captions' vectors" if config.whiten else ""
    how = "CLIP's softmax loss" if config.loss == "softmax" else "SigLIP's sigmoid loss"
    return (
        f"The image tower ({tower}; {config.image_size} pixels a side) began with random weights: "
        f"{trained.trainable_parameters:,} of {trained.parameters:,} weights were trained in "
        f"{trained.steps:,} steps of {config.batch_size} pictures, with {how}. The texts' tower is "
        f"`{table_cell(config.text_name)}`, its weights unchanged{whitened}.\n\n"
        f"![Learning curve]({PICTURES}/learning_curve.png)"
    )


def _collection(outcome: Outcome) -> str:
    if not outcome.config.gallery:
        return ""
    snippet = GALLERY_SNIPPET.format(
        repo=outcome.repo,
        file=f"{FOLDER}/{FILE}",
        text=outcome.corpus.train.captions[0][0].replace('"', "'"),
        weight=WEIGHT,
    )
    return (
        f"`{FOLDER}/` holds the {len(outcome.corpus.all):,} pictures with captions and this "
        "model's vectors, each the mean of a picture as it is and slightly moved, turned and "
        "tinted. A picture that was learned lies near its caption and near every text like it, so "
        "its cosine with the nearest learned caption (`familiarity`) counts against it; then those "
        f"that were never seen are found, too:\n\n{snippet}"
    )
