"""A tiny encoder, a tiny corpus, a tiny trained classifier: real ones, made once a session."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pytest

from training.shared.tables import Examples

TOPICS = {
    "crude": ["oil", "barrel", "opec", "refinery", "petroleum"],
    "earn": ["profit", "dividend", "quarter", "earnings", "shares"],
    "grain": ["wheat", "corn", "harvest", "tonnes", "soybean"],
}
FILLER = [
    "the",
    "a",
    "of",
    "in",
    "to",
    "said",
    "for",
    "on",
    "it",
    "would",
    "company",
    "market",
    "week",
    "prices",
    "new",
    "reuter",
]


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """Tiny operators gain nothing from threads and wait for each other on a busy machine."""
    import torch

    torch.set_num_threads(1)


def make_examples(count: int, *, seed: int, labels: tuple[str, ...] = tuple(TOPICS)) -> Examples:
    """Sentences of 4 to 14 words; two or three of them tell the topic."""
    rng = random.Random(seed)
    texts, chosen = [], []
    for _ in range(count):
        label = rng.choice(labels)
        words = rng.choices(FILLER, k=rng.randint(2, 11)) + rng.choices(TOPICS[label], k=3)
        rng.shuffle(words)
        texts.append(" ".join(words))
        chosen.append(label)
    return Examples(tuple(texts), tuple(chosen))


def write_tsv(path: Path, examples: Examples) -> Path:
    """The examples as a headerless two-column file."""
    rows = zip(examples.texts, examples.labels, strict=True)
    path.write_text("".join(f"{text}\t{label}\n" for text, label in rows), "utf-8")
    return path


def make_tokenizer(folder: Path):
    """A WordPiece tokenizer trained on the words of the corpus."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import BertTokenizerFast

    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=120, special_tokens=special)
    words = [*FILLER, *(word for words in TOPICS.values() for word in words)]
    tokenizer.train_from_iterator(words * 3, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    fast = BertTokenizerFast(tokenizer_object=tokenizer, model_max_length=64)
    fast.save_pretrained(folder)
    return fast


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a random BERT with 3 layers of width 32."""
    import torch
    from transformers import BertConfig, BertModel

    folder = tmp_path_factory.mktemp("encoder")
    tokenizer = make_tokenizer(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.1,  # words far enough apart to learn from without tuning them
    )
    BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def sentence_encoder(encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same BERT, saying as a sentence encoder does that its vector is the mean of tokens."""
    folder = tmp_path_factory.mktemp("sentences") / "encoder"
    shutil.copytree(encoder, folder)
    (folder / "1_Pooling").mkdir()
    settings = json.dumps({"word_embedding_dimension": 32, "pooling_mode_mean_tokens": True})
    (folder / "1_Pooling" / "config.json").write_text(settings, "utf-8")
    return folder


@pytest.fixture(scope="session")
def roberta(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a random RoBERTa: positions from the padding id on, no pooler."""
    import torch
    from transformers import RobertaConfig, RobertaModel

    folder = tmp_path_factory.mktemp("roberta")
    tokenizer = make_tokenizer(folder)
    torch.manual_seed(0)
    config = RobertaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=66,
        pad_token_id=0,
        type_vocab_size=1,
    )
    RobertaModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def distilbert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a random encoder whose layers have another shape."""
    import torch
    from transformers import DistilBertConfig, DistilBertModel

    folder = tmp_path_factory.mktemp("distilbert")
    tokenizer = make_tokenizer(folder)
    torch.manual_seed(0)
    config = DistilBertConfig(
        vocab_size=len(tokenizer), dim=32, n_layers=2, n_heads=4, hidden_dim=64,
        max_position_embeddings=64,
    )  # fmt: skip
    DistilBertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def corpus_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 labelled sentences in a headerless tsv."""
    return write_tsv(tmp_path_factory.mktemp("data") / "news.tsv", make_examples(300, seed=1))


@pytest.fixture(scope="session")
def finished(encoder: Path, corpus_file: Path, tmp_path_factory: pytest.TempPathFactory):
    """(work folder, figures) of one small training by the command line's own function."""
    from training.bert.cli import train_and_publish
    from training.cli import build_parser

    folder = tmp_path_factory.mktemp("finished")
    options = (
        f"bert --data {corpus_file} --base {encoder} --no-push --output-dir {folder} "
        "--max-steps 250 --batch-size 16 --learning-rate 0.006 --trained-layers 3"
    )
    return folder, train_and_publish(build_parser().parse_args(options.split()))
