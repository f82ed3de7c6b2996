"""Renew the generated parts of README.md.  Run: python docs/regenerate.py  (tests fail when stale)

A generated part stands between `<!-- NAME -->` and `<!-- /NAME's first word -->`: the commands' own
help and the settings table, so that neither can drift from the code.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"


def render(readme: str) -> str:
    """`readme` with every generated part as the code has it now."""
    parts = {
        "help: training bert": _fenced(_training_help()),
        "help: hub_utils": _fenced(_hub_utils_help()),
        "settings": _settings_table(),
    }
    for name, body in parts.items():
        end = f"<!-- /{re.split(r'[: ]', name)[0]} -->"
        pattern = rf"(<!-- {re.escape(name)} -->\n).*?({re.escape(end)})"
        readme, count = re.subn(pattern, lambda m, b=body: m[1] + b + m[2], readme, flags=re.S)
        if count != 1:
            raise ValueError(f"README.md has {count} parts named {name!r}; it needs exactly one")
    return readme


def _fenced(text: str) -> str:
    return f"```\n{text.rstrip()}\n```\n"


def _training_help() -> str:
    from training.bert.cli import build_parser

    return build_parser().format_help()


def _hub_utils_help() -> str:
    from hub_utils.cli import build_parser

    return build_parser().format_help()


def _settings_table() -> str:
    from hub_utils.settings import Settings

    rows = [f"| `{name}` | {default} | {meaning} |" for name, default, meaning in Settings.table()]
    return "\n".join(["| variable | default | meaning |", "|---|---|---|", *rows]) + "\n"


if __name__ == "__main__":
    os.environ["COLUMNS"] = "80"
    sys.path.insert(0, str(ROOT))
    README.write_text(render(README.read_text("utf-8")), "utf-8")
