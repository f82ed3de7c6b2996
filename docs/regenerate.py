"""Renew the generated parts of the documentation.  Run: python docs/regenerate.py

A generated part stands between `<!-- NAME -->` and `<!-- /NAME's first word -->`: in README.md the
commands' own help and the settings table, in docs/api.md the page's endpoints. Tests fail when one
is stale, so that none can drift from the code.
"""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
README_ZH = ROOT / "README.zh.md"
API = ROOT / "docs" / "api.md"


def pages() -> dict[Path, str]:
    """Every page with generated parts, as the code has it now."""
    from hub_utils.settings import Settings

    api, chinese = _beside("api_reference.py"), _beside("settings_zh.py")
    commands, settings = _commands(), Settings.table()
    return {
        README: _filled(README, {**commands, "settings": _settings_table(settings)}),
        README_ZH: _filled(README_ZH, {**commands, "settings": chinese["table"](settings)}),
        API: _filled(API, api["parts"]()),
    }


def _beside(name: str) -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "docs" / name))


def _commands() -> dict[str, str]:
    recipes = ("bert", "gpt", "index", "clip", "diffusion")
    return {
        **{f"help: training {name}": _fenced(_help("training", name)) for name in recipes},
        "help: hub_utils": _fenced(_help("hub_utils")),
    }


def _filled(page: Path, parts: dict[str, str]) -> str:
    """The page with every generated part renewed."""
    text = page.read_text("utf-8")
    for name, body in parts.items():
        end = f"<!-- /{re.split(r'[: ]', name)[0]} -->"
        pattern = rf"(<!-- {re.escape(name)} -->\n).*?({re.escape(end)})"
        text, count = re.subn(pattern, lambda m, b=body: m[1] + b + m[2], text, flags=re.S)
        if count != 1:
            raise ValueError(f"{page.name} has {count} parts named {name!r}; it needs exactly one")
    return text


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


def _settings_table(settings: tuple[tuple[str, str, str], ...]) -> str:
    rows = [f"| `{name}` | {default} | {meaning} |" for name, default, meaning in settings]
    return "\n".join(["| variable | default | meaning |", "|---|---|---|", *rows]) + "\n"


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    for page, text in pages().items():
        page.write_text(text, "utf-8")
