"""The embedded Hub: listing, trees, transfers.  Run: python -m benchmarks.hub_throughput

Everything goes over HTTP on loopback, through the official client and beside it as plain HTTP, so
that the client's own share shows. Expect about half a minute, most of it making 1,000 repositories.
"""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

REPOS, FILES, MEGABYTES, ROUNDS = 1000, 2000, 200, 3
FILES_REPO, LARGE_REPO = "bench/files", "bench/large"
TOKEN = "hf_token_of_the_benchmark"  # noqa: S105 - of a server that lives for this run


def main() -> int:
    """Measure, print a table, and the figures as one JSON line."""
    with tempfile.TemporaryDirectory(prefix="hub-bench-") as folder:
        root = Path(folder)
        fill(root / "hub")
        server, endpoint = start(root / "hub")
        try:
            figures = measure(endpoint, root)
        finally:
            server.terminate()
            server.wait()
    print(table(figures))
    print(json.dumps({name: round(value, 4) for name, value in figures.items()}))
    return 0


def fill(root: Path) -> None:
    """REPOS repositories with cards, one of them with FILES files from 20 commits."""
    from hub_utils.local_hub.store import AddBytes, RepoKey, Store

    store = Store(root)
    card = b"---\nlicense: mit\ntags: [bench]\nlanguage: en\n---\n# A card\n"
    for number in range(REPOS - 2):
        key = RepoKey("model", f"bench/model-{number:04}")
        store.create_repo(key)
        store.commit(key, "main", [AddBytes("README.md", card)], summary="card")
    for name in (FILES_REPO, LARGE_REPO):
        store.create_repo(RepoKey("model", name))
    for part in range(20):
        numbers = range(part * FILES // 20, (part + 1) * FILES // 20)
        files = [AddBytes(f"d{n % 40}/file-{n}.txt", b"%d" % n) for n in numbers]
        store.commit(RepoKey("model", FILES_REPO), "main", files, summary=f"part {part}")
    store.close()


def start(root: Path) -> tuple[subprocess.Popen[str], str]:
    """A server on a port of the system's choice; tells this process's clients where it is."""
    command = [sys.executable, "-m", "hub_utils.local_hub", "--root", str(root), "--no-seed"]
    began = time.perf_counter()
    server = subprocess.Popen([*command, "--token", TOKEN], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    endpoint = str(json.loads(server.stdout.readline())["endpoint"])
    print(f"first line after {time.perf_counter() - began:.2f} s", file=sys.stderr)
    os.environ.update(
        HF_ENDPOINT=endpoint,
        HF_TOKEN=TOKEN,
        HF_HUB_DISABLE_XET="1",
        HF_HUB_DISABLE_TELEMETRY="1",
        HF_HUB_DISABLE_PROGRESS_BARS="1",
        HF_HOME=str(root.parent / "home"),
    )
    return server, endpoint


def measure(endpoint: str, root: Path) -> dict[str, float]:
    """All figures: seconds, and MB/s (10⁶ bytes) for transfers."""
    import httpx
    from huggingface_hub import HfApi

    api = HfApi()
    with httpx.Client(base_url=endpoint, headers={"Authorization": f"Bearer {TOKEN}"}) as http:
        http.get("/api/models?limit=1", timeout=120)
        return {
            "list_1000_client_s": best(lambda: expect(REPOS, list(api.list_models()))),
            "list_1000_http_s": best(lambda: http.get("/api/models?limit=1000")),
            "tree_2000_expand_client_s": best(
                lambda: expect(FILES, api.list_repo_tree(FILES_REPO, recursive=True, expand=True))
            ),
            "tree_2000_expand_http_s": best(
                lambda: http.get(
                    f"/api/models/{FILES_REPO}/tree/main?recursive=true&expand=true&limit=5000"
                )
            ),
            "up_client_mb_s": rate(lambda i: upload_by_client(api, root, i)),
            "up_http_mb_s": rate(lambda i: upload_by_http(http, i)),
            "down_client_mb_s": rate(lambda i: download_by_client(api, root, i)),
            "down_http_mb_s": rate(lambda i: download_by_http(http, i)),
        }


def expect(at_least: int, items: object) -> None:
    """Use up an iterable and insist that all of it came."""
    assert len(list(items)) >= at_least  # type: ignore[call-overload]


def best(work: Callable[[], object]) -> float:
    """The median of ROUNDS runs, in seconds."""
    return statistics.median(seconds(work) for _ in range(ROUNDS))


def rate(transfer: Callable[[int], Callable[[], object]]) -> float:
    """The median of ROUNDS transfers of MEGABYTES, in MB/s; `transfer(i)` prepares run i."""
    return MEGABYTES / statistics.median(seconds(transfer(i)) for i in range(ROUNDS))


def seconds(work: Callable[[], object]) -> float:
    """How long one call takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def content(number: int) -> bytes:
    """MEGABYTES of bytes that no other number has."""
    return os.urandom(1_000_000) * (MEGABYTES - 1) + bytes([number]) * 1_000_000


def upload_by_client(api: object, root: Path, number: int) -> Callable[[], object]:
    """hf's way: hash, ask, send, verify, commit."""
    path = root / "up.safetensors"
    path.write_bytes(content(number))
    return lambda: api.upload_file(  # type: ignore[attr-defined]
        path_or_fileobj=path, path_in_repo=f"{number}.safetensors", repo_id=LARGE_REPO
    )


def upload_by_http(http: object, number: int) -> Callable[[], object]:
    """Only the PUT."""
    data = content(number + 100)
    item = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data)}
    answer = http.post(  # type: ignore[attr-defined]
        f"/{LARGE_REPO}.git/info/lfs/objects/batch",
        json={"operation": "upload", "objects": [item]},
    ).json()
    href = answer["objects"][0]["actions"]["upload"]["href"]
    length = {"Content-Length": str(len(data))}
    # In pieces: given one large value, httpx copies what is left of it at each send.
    return lambda: http.put(  # type: ignore[attr-defined]
        href, content=pieces(data), headers=length, timeout=120
    ).raise_for_status()


