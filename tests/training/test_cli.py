import subprocess
import sys
from pathlib import Path

import pytest

from training.cli import RECIPES, build_parser

ROOT = Path(__file__).parents[2]


def test_every_recipe_is_in_the_help(capsys):
    with pytest.raises(SystemExit):
        build_parser().parse_args(["--help"])
    shown = capsys.readouterr().out
    assert all(recipe.name in shown for recipe in RECIPES)
    assert "all" in shown


def test_an_unknown_recipe_exits_with_2(capsys):
    with pytest.raises(SystemExit) as caught:
        build_parser().parse_args(["nothing"])
    assert caught.value.code == 2
    assert "bert" in capsys.readouterr().err


def test_help_loads_no_heavy_library():
    code = (
        "import sys; from training.cli import build_parser; build_parser().format_help();"
        "import training.bert.inference;"
        "heavy = {'torch', 'transformers', 'datasets', 'sklearn', 'huggingface_hub', 'peft'};"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
