"""The lab as a Space: the same tabs, serving what LAB_NAMESPACE has published."""

from __future__ import annotations

import sys
from typing import Any

try:
    # First of all: on ZeroGPU this package has to be there before torch looks for a GPU.
    from spaces import GPU
except ImportError:  # any other machine
    GPU = None

from zero_gpu import openers

from hub_utils.connection import connect
from hub_utils.errors import LabError
from hub_utils.settings import Settings


def build_app(settings: Settings) -> Any:
    """The page, connected to the Hub that the Space's variables mean."""
    hub = connect(settings)
    from tabs.page import build_page  # imports gradio, and with it huggingface_hub
    from tabs.services import Services

    # ZeroGPU wants its functions decorated before the launch, whether or not a model is there yet.
    return build_page(Services(settings, hub, openers=openers(GPU) if GPU else None))


if __name__ == "__main__":
    try:
        build_app(Settings.from_env()).launch()
    except LabError as error:
        sys.exit(error.line())
