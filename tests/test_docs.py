"""Documentation that drifts fails here."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
READMES = [ROOT / "README.md", ROOT / "README.zh.md"]
DOCS = [*READMES, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_what_is_generated_of_the_documentation_is_current():
    pages = runpy.run_path(str(ROOT / "docs" / "regenerate.py"))["pages"]()
    assert {page.name for page in pages} == {"README.md", "README.zh.md", "api.md"}
    for page, current in pages.items():
        assert page.read_text("utf-8") == current, "run: python docs/regenerate.py"


def test_both_readmes_have_the_same_headings_commands_and_links():
    english, chinese = (page.read_text("utf-8") for page in READMES)
    assert levels(english) == levels(chinese)
    assert commands(english) == commands(chinese)
    assert links(english) == links(chinese)
    assert "](README.zh.md)" in english
    assert "](README.md)" in chinese


def levels(page: str) -> list[int]:
    """Of the headings, in order."""
    outside = re.sub(r"^```.*?^```", "", page, flags=re.M | re.S)
    return [len(marks) for marks in re.findall(r"^(#+) ", outside, flags=re.M)]


def commands(page: str) -> list[list[str]]:
    """The lines of every code block, without comments and without a tree's explanations."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", page, flags=re.M | re.S)
    lines = [
        [re.split(r"(?:^|\s+)#\s|\s{2,}", line.strip())[0] for line in b.splitlines()]
        for b in blocks
    ]
    return [list(filter(None, block)) for block in lines]


def links(page: str) -> set[str]:
    """Where it leads, whichever language the page there is in."""
    return {link.replace(".zh.md", ".md") for link in re.findall(r"\]\(([^)\s]+)", page)}


@pytest.mark.parametrize("page", READMES, ids=lambda page: page.name)
def test_readme_tree_names_every_top_level_folder(page: Path):
    readme = page.read_text("utf-8")
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


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_links_to_a_heading_lead_to_one(page: Path):
    leads = re.findall(r"\]\((?!https?:)([^)#\s]*)#([^)\s]+)", page.read_text("utf-8"))
    missing = [
        (target, anchor)
        for target, anchor in leads
        if anchor not in anchors((page.parent / target if target else page).read_text("utf-8"))
    ]
    assert missing == []


def anchors(page: str) -> set[str]:
    """The headings as GitHub names them in addresses."""
    outside = re.sub(r"^```.*?^```", "", page, flags=re.M | re.S)
    headings = re.findall(r"^#+ (.*)$", outside, flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


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
