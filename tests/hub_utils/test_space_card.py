"""A wrong field of a Space's card is a sentence before the upload, not an error page after it."""

import re
from pathlib import Path

import pytest

from hub_utils.errors import BundleError
from hub_utils.space_card import FIELDS, check_front_matter, read_front_matter
from tests.conftest import ROOT

WHERE = Path("spaces/tiny/README.md")
SHA = "0123456789abcdef0123456789abcdef01234567"

RIGHT = {
    "title": ["Tiny"],
    "emoji": ["🧪", "1️⃣", "🇨🇭"],
    "colorFrom": ["red"],
    "colorTo": ["gray"],
    "sdk": ["gradio", "static"],
    "sdk_version": ["6.31.0", "5.0"],
    "python_version": ["3.10", "3.12.12"],
    "suggested_hardware": ["zero-a10g", "cpu-basic"],
    "suggested_storage": ["small"],
    "app_file": ["app.py", "src/app.py"],
    "app_build_command": ["npm run build"],
    "app_port": [7860],
    "base_path": ["/docs"],
    "fullWidth": [True],
    "header": ["mini"],
    "short_description": ["x" * 60],
    "models": [[], ["gpt2", "lab/tiny"]],
    "datasets": [["lab/tiny"]],
    "tags": [["mcp-server"]],
    "thumbnail": ["https://example.com/a.png"],
    "pinned": [False],
    "hf_oauth": [True],
    "hf_oauth_scopes": [["email", "read-repos"]],
    "hf_oauth_expiration_minutes": [480],
    "hf_oauth_authorized_org": ["lab", ["lab", "other"]],
    "disable_embedding": [False],
    "startup_duration_timeout": ["30m", "1h", "1.5 hours"],
    "custom_headers": [{"cross-origin-opener-policy": "same-origin"}],
    "preload_from_hub": [["gpt2", "lab/tiny a.json,b/c.json", f"lab/tiny config.json {SHA}"]],
    "license": ["apache-2.0"],
}
WRONG = [
    ("title", " ", "some text"),
    ("emoji", "science", "one emoji"),
    ("emoji", "🧪 lab", "one emoji"),
    ("colorFrom", "grey", "gray"),
    ("colorTo", "teal", "indigo"),
    ("sdk", "gardio", "gradio"),
    ("sdk_version", 6.3, "in quotes"),
    ("python_version", 3.1, "in quotes, like '3.12'"),
    ("python_version", "2.7", "3.12"),
    ("suggested_hardware", "cpu-basics", "cpu-basic"),
    ("suggested_storage", "huge", "small, medium, large"),
    ("app_file", "../app.py", "inside the Space"),
    ("app_port", 0, "a number from 1"),
    ("app_port", True, "a number from 1"),
    ("base_path", "docs", "/docs"),
    ("fullWidth", "yes", "true or false"),
    ("header", "small", "mini"),
    ("short_description", "x" * 61, "at most 60 characters"),
    ("models", "lab/tiny", "a list of ids"),
    ("datasets", ["./folder"], "a list of ids"),
    ("tags", "mcp-server", "a list of texts"),
    ("hf_oauth_expiration_minutes", 10**6, "43200"),
    ("hf_oauth_authorized_org", 3, "organisations"),
    ("startup_duration_timeout", "soon", "30m"),
    ("custom_headers", {"x-frame-options": "deny"}, "cross-origin"),
    ("preload_from_hub", ["lab/tiny  config.json"], "FILE,FILE COMMIT"),
    ("preload_from_hub", ["lab/tiny config.json main"], "FILE,FILE COMMIT"),
    ("preload_from_hub", ["gpt2"] * 11, "at most 10"),
]


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_takes_what_the_hub_documents(name):
    for value in RIGHT[name]:
        check_front_matter({name: value}, where=WHERE)


@pytest.mark.parametrize(("name", "value", "said"), WRONG)
def test_a_wrong_value_names_field_value_and_fix(name, value, said):
    with pytest.raises(BundleError) as caught:
        check_front_matter({name: value}, where=WHERE)
    line = caught.value.line()
    assert f"{WHERE} has {name}: {str(value).strip()[:9]}" in line
    assert said in line


def test_a_field_that_no_space_has_names_the_near_one():
    with pytest.raises(BundleError) as caught:
        check_front_matter({"colourFrom": "red"}, where=WHERE)
    assert "'colourFrom'" in str(caught.value)
    assert caught.value.hint == "Did you mean colorFrom?"


def test_a_field_without_a_value_counts_as_not_there():
    check_front_matter({"thumbnail": None}, where=WHERE)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("---\ntitle: a\nemoji: b: c\n---\n", "not YAML in line 3"),
        ("# A page\n", "has no front matter"),
        ("---\n- a list\n---\n", "has no front matter"),
    ],
)
def test_a_front_matter_that_cannot_be_read_is_a_sentence(text, said):
    with pytest.raises(BundleError, match=re.escape(said)):
        read_front_matter(text, where=WHERE)


@pytest.mark.parametrize("bundle", sorted((ROOT / "spaces").glob("*/README.md")))
def test_every_bundles_card_is_right(bundle):
    content = read_front_matter(bundle.read_text("utf-8"), where=bundle)
    assert {"title", "emoji", "sdk", "app_file", "license"} <= content.keys()
