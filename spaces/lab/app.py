"""The lab as a Space: the same tabs, serving what LAB_NAMESPACE has published."""

from __future__ import annotations

import sys

try:
    # First of all: on ZeroGPU this package has to see torch before torch sees a GPU.
    from spaces import GPU
except ImportError:  # any other machine
    GPU = None

from hub_utils.connection import connect
from hub_utils.errors import LabError
from hub_utils.settings import Settings


def build() -> object:
    """The page, connected to the Hub that the Space's variables mean."""
    settings = Settings.from_env()
    hub = connect(settings)
    from tabs.page import build_page  # imports gradio, and with it huggingface_hub
    from tabs.services import Services

    return build_page(Services(settings, hub))


if __name__ == "__main__":
    try:
        build().launch()
    except LabError as error:
        sys.exit(error.line())
