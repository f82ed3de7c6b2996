"""The cards of the seeds: Markdown in templates/cards, filled with figures from the data."""

from pathlib import Path
from typing import Any

CARDS = Path(__file__).parent / "templates" / "cards"


def split_path(split: str) -> str:
    """Where a split lies in its repository; the cards' `configs` say the same."""
    return f"data/{split}-00000-of-00001.parquet"


def render_card(name: str, **facts: Any) -> bytes:
    """README.md of one seed. A figure that the card wants and nobody gave is an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(  # noqa: S701 - this writes Markdown; the pages sanitise what they show
        loader=FileSystemLoader(CARDS),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
    )
    environment.filters["n"] = "{:,}".format
    return environment.get_template(f"{name}.md").render(facts).encode()
