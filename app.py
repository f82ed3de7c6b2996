"""The page of LLM Core Lab.

python app.py                    serve the page on LAB_PORT (7860)
python app.py --train-missing    also train and publish what is missing, as soon as the page is up
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import TYPE_CHECKING

from hub_utils.connection import connect
from hub_utils.errors import LabError
from hub_utils.settings import Settings

if TYPE_CHECKING:
    from tabs.page import LabPage

# What Gradio imports anyway and what does not read the Hub's address: loaded while the Hub starts.
BESIDE_THE_HUB = ("fastapi", "pandas", "PIL.Image", "mcp", "prometheus_client")


def build_app(settings: Settings) -> LabPage:
    """The page, connected to the Hub that `settings` mean. Launch it with `.launch()`."""
    with ThreadPoolExecutor(max_workers=1) as beside:
        connecting = beside.submit(connect, settings)
        for name in BESIDE_THE_HUB:
            import_module(name)
        hub = connecting.result()
    from tabs.page import build_page  # imports gradio, and with it huggingface_hub
    from tabs.services import Services

    return build_page(Services(settings, hub))


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description="The page of LLM Core Lab.")
    parser.add_argument("--train-missing", action="store_true", help="train what is not published")
    options = parser.parse_args(arguments)
    for ending in (signal.SIGINT, signal.SIGTERM):  # a shell may start us with Ctrl-C ignored
        signal.signal(ending, signal.default_int_handler)
    try:
        build_app(Settings.from_env()).launch(train_missing=options.train_missing)
    except LabError as error:
        sys.stderr.write(error.line() + "\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
