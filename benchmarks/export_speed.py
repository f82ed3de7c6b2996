"""The exported ONNX files in onnxruntime beside what serves today: same weights, same texts, a CPU.

Run: python -m benchmarks.export_speed [CLASSIFIER]   (default: reuters-classifier)

Writes the files itself, in float32 and with 8-bit weights, for the classifier and for the index's
encoder. Texts are of the held-out part of Reuters R8. onnxruntime gets what helps it: every core,
texts sorted by length in batches of 16. Rounds alternate, so that a busy moment hits all.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

TEXTS, SINGLES = 200, 20  # the time of one is measured with SINGLES texts in every round
ROUNDS = 5
BATCH = 16
Vectors = np.ndarray  # (texts, labels) logits, or (texts, width) vectors


@dataclass(frozen=True)
class Way:
    """One way to compute: many texts, and one."""

    name: str
    many: Callable[[Sequence[str]], Any]
    one: Callable[[str], Any]


class OnnxWay:
    """A file in onnxruntime with the tokenizer in front."""

    def __init__(self, path: Path, tokenizer: Any, *, output: str, max_tokens: int) -> None:
        import onnxruntime

        self.session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        self.tokenizer, self.output, self.max_tokens = tokenizer, output, max_tokens

    def run(self, texts: Sequence[str]) -> Vectors:
        """In the order of `texts`."""
        order = np.argsort([len(text) for text in texts], kind="stable")
        pieces = [self._batch([texts[row] for row in part]) for part in _parts(order)]
        return np.concatenate(pieces)[np.argsort(order)]

    def _batch(self, texts: list[str]) -> Vectors:
        tokens = self.tokenizer(
            texts, padding=True, truncation=True, max_length=self.max_tokens, return_tensors="np"
        )
        answer: Vectors = self.session.run([self.output], dict(tokens))[0]
        return answer


def main(arguments: list[str]) -> int:
    """Measure both models and print the table and the figures."""
    from training.bert.config import DEFAULT_REPO

    name = arguments[0] if arguments else DEFAULT_REPO
    with tempfile.TemporaryDirectory() as folder:
        figures = [*measure_classifier(name, Path(folder)), *measure_encoder(Path(folder))]
    print(table(figures))
    print(json.dumps(figures))
    return 0


def measure_classifier(name: str, folder: Path) -> list[dict[str, Any]]:
    """Served, ONNX, ONNX in 8 bits; the same labels for how many texts."""
    from training.bert.inference import load
    from training.export.onnx_file import classifier

    served, texts = load(name), held_out_texts()
    source = _snapshot(name)
    ways = [
        Way("classifier, served", served.classify, lambda text: served.classify([text])),
        *_onnx_ways("classifier", classifier(source), folder, served.max_tokens),
    ]
    labels = [next(iter(scores)) for scores in served.classify(texts)]
    for way, figure in zip(ways, found := measured(ways, texts), strict=True):
        answers = way.many(texts)
        same = [label == _label(a, served) for label, a in zip(labels, answers, strict=True)]
        figure["agreement"] = f"{100 * sum(same) / len(same):.1f} % of labels"
    return found


def measure_encoder(folder: Path) -> list[dict[str, Any]]:
    """The same for the vectors of the index's default encoder, and how near they are."""
    from training.export.onnx_file import encoder
    from training.index.config import DEFAULT_ENCODER
    from training.index.encoder import load_encoder

    source, texts = _snapshot(DEFAULT_ENCODER), held_out_texts()
    served = load_encoder(source)
    ways = [
        Way("encoder, served", served.encode, served.encode_query),
        *_onnx_ways("encoder", encoder(source), folder, served.max_tokens),
    ]
    vectors = served.encode(texts)
    for way, figure in zip(ways, found := measured(ways, texts), strict=True):
        cosines = (np.asarray(way.many(texts)) * vectors).sum(1)
        figure["agreement"] = f"cosine {cosines.min():.4f} or more"
    return found


def measured(ways: Sequence[Way], texts: Sequence[str]) -> list[dict[str, Any]]:
    """Texts a second over all and the time of one, for each way, in turns."""
    rates: dict[str, list[float]] = {way.name: [] for way in ways}
    singles: dict[str, list[float]] = {way.name: [] for way in ways}
    for way in ways:
        way.many(texts[:BATCH])
        way.one(texts[0])
    for _ in range(ROUNDS):
        for way in ways:
            rates[way.name].append(len(texts) / seconds(lambda way=way: way.many(texts)))
            # Not text by text in turns: onnxruntime's threads still spin when the next way starts.
            for text in texts[:SINGLES]:
                singles[way.name].append(seconds(lambda way=way, text=text: way.one(text)))
    return [
        {
            "way": way.name,
            "texts_per_second": [round(rate, 1) for rate in rates[way.name]],
            "single_p50_ms": round(1000 * statistics.median(singles[way.name]), 2),
        }
        for way in ways
    ]


def held_out_texts() -> list[str]:
    """TEXTS of R8's test part, spread evenly over it."""
    from hub_utils.connection import connect
    from hub_utils.settings import Settings
    from training.bert.config import DEFAULT_DATA
    from training.bert.data import load_corpus

    texts = load_corpus(DEFAULT_DATA, hub=connect(Settings.from_env())).held_out.texts
    return list(texts[:: max(1, len(texts) // TEXTS)])[:TEXTS]


def seconds(work: Callable[[], Any]) -> float:
    """How long it takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def table(figures: list[dict[str, Any]]) -> str:
    """The figures as Markdown."""
    rows = [
        f"| {f['way']} | {statistics.median(f['texts_per_second']):.1f} "
        f"| {min(f['texts_per_second']):.1f} to {max(f['texts_per_second']):.1f} "
        f"| {f['single_p50_ms']:.1f} | {f['agreement']} |"
        for f in figures
    ]
    head = "| | texts/s (median) | spread | one text, p50 ms | as served |\n|---|---|---|---|---|"
    return "\n".join([head, *rows])


def _onnx_ways(name: str, traced: Any, folder: Path, max_tokens: int) -> list[Way]:
    from onnxruntime.quantization import quantize_dynamic

    from training.export.onnx_file import write_onnx

    exact, rounded = folder / f"{name}.onnx", folder / f"{name}-8bit.onnx"
    write_onnx(traced, exact, name=name)
    quantize_dynamic(exact, rounded, per_channel=True)
    output = list(traced.outputs.values())[-1]
    ways = []
    for title, path in (("ONNX, float32", exact), ("ONNX, 8-bit weights", rounded)):
        way = OnnxWay(path, traced.tokenizer, output=output, max_tokens=max_tokens)
        ways.append(Way(f"{name}, {title}", way.run, lambda text, way=way: way.run([text])))
    return ways


def _parts(order: np.ndarray) -> list[np.ndarray]:
    return [order[at : at + BATCH] for at in range(0, len(order), BATCH)]


def _label(answer: Any, served: Any) -> str:
    """The best label of an answer: scores by label, or logits."""
    if isinstance(answer, dict):
        return str(next(iter(answer)))
    return str(served.labels[int(np.argmax(answer))])


def _snapshot(name: str) -> Path:
    from hub_utils.origin import find_model

    return find_model(name).folder


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
