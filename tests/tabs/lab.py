"""The real thing in small for the tests of the page: a Hub, tiny models, a running app."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from hub_utils.connection import Hub
from hub_utils.names import RepoType
from hub_utils.push import Pushed, push_folder
from tests.training.index.conftest import Documents, make_encoder, make_rows

if TYPE_CHECKING:
    from training.index.documents import Document

ROOT = Path(__file__).parents[2]
TOKEN = "test-token-of-this-run"
LABELS = ("acq", "crude", "earn", "money-fx")
DEADLINE_S = 60.0
GENERATION = "text-generation"
COPIED = "Put butter and onion into the oven. This recipe was copied by good people. " * 2
WORDS = ("the", "said", "board", "dividend", "oil", "price", "bank", "money", "shares", "stock")


def wait_until(condition: Callable[[], object], *, what: str, seconds: float = DEADLINE_S) -> None:
    """Poll `condition` until it holds; fail with `what` was awaited."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for: {what}"
        time.sleep(0.05)


@dataclass
class HubProcess:
    """An embedded Hub in a process of its own, that can be stopped and started again."""

    root: Path
    port: int = 0
    _process: subprocess.Popen[str] | None = field(default=None, repr=False)

    def start(self) -> HubProcess:
        command = [sys.executable, "-m", "hub_utils.local_hub", "--port", str(self.port)]
        command += ["--root", str(self.root), "--token", TOKEN, "--no-seed"]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.port = int(json.loads(self._process.stdout.readline())["endpoint"].rsplit(":")[-1])
        return self

    def stop(self) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.wait(DEADLINE_S)
        assert self._process.stdout is not None
        self._process.stdout.close()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, cache: Path) -> Hub:
        return Hub(self.endpoint, TOKEN, namespace="lab", embedded=False, cache=cache)


def tiny_classifier(folder: Path, *, seed: int = 0, labels: tuple[str, ...] = LABELS) -> Path:
    """A random two-layer BERT with its tokenizer and a card, as a training would publish it."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    folder.mkdir(parents=True, exist_ok=True)
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    (folder / "vocab.txt").write_text("\n".join([*special, *WORDS]), "utf-8")
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(special) + len(WORDS),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
        id2label=dict(enumerate(labels)),
        label2id={label: index for index, label in enumerate(labels)},
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    tokenizer = BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=64)
    tokenizer.save_pretrained(folder)
    (folder / "README.md").write_text(
        _card(f"type: accuracy, name: Accuracy, value: {0.9 + seed / 1000}"), "utf-8"
    )
    return folder


TALE = (
    "Once upon a time there was a miller; 从前有一个磨坊主。 The wolf said: <b>who</b> is there? "
)
CONTEXT = 256  # tokens that a tiny generator sees


def tiny_generator(folder: Path, *, seed: int = 0) -> Path:
    """A random two-layer Llama with its tokenizer and a card, as a training would publish it.

    It knows no token that ends a text, so an answer is as long as was asked for.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from training.gpt.tokenizer import train_tokenizer

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = train_tokenizer("bytes", [TALE * 3], vocab_size=300)
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        initializer_range=0.3,
        bos_token_id=None,
        eos_token_id=None,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "README.md").write_text(
        _card(f"type: bits_per_byte, name: Bits per byte, value: {2 + seed / 1000}", GENERATION),
        "utf-8",
    )
    return folder


EVIL = "<script>harmed = true</script><img src=x onerror='window.harmed = true'> <b>alert</b>"


def corpus() -> list[Document]:
    """Small documents of three topics; one is hostile, and seven say nearly the same."""
    from training.index.documents import Document

    rows = [
        *make_rows(30),
        {"id": "evil", "title": EVIL, "text": f"An alert: {EVIL} was harmed.", "topic": "space"},
        *(
            {"id": f"copy{n}", "title": f"Copy {n}", "text": COPIED, "topic": "cooking"}
            for n in range(7)
        ),
    ]
    return [
        Document(
            row["id"],
            row["title"],
            row["text"],
            {"topic": row["topic"], "year": row.get("year", 1990), "serial": number},
        )
        for number, row in enumerate(rows)
    ]


