"""A bundle is checked before anything is sent, and staged as the Space will see it."""

from importlib import metadata
from pathlib import Path

import pytest

from hub_utils import bundle as bundles
from hub_utils.cards import front_matter
from hub_utils.errors import BundleError

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


SERVED = {"models": ["lab/tiny-model"], "datasets": ["lab/tiny-index"]}


def staged(project, folder, hardware="zero"):
    target = project / "staged"
    bundle = bundles.read_bundle(folder)
    bundles.stage(bundle, target, project=project, hardware=hardware, served=SERVED)
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
        bundles.read_bundle(folder)


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
        ("README.md", "sdk: gradio", "sdk: docker", "docker.*sdk: gradio"),
        ("README.md", "app_file: app.py", "app_file: main.py", "main.py, which is not there"),
        ("README.md", "colorFrom: green", "colorFrom: teal", "colorFrom: teal.*indigo"),
    ],
)  # fmt: skip
def test_a_mistake_is_a_sentence(folder, file, old, new, said):
    import re

    path = folder / file
    path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")
    with pytest.raises(BundleError) as caught:
        bundles.read_bundle(folder)
    assert re.search(said, caught.value.line())


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
