"""A bundle is checked before anything is sent, and staged as the Space will see it."""

from importlib import metadata
from pathlib import Path

import pytest

from hub_utils.bundle import read_bundle
from hub_utils.cards import front_matter
from hub_utils.errors import BundleError
from hub_utils.space_stage import stage

CARD = """---
title: Tiny
emoji: 🧪
colorFrom: green
sdk: gradio
app_file: app.py
---

# Tiny
"""
MANIFEST = """
name = "tiny"
hardware = "zero"
include = ["code/*.py"]
exclude = ["code/secret*.py"]
[models]
classify = "tiny-model"
[variables]
LAB_READ_ONLY = "1"
[requirements]
cpu = ["torch>=2.8", "psutil"]
"""
REQUIREMENTS = "# comment\ntorch==2.11.0\ntransformers>=5\n"


@pytest.fixture
def project(tmp_path):
    files = {
        "code/a.py": "A = 1\n",
        "code/b.py": "B = 2\n",
        "code/secrets.py": "",
        "code/__pycache__/a.py": "",
        "code/.hidden.py": "",
        "spaces/tiny/README.md": CARD,
        "spaces/tiny/bundle.toml": MANIFEST,
        "spaces/tiny/requirements.txt": REQUIREMENTS,
        "spaces/tiny/app.py": "print('hello')\n",
    }
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")
    return tmp_path


@pytest.fixture
def folder(project):
    return project / "spaces" / "tiny"


DECIDED = {
    "suggested_hardware": "zero-a10g",
    "models": ["lab/tiny-model"],
    "datasets": ["lab/tiny-index"],
    "preload_from_hub": [],
}


def staged(project, folder, hardware="zero"):
    target = project / "staged"
    stage(read_bundle(folder), target, project=project, hardware=hardware, decided=DECIDED)
    return target


def names(target: Path) -> list[str]:
    return sorted(p.relative_to(target).as_posix() for p in target.rglob("*") if p.is_file())


def test_only_what_is_included_goes_along(project, folder):
    assert names(staged(project, folder)) == [
        "README.md", "app.py", "code/a.py", "code/b.py", "requirements.txt",
    ]  # fmt: skip


def test_the_card_gets_what_only_the_deployment_knows(project, folder):
    content = front_matter((staged(project, folder) / "README.md").read_text("utf-8"))
    assert content["sdk_version"] == metadata.version("gradio")
    assert content["python_version"] == "3.12"
    assert content["suggested_hardware"] == "zero-a10g"
    assert content["models"] == ["lab/tiny-model"]
    assert content["datasets"] == ["lab/tiny-index"]
    assert (content["title"], content["emoji"]) == ("Tiny", "🧪")
    assert "preload_from_hub" not in content  # nothing is published that could be fetched


def test_the_cards_text_stays_as_written(project, folder):
    assert (staged(project, folder) / "README.md").read_text("utf-8").endswith("---\n\n# Tiny\n")


def test_zerogpu_gets_the_torch_it_runs(project, folder):
    lines = (staged(project, folder) / "requirements.txt").read_text().splitlines()
    assert "torch==2.11.0" in lines


def test_other_hardware_gets_its_own_lines_in_place(project, folder):
    lines = (staged(project, folder, "cpu") / "requirements.txt").read_text().splitlines()
    assert lines == ["# comment", "torch>=2.8", "transformers>=5", "psutil"]


def test_staging_twice_gives_the_same_bytes(project, folder):
    first = {
        name: (project / "staged" / name).read_bytes() for name in names(staged(project, folder))
    }
    (project / "staged").rename(project / "before")
    assert first == {
        name: (project / "staged" / name).read_bytes() for name in names(staged(project, folder))
    }


@pytest.mark.parametrize("name", ["README.md", "bundle.toml", "requirements.txt"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(BundleError, match=name):
        read_bundle(folder)


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("bundle.toml", "include", "includes", "'includes'.*Did you mean include"),
        ("bundle.toml", 'name = "tiny"', "", "lacks 'name'"),
        ("bundle.toml", '"zero"', '"gpu"', "'gpu'.*zero or cpu"),
        ("bundle.toml", "cpu =", "tpu =", "'tpu'"),
        ("bundle.toml", "[models]", "[models", "not TOML"),
        ("requirements.txt", "transformers>=5", "gradio==6.0", "gradio==6.0.*sdk_version"),
        ("requirements.txt", "torch==2.11.0", "torch>=2.8", "ZeroGPU does not run.*2.11.0"),
        ("README.md", "title: Tiny", "", "no title"),
        ("README.md", "sdk: gradio", "sdk: docker", "'docker'.*sdk: gradio"),
        ("README.md", "app_file: app.py", "app_file: main.py", "main.py, which is not there"),
        ("README.md", "colorFrom: green", "colorFrom: teal", "colorFrom: teal.*indigo"),
    ],
)  # fmt: skip
def test_a_mistake_is_a_sentence(folder, file, old, new, said):
    import re

    path = folder / file
    path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")
    with pytest.raises(BundleError) as caught:
        read_bundle(folder)
    assert re.search(said, caught.value.line())


