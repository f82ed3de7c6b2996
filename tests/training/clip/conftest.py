"""Coloured shapes with captions, a tiny text encoder, a small training: real ones, once a session."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

COLORS = ("red", "green", "blue", "yellow", "purple", "orange")
SHAPES = ("square", "circle", "triangle", "cross")


def draw(color: str, shape: str, *, size: int = 40, shift: int = 0) -> Image.Image:
    """A shape on a transparent ground."""
    picture = Image.new("RGBA", (size, size), (0, 0, 0, 0))
    pen = ImageDraw.Draw(picture)
    a, b, middle = 6 + shift, size - 6 + shift, size // 2 + shift
    if shape == "square":
        pen.rectangle((a, a, b, b), fill=color)
    elif shape == "circle":
        pen.ellipse((a, a, b, b), fill=color)
    elif shape == "triangle":
        pen.polygon([(middle, a), (b, b), (a, b)], fill=color)
    else:
        pen.rectangle((middle - 4, a, middle + 4, b), fill=color)
        pen.rectangle((a, middle - 4, b, middle + 4), fill=color)
    return picture


def write_pictures(folder: Path, *, copies: int = 2) -> Path:
    """A folder of pictures with metadata.jsonl: caption, category, group."""
    folder.mkdir(parents=True)
    lines = []
    for color in COLORS:
        for shape in SHAPES:
            for copy in range(copies):
                name = f"{color}-{shape}-{copy}.png"
                draw(color, shape, shift=copy).save(folder / name)
                row = {"file_name": name, "caption": f"{color} {shape}", "category": shape}
                lines.append(json.dumps({**row, "group": f"{color} {shape}"}))
    (folder / "metadata.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    return folder


def make_text_encoder(folder: Path) -> Path:
    """A random BERT of width 32 whose tokenizer knows the words of the captions."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, BertTokenizerFast

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *COLORS, *SHAPES, "an", "emoji", "of"]
    vocabulary = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    BertTokenizerFast(tokenizer_object=tokenizer, model_max_length=64).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.3,  # words far enough apart to tell them without training
    )
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


def clip_options(data: Path | str, text: Path | str, folder: Path, *more: str) -> list[str]:
    """A command of `python -m training` that trains in some seconds."""
    options = (
        f"clip --data {data} --text {text} --output-dir {folder} --image-size 32 --batch-size 16"
    )
    return [*options.split(), *more]


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of 48 pictures in 24 groups."""
    return write_pictures(tmp_path_factory.mktemp("pictures") / "shapes")


@pytest.fixture(scope="session")
def text_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the tiny text encoder."""
    return make_text_encoder(tmp_path_factory.mktemp("text") / "encoder")


@pytest.fixture(scope="session")
def finished(
    pictures: Path, text_encoder: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Any]:
    """(work folder, figures) of one small training by the command line's own function."""
    from training.cli import build_parser
    from training.clip.cli import train_and_publish

    folder = tmp_path_factory.mktemp("finished")
    options = clip_options(pictures, text_encoder, folder, "--no-push", "--max-steps", "120")
    return folder, train_and_publish(build_parser().parse_args(options))