def pieces(data: bytes) -> Iterator[bytes]:
    """A megabyte at a time."""
    for start in range(0, len(data), 1_000_000):
        yield data[start : start + 1_000_000]


def download_by_client(api: object, root: Path, number: int) -> Callable[[], object]:
    """hf's way: ask, receive, write to the cache."""
    cache = root / f"cache-{number}"
    return lambda: api.hf_hub_download(  # type: ignore[attr-defined]
        LARGE_REPO, f"{number}.safetensors", cache_dir=cache
    )


def download_by_http(http: object, number: int) -> Callable[[], object]:
    """Only the GET, thrown away as it comes."""

    def receive() -> None:
        url = f"/{LARGE_REPO}/resolve/main/{number}.safetensors"
        with http.stream("GET", url) as answer:  # type: ignore[attr-defined]
            assert sum(map(len, answer.iter_raw())) == MEGABYTES * 1_000_000

    return receive


def table(figures: dict[str, float]) -> str:
    """The figures as Markdown, client beside plain HTTP."""
    rows = [
        (f"list {REPOS:,} repositories", "list_1000_{}_s", "{:.3f} s"),
        (f"tree of {FILES:,} files with last commits", "tree_2000_expand_{}_s", "{:.3f} s"),
        (f"{MEGABYTES} MB up", "up_{}_mb_s", "{:.0f} MB/s"),
        (f"{MEGABYTES} MB down", "down_{}_mb_s", "{:.0f} MB/s"),
    ]
    lines = ["| what | official client | plain HTTP |", "|---|---|---|"]
    for what, name, shape in rows:
        cells = (shape.format(figures[name.format(way)]) for way in ("client", "http"))
        lines.append(f"| {what} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
