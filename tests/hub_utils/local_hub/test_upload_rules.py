import pytest

from hub_utils.local_hub.commit_builder import GIT_ATTRIBUTES
from hub_utils.local_hub.payload import MAX_REGULAR_BYTES
from hub_utils.local_hub.upload_rules import ignore_rule, is_text, large_rule


@pytest.mark.parametrize(
    ("path", "size", "sample", "large"),
    [
        ("config.json", 10, b"{}", False),
        ("model.safetensors", 10, b"{}", True),
        ("data/train-0001.parquet", 10, b"PAR1", True),
        ("saved_model/x/y", 10, b"text", True),
        ("notes.txt", MAX_REGULAR_BYTES + 1, b"text", True),
        ("picture.png", 10, b"\x89PNG\r\n\x1a\n\0", True),
        ("text.txt", 10, "é".encode(), False),
    ],
)
def test_patterns_size_and_contents_decide_what_is_large(path, size, sample, large):
    assert large_rule(GIT_ATTRIBUTES)(path, size, sample) is large


def test_repositorys_own_gitattributes_decide():
    rule = large_rule(b"*.csv filter=lfs diff=lfs merge=lfs -text\n")
    assert rule("a.csv", 1, b"a,b")
    assert not rule("a.safetensors", 1, b"text")


def test_letter_cut_at_the_samples_end_is_still_text():
    assert is_text("ab中".encode()[:-1])


def test_ignored_paths_follow_gitignore():
    ignored = ignore_rule(b"*.log\nbuild/\n!keep.log\n")
    assert [ignored(p) for p in ("a.log", "build/x", "keep.log", "a.txt")] == [
        True, True, False, False,
    ]  # fmt: skip
