"""Passages embedded a second: ours against `SentenceTransformer.encode` with its defaults.

Run: python -m benchmarks.index_speed. Both get the same passages of 20 Newsgroups, in turns.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from itertools import islice
from typing import Any

PASSAGES, RUNS = 400, 3
ENCODER, DATA = "sentence-transformers/all-MiniLM-L6-v2", "newsgroups"


def main() -> int:
    """Measure and print the table and the figures."""
    import numpy as np

    from hub_utils.connection import connect
    from hub_utils.pull import pull
    from hub_utils.settings import Settings
    from training.index.documents import read_documents
    from training.index.encoder import load_encoder
    from training.index.passages import cut

    hub = connect(Settings.from_env())
    from sentence_transformers import SentenceTransformer  # imports the Hub's client

    folder = pull(hub.repo(ENCODER), hub=hub).folder
    ours, stock = load_encoder(folder), SentenceTransformer(str(folder))
    documents = list(islice(read_documents(DATA, hub=hub, split="test"), 2 * PASSAGES))
    size = {"max_tokens": ours.max_tokens, "overlap_tokens": 32}
    found = cut(documents, ours.tokenizer, **size)
    texts = [passage.embedded for passages in found for passage in passages][:PASSAGES]
    tokens = sum(len(one.ids) for one in ours.tokenizer.encode_batch(texts)) / len(texts)
    ways: dict[str, Callable[[list[str]], Any]] = {
        "ours": ours.encode,
        "`SentenceTransformer.encode`": lambda given: stock.encode(given, show_progress_bar=False),
    }
    rates: dict[str, list[float]] = {name: [] for name in ways}
    vectors: dict[str, Any] = {name: way(texts[:32]) for name, way in ways.items()}  # warm
    for _ in range(RUNS):
        for name, way in ways.items():
            start = time.perf_counter()
            vectors[name] = way(texts)
            rates[name].append(len(texts) / (time.perf_counter() - start))
    mine, theirs = vectors.values()
    cosines = (mine * theirs).sum(1) / np.linalg.norm(mine, axis=1) / np.linalg.norm(theirs, axis=1)
    print(f"{len(texts)} passages of {tokens:.0f} tokens on average.\n")
    print("| | passages/s (median) | spread |\n|---|---|---|")
    for name, found in rates.items():
        print(f"| {name} | {statistics.median(found):.1f} | {min(found):.1f} to {max(found):.1f} |")
    middle = {name: statistics.median(found) for name, found in rates.items()}
    ratio = middle["ours"] / middle["`SentenceTransformer.encode`"]
    mean, least = float(cosines.mean()), float(cosines.min())
    print(f"\n{ratio:.2f}× as many; cosine {mean:.4f} on average, {least:.4f} at least.")
    print(json.dumps({"ratio": ratio, "cosine": mean, "passages_s": middle["ours"]}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
