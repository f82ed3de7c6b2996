"""A tiny sentence encoder and small corpora: real ones, made once a session."""

from __future__ import annotations

import json
import random
import string
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from training.index.manifest import Source

TOPICS = {
    "space": ["orbit", "rocket", "moon", "launch", "satellite", "shuttle"],
    "hockey": ["goal", "puck", "team", "skate", "season", "playoff"],
    "cooking": ["oven", "bread", "salt", "butter", "recipe", "onion"],
}
FILLER = [
    *("the", "a", "of", "in", "to", "was", "for", "on", "it", "would", "when", "because"),
    *("people", "week", "time", "day", "new", "long", "small", "good", "they", "said"),
]
WINDOW = 64  # tokens that the tiny encoder reads


@dataclass
class Documents:
    """What a reader gives: documents, where they come from, what was wrong."""

    items: list[Any]
    source: Source = field(default_factory=lambda: Source("letters.jsonl"))
    problems: list[str] = field(default_factory=list)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.items)


def make_tokenizer(folder: Path) -> Any:
    """A WordPiece tokenizer that knows the corpora's words, and every other by its letters."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertTokenizerFast

    letters = string.ascii_lowercase + string.digits + string.punctuation
    words = [*FILLER, *(word for topic in TOPICS.values() for word in topic)]
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces = [*special, *letters, *(f"##{letter}" for letter in letters), *words]
    vocabulary = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    fast = BertTokenizerFast(tokenizer_object=tokenizer, model_max_length=WINDOW)
    fast.save_pretrained(folder)
    return fast


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny encoder."""
    return make_encoder(tmp_path_factory.mktemp("tiny") / "tiny-encoder")


def make_encoder(folder: Path) -> Path:
    """A random BERT with 2 layers of width 32, as sentence-transformers saves one."""
    import torch
    from transformers import BertConfig, BertModel

    folder.mkdir()
    tokenizer = make_tokenizer(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=WINDOW,
        initializer_range=0.1,
    )
    BertModel(config).eval().save_pretrained(folder)
    _say_it_is_a_sentence_encoder(folder)
    return folder


def _say_it_is_a_sentence_encoder(folder: Path) -> None:
    kinds = {"": "Transformer", "1_Pooling": "Pooling", "2_Normalize": "Normalize"}
    modules = [
        {
            "idx": number,
            "name": str(number),
            "path": path,
            "type": f"sentence_transformers.models.{kind}",
        }
        for number, (path, kind) in enumerate(kinds.items())
    ]
    contents = {
        "modules.json": modules,
        "sentence_bert_config.json": {"max_seq_length": WINDOW, "do_lower_case": False},
        "1_Pooling/config.json": {"word_embedding_dimension": 32, "pooling_mode_mean_tokens": True},
    }
    for name, content in contents.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps(content), "utf-8")


def make_rows(count: int, *, seed: int = 0) -> list[dict[str, Any]]:
    """Documents of one to four paragraphs with an id, a title, a topic and a year."""
    rng = random.Random(seed)
    return [make_row(f"d{number:03d}", rng) for number in range(count)]


def make_row(id: str, rng: random.Random) -> dict[str, Any]:
    """One document; most are longer than the encoder reads at once."""
    topic = rng.choice(list(TOPICS))
    paragraphs = [
        " ".join(_sentence(topic, rng) for _ in range(rng.randint(2, 6)))
        for _ in range(rng.randint(1, 4))
    ]
    return {
        "id": id,
        "title": f"{rng.choice(TOPICS[topic])} {rng.choice(FILLER)}",
        "text": "\n\n".join(paragraphs),
        "topic": topic,
        "year": rng.randint(1990, 1999),
    }


def _sentence(topic: str, rng: random.Random) -> str:
    words = rng.choices(FILLER, k=rng.randint(4, 9)) + rng.choices(TOPICS[topic], k=2)
    rng.shuffle(words)
    return " ".join(words).capitalize() + "."


def write_jsonl(path: Path, rows: Iterable[dict[str, Any]]) -> Path:
    """A document on each line."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 documents in a jsonl file."""
    return write_jsonl(tmp_path_factory.mktemp("corpus") / "letters.jsonl", make_rows(60))
