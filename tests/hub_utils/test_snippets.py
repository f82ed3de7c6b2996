"""The lines that use a published model elsewhere. That they run, tests/browser/test_every_tab.py sees."""

from __future__ import annotations

import ast
from collections.abc import Callable

import pytest

from hub_utils import snippets

REVISION = "0123456789abcdef0123456789abcdef01234567"
HOSTILE = "\"\"\" + __import__('os').name + '''\n\\"

ALL: dict[str, Callable[..., str]] = {
    "classifier": lambda repo, given, **more: snippets.text_classifier(repo, example=given, **more),
    "generator": lambda repo, given, **more: snippets.text_generator(
        repo, prompt=given, tokens=9, **more
    ),
    "index": lambda repo, given, **more: snippets.search_index(
        repo, encoder=repo, example=given, encoder_revision=REVISION, **more
    ),
    "matcher": lambda repo, given, **more: snippets.picture_matcher(repo, texts=[given], **more),
    "painter": lambda repo, given, **more: snippets.painter(
        repo, prompt=given, steps=8, guidance=3, **more
    ),
}


def literals(code: str) -> list[object]:
    return [node.value for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Constant)]


@pytest.mark.parametrize("name", ALL)
def test_a_revision_is_named_where_one_is_given_and_only_there(name: str):
    pinned, newest = ALL[name]("lab/one", "hi", revision=REVISION), ALL[name]("lab/one", "hi")
    assert f'"lab/one", revision="{REVISION}"' in pinned
    assert newest.count("revision") == (1 if name == "index" else 0)  # there: the encoder's


@pytest.mark.parametrize("name", ALL)
def test_what_is_filled_in_is_only_ever_a_text(name: str):
    code = ALL[name]("lab/one", HOSTILE, revision=REVISION)
    assert HOSTILE in literals(code)
    assert "__import__" not in {n.id for n in ast.walk(ast.parse(code)) if isinstance(n, ast.Name)}
    assert "lab/" + HOSTILE in "".join(map(str, literals(ALL[name]("lab/" + HOSTILE, "hi"))))


def test_a_shell_is_told_which_hub_unless_it_is_the_real_one():
    assert snippets.shell("torch") == "pip install torch\n"
    own = snippets.shell("torch", endpoint="http://127.0.0.1:7861")
    assert "export HF_ENDPOINT=http://127.0.0.1:7861 HF_HUB_DISABLE_XET=1\n" in own
    assert "HF_TOKEN" not in own
    assert "HF_TOKEN=hf_..." in snippets.shell("torch", private=True)
