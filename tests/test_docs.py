"""Documentation that drifts fails here."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_readme_shows_current_help_and_settings():
    render = runpy.run_path(str(ROOT / "docs" / "regenerate.py"))["render"]
    readme = (ROOT / "README.md").read_text("utf-8")
    assert render(readme) == readme, "run: python docs/regenerate.py"


def test_readme_tree_names_every_top_level_folder():
    readme = (ROOT / "README.md").read_text("utf-8")
    tree = readme.split("<!-- tree -->")[1].split("<!-- /tree -->")[0]
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    folders = {path.split("/")[0] for path in tracked if "/" in path and path[0] != "."}
    assert folders == set(re.findall(r"^([a-z_]+)/", tree, flags=re.M))


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_relative_links_lead_somewhere(page):
    targets = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text("utf-8"))
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert missing == []


def test_changelog_has_a_place_for_unreleased_changes():
    assert "\n## Unreleased\n" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_every_module_says_what_it_is_and_importing_it_loads_nothing_heavy():
    """One process imports every module of the product; afterwards no heavy library is there."""
    code = """
import importlib, pkgutil, sys
import hub_utils, training, tabs
for package in (hub_utils, training, tabs):
    for info in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if info.name.endswith("__main__"):
            continue
        module = importlib.import_module(info.name)
        assert module.__doc__, f"{info.name} has no docstring"
heavy = {"sentence_transformers", "open_clip", "diffusers", "chromadb", "matplotlib", "sklearn"}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
