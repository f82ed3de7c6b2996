import pytest

from hub_utils.local_hub.space_requirements import check, requirement_lines


@pytest.fixture
def folders(tmp_path):
    """Two folders of packages: both have `words`, in another version each."""
    for folder, name, version in (
        ("own", "words", "2.0"), ("base", "words", "1.0"), ("base", "Some.Letters", "3.1rc1"),
    ):  # fmt: skip
        info = tmp_path / folder / f"{name.lower().replace('.', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    return [str(tmp_path / "own"), str(tmp_path / "base")]


@pytest.mark.parametrize(
    ("line", "version"),
    [
        ("words", "2.0"),
        ("Words[extra] >=1.5, <3", "2.0"),
        ("words<2", ""),
        ("some_letters>=3", "3.1rc1"),
        ("nobody", ""),
        ("words @ https://example.org/words.whl", ""),
        ("--extra-index-url https://example.org", ""),
        ("./words.whl", ""),
    ],
)
def test_what_is_installed_is_compared_with_what_is_asked(folders, line, version):
    (checked,) = check([line], folders)
    assert (checked.line, checked.version, checked.needed) == (line, version, True)


def test_what_other_machines_need_is_left_out(folders):
    (checked,) = check(["nobody; sys_platform == 'amiga'"], folders)
    assert not checked.needed


def test_comments_and_empty_lines_are_no_requirements():
    text = "# all\n\nwords>=1 # why\n  letters\nhttps://example.org/a#egg=a\n"
    assert requirement_lines(text) == ["words>=1", "letters", "https://example.org/a#egg=a"]
