import html
import json
import re

import pytest
from markdown_it import MarkdownIt

from hub_utils.names import RepoId
from training.shared.progress import Progress
from training.shared.publishing import empty, plain_markdown, publish, table_cell, write_json

TEXTS = [
    "Once upon a time\nthere was a king.\n\n“Who is there?” he said.",
    "# no heading\n- no list\n+ none\n1. none\n2) none\n=====\n-----\n> no quote",
    "<script>alert(1)</script> &amp; <b>x</b> <!-- y -->",
    "![p](http://a.b/c.png) [l](javascript:x) <http://a.b> `code` ~~~ ```",
    "*not* _emphasised_ **at** __all__ | a | b |\n|---|---|",
    "    four spaces are no code\n\tnor a tab",
    "a \\ backslash \\* and one at the end\\\nnext",
    "",
    "\n\n",
]


@pytest.mark.parametrize("text", TEXTS)
def test_any_text_shows_letter_by_letter(text):
    shown = MarkdownIt("commonmark").enable("table").render(plain_markdown(text))
    assert set(re.findall(r"</?(\w+)", shown)) <= {"p", "br"}
    shown = re.sub(r"</p>\n<p>", "\n\n", shown.strip())
    shown = re.sub(r"<br ?/>", "", shown).replace("<p>", "").replace("</p>", "")
    assert html.unescape(shown).replace("\xa0", " ") == text.replace("\t", "    ").strip("\n")


def test_signs_that_cannot_be_seen_are_left_out():
    assert plain_markdown("a\x00b\x1b[31mc\u202ed") == "ab\\[31mcd"


def test_a_cell_stays_in_its_row():
    assert table_cell("a | b\nc") == "a \\| b c"


def test_an_emptied_folder_has_nothing_of_before(tmp_path):
    (tmp_path / "out" / "old").mkdir(parents=True)
    empty(tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []
    write_json(tmp_path / "out" / "a.json", {"name": "König"})
    assert json.loads((tmp_path / "out" / "a.json").read_text("utf-8")) == {"name": "König"}
    assert "König" in (tmp_path / "out" / "a.json").read_text("utf-8")


def test_without_a_hub_nothing_is_published(tmp_path, capsys):
    repo, progress = RepoId.parse("local/x"), Progress("gpt", tmp_path)
    published = publish(tmp_path, repo, hub=None, message="m", progress=progress)
    assert published == {"revision": None, "url": None, "folder": str(tmp_path)}
    assert f"done: local/x: {tmp_path}" in capsys.readouterr().err
