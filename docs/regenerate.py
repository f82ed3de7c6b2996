"""Renew the generated parts of README.md.  Run: python docs/regenerate.py  (tests fail when stale)

A generated part stands between `<!-- NAME -->` and `<!-- /NAME's first word -->`: the commands' own
help and the settings table, so that neither can drift from the code.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"


def render(readme: str) -> str:
    """`readme` with every generated part as the code has it now."""
    parts = {
        "help: training bert": _fenced(_help("training", "bert")),
        "help: training gpt": _fenced(_help("training", "gpt")),
        "help: training index": _fenced(_help("training", "index")),
        "help: training clip": _fenced(_help("training", "clip")),
        "help: training diffusion": _fenced(_help("training", "diffusion")),
        "help: hub_utils": _fenced(_help("hub_utils")),
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


def _help(module: str, *command: str) -> str:
    """What `python -m MODULE COMMAND --help` prints, 80 columns wide."""
    return subprocess.run(
        [sys.executable, "-m", module, *command, "--help"],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def _settings_table() -> str:
    from hub_utils.settings import Settings

    rows = [f"| `{name}` | {default} | {meaning} |" for name, default, meaning in Settings.table()]
    return "\n".join(["| variable | default | meaning |", "|---|---|---|", *rows]) + "\n"


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    README.write_text(render(README.read_text("utf-8")), "utf-8")