def publish_index(hub: Hub, home: Path, name: str = "newsgroups-index") -> Pushed:
    """Publish a tiny encoder and an index of `corpus` that was made with it, as a build would."""
    from training.index.build import build
    from training.index.config import IndexConfig
    from training.index.encoder import load_encoder
    from training.index.publish import write_repository
    from training.shared.progress import Progress

    home.mkdir(parents=True, exist_ok=True)
    folder = make_encoder(home / "encoder")
    encoder = publish(hub, folder, "tiny-encoder")
    built = build(
        Documents(corpus()),
        load_encoder(folder, repo=str(encoder.repo), revision=encoder.revision),
        IndexConfig(overlap_tokens=8),
        output=home / "build",
        previous=None,
        progress=Progress("index", home / "build"),
        resume=False,
    )
    repo = hub.repo(name, "dataset")
    write_repository(built.folder, built.encoder, repo, hub=hub)
    return push_folder(built.folder, repo, hub=hub, message="Index")


def publish(
    hub: Hub,
    folder: Path,
    name: str = "reuters-classifier",
    message: str = "Train",
    type: RepoType = "model",
) -> Pushed:
    """Push a folder and return what was published."""
    return push_folder(folder, hub.repo(name, type), hub=hub, message=message)


def _card(metric: str, task: str = "text-classification") -> str:
    return f"""---
pipeline_tag: {task}
library_name: transformers
model-index:
- name: tiny
  results:
  - task: {{type: {task}}}
    dataset: {{type: lab/a-data-set, name: A data set}}
    metrics:
    - {{{metric}}}
---
# Tiny model

<script>window.harmed = true</script>
"""


@dataclass
class AppProcess:
    """`python app.py` as a user starts it."""

    home: Path
    environment: dict[str, str]
    arguments: tuple[str, ...] = ()
    url: str = ""
    _process: subprocess.Popen[str] | None = field(default=None, repr=False)

    def start(self) -> AppProcess:
        keep = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "LAB_", "GRADIO_"))}
        settings = {"LAB_PORT": "0", "LAB_HUB_ROOT": str(self.home / "hub"), **self.environment}
        self.home.mkdir(parents=True, exist_ok=True)
        with (self.home / "app.log").open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, str(ROOT / "app.py"), *self.arguments],
                cwd=self.home,
                env={**keep, **settings},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("LLM Core Lab is at "):
                self.url = line.split()[5].rstrip("/")
                return self
        raise AssertionError(f"the app ended: {self.log()}")

    def stop(self, how: signal.Signals = signal.SIGINT) -> int:
        assert self._process is not None
        self._process.send_signal(how)
        code = self._process.wait(DEADLINE_S)
        assert self._process.stdout is not None
        self._process.stdout.close()
        return code

    def log(self) -> str:
        return (self.home / "app.log").read_text("utf-8")


def environment_for(hub: HubProcess, home: Path, **more: str) -> dict[str, str]:
    """What points an app at `hub`."""
    return {
        "HF_ENDPOINT": hub.endpoint,
        "HF_TOKEN": TOKEN,
        "LAB_NAMESPACE": "lab",
        "HF_HOME": str(home / "cache"),
        **more,
    }


def tiny_clip(folder: Path, *, steps: int = 40) -> Path:
    """A CLIP of coloured shapes, trained for some steps, as a training would publish it."""
    from tests.training.clip.conftest import clip_options, make_text_encoder, write_pictures
    from training.cli import build_parser
    from training.clip.cli import train_and_publish

    pictures, text = write_pictures(folder / "pictures"), make_text_encoder(folder / "text")
    options = clip_options(pictures, text, folder / "run", "--no-push", "--max-steps", str(steps))
    train_and_publish(build_parser().parse_args(options))
    return folder / "run" / "repository"


def tiny_painter(folder: Path) -> Path:
    """A diffusion model of coloured shapes, trained for a few steps, as a training publishes it."""
    import pytest

    from tests.training.clip.conftest import make_text_encoder, write_pictures
    from tests.training.diffusion.conftest import TINY, parse
    from training.diffusion import config
    from training.diffusion.cli import train_and_publish

    pictures, text = write_pictures(folder / "pictures"), make_text_encoder(folder / "text")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(config.PRESETS, "tiny", TINY)
        train_and_publish(parse(pictures, text, folder / "run", "--no-push"))
    return folder / "run" / "repository"
