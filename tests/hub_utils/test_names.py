"""Names of repositories."""

import pytest

from hub_utils.errors import InvalidNameError
from hub_utils.names import RepoId


def test_a_full_id_is_read_and_written_back():
    repo = RepoId.parse("lab/reuters-r8", type="dataset")
    assert (repo.namespace, repo.name, repo.type) == ("lab", "reuters-r8", "dataset")
    assert str(repo) == "lab/reuters-r8"


def test_a_bare_name_takes_the_given_namespace():
    assert RepoId.parse("my-model", namespace="ada") == RepoId("ada", "my-model")


def test_a_full_id_keeps_its_own_namespace():
    assert RepoId.parse("ada/my-model", namespace="lab").namespace == "ada"


def test_a_bare_name_without_a_namespace_is_refused():
    with pytest.raises(InvalidNameError, match="my-model"):
        RepoId.parse("my-model")


@pytest.mark.parametrize(
    ("type", "path"), [("model", "a/b"), ("dataset", "datasets/a/b"), ("space", "spaces/a/b")]
)
def test_the_path_is_where_the_page_is(type, path):
    assert RepoId("a", "b", type).path == path


@pytest.mark.parametrize(
    "text",
    ["a/", "/b", "a/b/c", "a/..", "a/.git", "a/b.git", "a/-b", "a/b-", "a/b--c", "a/b..c", "a/b c", "a/ü", "a/b\0", "", f"a/{'b' * 96}"],
)  # fmt: skip
def test_what_no_hub_accepts_is_refused_with_the_rule(text):
    with pytest.raises(InvalidNameError) as caught:
        RepoId.parse(text, namespace=None)
    assert caught.value.hint


def test_an_unknown_kind_of_repository_is_refused():
    with pytest.raises(InvalidNameError, match="bucket"):
        RepoId("a", "b", "bucket")
