"""Building an index again: nothing changed, and one document in a hundred changed.

Run: python -m benchmarks.index_rebuild [SPLIT]   (of 20 Newsgroups; default: all)

Each build is the command as a user runs it, in a process of its own: start, reading, embedding,
map, card and the push to the Hub are all in the seconds. The earlier revision is on the Hub and in
the work folder, as it is for whoever builds again on the same machine; "elsewhere" has it on the
Hub alone.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hub_utils.connection import Hub
    from training.index.documents import Document

REPO = "index-rebuild-benchmark"
EVERY = 100  # one document in so many changes
NEW_TEXT = "\n\nThis ending was written later, and it says something new about the matter."


def main(arguments: list[str]) -> int:
    """Measure and print the table and the figures."""
    from hub_utils.connection import connect
    from hub_utils.settings import Settings
    from training.index.config import DEFAULT_DATA
    from training.index.documents import read_documents

    hub = connect(Settings.from_env())
    split = arguments[0] if arguments else None
    documents = list(read_documents(DEFAULT_DATA, hub=hub, split=split))
    with TemporaryDirectory() as folder:
        try:
            figures = measure(documents, Path(folder), hub=hub)
        finally:
            hub.api.delete_repo(str(hub.repo(REPO)), repo_type="dataset", missing_ok=True)
    print(table(figures))
    print(json.dumps(figures))
    return 0


def measure(documents: Sequence[Document], folder: Path, *, hub: Hub) -> dict[str, Any]:
    """Seconds and figures of each build, by its name."""
    data = folder / "newsgroups.jsonl"
    write(data, documents, changed=0)
    builds = {"first": build(data, folder / "here", hub=hub)}
    builds["nothing changed"] = build(data, folder / "here", hub=hub)
    write(data, documents, changed=1)
    builds["1 % changed"] = build(data, folder / "here", hub=hub)
    write(data, documents, changed=2)
    builds["1 % changed, elsewhere"] = build(data, folder / "elsewhere", hub=hub)
    return {"documents": len(documents), "builds": builds}


def write(path: Path, documents: Sequence[Document], *, changed: int) -> None:
    """The documents; of every hundredth the text is another for each value of `changed`."""
    with path.open("w", encoding="utf-8") as file:
        for number, document in enumerate(documents):
            text = document.text + (NEW_TEXT * changed if number % EVERY == 0 else "")
            row = {"id": document.id, "title": document.title, "text": text}
            file.write(json.dumps({**document.metadata, **row}) + "\n")


def build(data: Path, output: Path, *, hub: Hub) -> dict[str, Any]:
    """One build in a process of its own: seconds, its figures, the shards it sent."""
    before = shards(hub)
    options = ["--data", str(data), "--repo", REPO, "--output-dir", str(output)]
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "training", "index", *options],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    seconds = time.perf_counter() - started
    said = json.loads(done.stdout.splitlines()[-1])
    after = shards(hub)
    sent = sum(before.get(path) != sha256 for path, sha256 in after.items())
    kept = ("passages", "embedded", "reused", "removed", "duplicates", "train_seconds")
    return {
        "seconds": round(seconds, 2),
        **{name: said[name] for name in kept},
        "shards": len(after),
        "shards_sent": sent,
    }


def shards(hub: Hub) -> dict[str, str | None]:
    """Path → SHA-256 of the published shards."""
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        info = hub.api.dataset_info(str(hub.repo(REPO)), files_metadata=True)
    except RepositoryNotFoundError:
        return {}
    files = info.siblings or []
    return {
        f.rfilename: f.lfs.sha256 if f.lfs else f.blob_id for f in files if "data/" in f.rfilename
    }


def table(figures: dict[str, Any]) -> str:
    """The figures as Markdown."""
    builds = figures["builds"]
    first = builds["first"]["seconds"]
    rows = [
        f"| {name} | {b['seconds']:.1f} | {100 * b['seconds'] / first:.1f} % | {b['embedded']:,} "
        f"| {b['shards_sent']} of {b['shards']} |"
        for name, b in builds.items()
    ]
    return "\n".join(
        [
            "| build | seconds | of the first | passages embedded | shards sent |",
            "|---|---|---|---|---|",
            *rows,
            "",
            f"{figures['documents']:,} documents, {builds['first']['passages']:,} passages. The "
            "changed documents are spread evenly, so nearly every shard has one.",
        ]
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
