"""How well dense, keyword and hybrid search find, on collections that fusion was not chosen on.

Run: python -m benchmarks.index_quality [--collections torch tales …] [--rules]

Every mode answers the same queries over the same passages; a hybrid's lead is the difference query
by query. --rules also measures every rule of fusion, on the collection that they are chosen on.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping

from benchmarks.index_collections import COLLECTIONS, TUNED_ON, Collection, Kind
from training.index.evaluate import Evaluation, ask, compare, evaluate
from training.index.fusion import DEFAULT_RULE, RULES
from training.index.inference import index_texts
from training.index.search import MODES, SearchIndex
from training.shared.cli import quiet_libraries

METRIC = "ndcg_at_10"


def main(arguments: list[str]) -> int:
    """Measure and print the tables and the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--collections", nargs="+", choices=COLLECTIONS, default=list(COLLECTIONS))
    parser.add_argument("--rules", action="store_true", help=f"every rule, on {TUNED_ON}")
    args = parser.parse_args(arguments)
    quiet_libraries()
    encoder = open_encoder()
    rows, figures = [], {}
    for name in args.collections:
        collection = COLLECTIONS[name].make()
        if collection is None:
            print(f"{name}: left out, its package is not installed", file=sys.stderr)
            continue
        began = time.perf_counter()
        index = index_texts(collection.documents, encoder, mapped=False)
        print(
            f"{name}: {len(index)} passages, {time.perf_counter() - began:.0f} s", file=sys.stderr
        )
        questions = ask(index, collection.queries, collection.qrels)
        found = compare(index, questions, skip_own=collection.own)
        rows.append(row(name, COLLECTIONS[name], collection, found))
        figures[name] = {mode: one.figures() for mode, one in found.items()}
        if args.rules and name == TUNED_ON:
            figures["rules"] = rules(index, collection)
    print(table(rows))
    print(notes(args.collections))
    print(json.dumps(figures))
    return 0


def open_encoder():
    """The default encoder, as the Hub has it."""
    from hub_utils.connection import connect
    from hub_utils.settings import Settings
    from training.index.config import DEFAULT_ENCODER
    from training.index.evaluate_cli import open_encoder

    return open_encoder(DEFAULT_ENCODER, hub=connect(Settings.from_env()))


def rules(index: SearchIndex, collection: Collection) -> dict[str, float]:
    """nDCG@10 of every rule of fusion."""
    found = {}
    for rule in RULES:
        measured = evaluate(
            index,
            collection.queries,
            collection.qrels,
            rule=rule,
            timed=0,
            skip_own=collection.own,
        )
        found[rule] = round(measured.ndcg_at_10, 4)
        print(f"{rule}: {found[rule]:.4f}", file=sys.stderr)
    return found


def row(name: str, kind: Kind, collection: Collection, found: Mapping[str, Evaluation]) -> str:
    """One line of the table."""
    hybrid = found["hybrid"]
    leads = " | ".join(_lead(hybrid, found[mode]) for mode in ("dense", "keyword"))
    figures = " | ".join(_figure(found[mode]) for mode in MODES)
    chosen = " (fusion was chosen here)" if name == TUNED_ON else ""
    size = f"{len(collection.documents):,} {kind.texts}; {len(hybrid.queries)} queries"
    return f"| **{name}**{chosen}: {size} | {figures} | {leads} |"


def table(rows: list[str]) -> str:
    """nDCG@10 of every mode as Markdown."""
    head = (
        "| collection | hybrid | dense | keyword | hybrid − dense | hybrid − keyword |\n"
        "|---|---|---|---|---|---|"
    )
    return "\n".join(
        [f"nDCG@10 with 95 % bootstrap intervals; fusion `{DEFAULT_RULE}`.", "", head, *rows]
    )


def notes(names: list[str]) -> str:
    """What each collection asks and can show."""
    lines = [
        f"- **{name}**: {COLLECTIONS[name].task}. {COLLECTIONS[name].shows}." for name in names
    ]
    return "\n".join(["", *lines])


def _figure(found: Evaluation) -> str:
    low, high = found.interval(METRIC)
    return f"{found.mean(METRIC):.3f} ({low:.3f}–{high:.3f})"


def _lead(found: Evaluation, other: Evaluation) -> str:
    low, high = found.ahead_of(other, METRIC)
    lead = f"{found.mean(METRIC) - other.mean(METRIC):+.3f} ({low:+.3f} to {high:+.3f})"
    return f"**{lead}**" if low > 0 else lead


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