def test_a_card_that_the_hub_would_refuse_is_not_staged(project, folder):
    wrong = {**DECIDED, "models": ["not an id"]}
    with pytest.raises(BundleError, match="models: \\['not an id'\\]"):
        stage(read_bundle(folder), project / "t", project=project, hardware="zero", decided=wrong)


def test_a_pattern_that_matches_nothing_is_refused(project, folder):
    path = folder / "bundle.toml"
    path.write_text(path.read_text().replace("code/*.py", "cod/*.py"))
    with pytest.raises(BundleError, match="cod/"):
        staged(project, folder)


def test_two_files_for_one_place_are_refused(project, folder):
    (project / "app.py").write_text("print('other')\n")
    path = folder / "bundle.toml"
    path.write_text(path.read_text().replace("code/*.py", "app.py"))
    with pytest.raises(BundleError, match=r"app\.py"):
        staged(project, folder)


BASE = """
name = "tiny"
hardware = "zero"
include = ["code/a.py"]
[files]
classify = ["code/b.py"]
search = ["code/secrets.py"]
[packages]
search = ["bm25s"]
classify = ["peft"]
[models]
classify = "tiny-model"
[datasets]
search = "tiny-index"
[variables]
ONE = "1"
TWO = "2"
"""


@pytest.fixture
def small(project, folder):
    """A bundle of one tab on the base `folder`."""
    (folder / "bundle.toml").write_text(BASE)
    small = project / "spaces" / "small"
    small.mkdir()
    (small / "README.md").write_text(CARD.replace("Tiny", "Small"), "utf-8")
    own = 'base = "../tiny"\nname = "small"\ntabs = ["classify"]\n[variables]\nTWO = "3"\n'
    (small / "bundle.toml").write_text(own)
    return small


def test_a_bundle_of_one_tab_takes_of_its_base_what_that_tab_needs(project, small):
    bundle = read_bundle(small)
    assert (bundle.name, bundle.tabs, bundle.hardware) == ("small", ("classify",), "zero")
    assert (dict(bundle.models), dict(bundle.datasets)) == ({"classify": "tiny-model"}, {})
    assert bundle.variables == {"ONE": "1", "TWO": "3", "LAB_TABS": "classify"}
    target = staged(project, small)
    assert names(target) == [
        "README.md", "app.py", "code/a.py", "code/b.py", "requirements.txt",
    ]  # fmt: skip
    assert "# Small" in (target / "README.md").read_text("utf-8")
    assert (target / "app.py").read_text() == "print('hello')\n"
    lines = (target / "requirements.txt").read_text().splitlines()
    assert lines == [*REQUIREMENTS.splitlines(), "peft"]


def test_what_a_bundle_brings_itself_replaces_the_bases(project, small):
    (small / "app.py").write_text("print('mine')\n")
    (small / "requirements.txt").write_text("torch==2.10.0\n")
    target = staged(project, small)
    assert (target / "app.py").read_text() == "print('mine')\n"
    assert (target / "requirements.txt").read_text() == "torch==2.10.0\npeft\n"


def test_the_base_itself_has_every_tab_and_says_nothing_of_them(project, folder, small):
    bundle = read_bundle(folder)
    assert bundle.include == ("code/a.py", "code/b.py", "code/secrets.py")
    assert bundle.packages == ("peft", "bm25s")
    assert "LAB_TABS" not in bundle.variables


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('["classify"]', '["clasify"]', "'clasify'.*Did you mean classify"),
        ('"../tiny"', '"../tini"', "'../tini', which is no bundle"),
        ('"../tiny"', '"."', "has a base itself"),
    ],
)
def test_a_wrong_base_or_tab_is_a_sentence(small, old, new, said):
    import re

    path = small / "bundle.toml"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(BundleError) as caught:
        read_bundle(small)
    assert re.search(said, caught.value.line())
