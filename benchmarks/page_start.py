"""How long until the page answers, beside a bare Gradio app.  Run: python -m benchmarks.page_start

Starts a one-button Gradio app and the lab's app (with a new, empty embedded Hub each time) in turn
and measures from the start of the process to the first complete answer to GET /.
Expect: a ratio of at most 1.5.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parents[1]
TIMEOUT_S = 120.0
POLL_S = 0.02
BARE = """
import gradio as gr
with gr.Blocks() as page:
    gr.Button("Go").click(lambda: None)
page.launch(server_port={port}, quiet=True)
"""


def main(runs: int) -> int:
    """Measure, print a Markdown table and, as the last line, one JSON object."""
    bare: list[float] = []
    ours: list[float] = []
    _start_bare()  # the first start reads everything from the disk
    for _ in range(runs):
        bare.append(_start_bare())
        ours.append(_start_ours())
    figures = {
        "bare_seconds": round(statistics.median(bare), 2),
        "page_seconds": round(statistics.median(ours), 2),
        "ratio": round(statistics.median(ours) / statistics.median(bare), 2),
        "runs": runs,
    }
    print("| app | median | fastest | slowest |\n|---|---|---|---|")
    for name, times in (("one-button Gradio app", bare), ("LLM Core Lab with its Hub", ours)):
        spread = f"{min(times):.2f} s | {max(times):.2f} s"
        print(f"| {name} | {statistics.median(times):.2f} s | {spread} |")
    print(f"\nRatio of the medians: {figures['ratio']}.")
    print(json.dumps(figures))
    return 0


def _start_bare() -> float:
    port = _free_port()
    return _time_to_page([sys.executable, "-c", BARE.format(port=port)], port, {})


def _start_ours() -> float:
    port = _free_port()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        settings = {"LAB_PORT": str(port), "LAB_HUB_ROOT": str(Path(home) / "hub")}
        return _time_to_page([sys.executable, "app.py"], port, settings)


def _time_to_page(command: list[str], port: int, settings: dict[str, str]) -> float:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "LAB_", "GRADIO_"))}
    environment = {**kept, "GRADIO_ANALYTICS_ENABLED": "False", **settings}
    started = time.perf_counter()
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not _answers(port):
            if process.poll() is not None or time.perf_counter() - started > TIMEOUT_S:
                raise RuntimeError(f"no page came from: {' '.join(command)[:60]}")
            time.sleep(POLL_S)
        return time.perf_counter() - started
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(TIMEOUT_S)


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
            return b"</html>" in answer.read()
    except OSError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=5, help="starts of each (default 5)")
    sys.exit(main(parser.parse_args().runs))
