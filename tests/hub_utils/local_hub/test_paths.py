import pytest

from hub_utils.local_hub.errors import BadRequest
from hub_utils.local_hub.paths import check_name, check_path, check_ref_name, repo_key, shown
from hub_utils.local_hub.records import RepoKey


@pytest.mark.parametrize("plural", ["model", "models"])
def test_key_takes_singular_and_plural_types(plural):
    assert repo_key(plural, "lab", "x") == RepoKey("model", "lab/x")


@pytest.mark.parametrize("name", ["a", "A.b_c-d", "all-MiniLM-L6-v2", "0", "_x", "a" * 96])
def test_ordinary_names_pass_unchanged(name):
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "a..b", "a--b", "-a", "a-", ".a", "a.", "a.git", "A.GIT", "a/b", "a\\b", "a b",
     "a\0", "é", "a" * 97, "x.ipynb", "a\n"],
)  # fmt: skip
def test_names_that_could_confuse_a_disk_or_git_are_refused(name):
    with pytest.raises(BadRequest, match="no valid name"):
        check_name(name)


@pytest.mark.parametrize(
    "path", ["a", "a/b.txt", "文件/é.txt", ".gitattributes", ".github/x", "a b"]
)
def test_ordinary_paths_pass_unchanged(path):
    assert check_path(path) == path


def test_trailing_slash_of_a_folder_is_dropped():
    assert check_path("a/b/") == "a/b"


@pytest.mark.parametrize(
    "path",
    ["", "/", "/etc/passwd", "..", "a/../b", "../a", "./a", "a/./b", "a//b", ".git", ".git/config",
     "a/.GIT/x", "a/.git", ".git./x", ".git /x", "git~1/x", "a\0b", "a\nb", "a\\b", "\\\\host\\x",
     "a" * 256, "/".join(["abcdefgh"] * 130), "a\ud800"],
)  # fmt: skip
def test_paths_that_leave_the_repository_or_reach_git_are_refused(path):
    with pytest.raises(BadRequest):
        check_path(path)


@pytest.mark.parametrize("name", ["main", "feat/x", "v1.0", "日本", "a-b_c"])
def test_ordinary_branch_names_pass_unchanged(name):
    assert check_ref_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "a..b", "/a", "a/", "a//b", ".a", "a/.b", "a.lock", "a.", "-a", "a b", "a~1", "a^", "a:b",
     "a?", "a*", "a[", "a\\b", "@", "a@{1}", "a\0", "HEAD", "refs/heads/x", "0" * 40, "a" * 201],
)  # fmt: skip
def test_branch_names_that_git_refuses_are_refused(name):
    with pytest.raises(BadRequest):
        check_ref_name(name)


def test_shown_input_has_no_control_characters_and_a_bounded_length():
    assert shown("a\0\n\x1b[31m") == "'a��\ufffd[31m'"
    assert len(shown("x" * 1000)) < 100
