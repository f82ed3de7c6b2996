import pytest

from hub_utils.local_hub.errors import RangeNotSatisfiable
from hub_utils.local_hub.files import content_type, disposition, parse_range


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=2-4", (2, 5)),
        ("bytes=2-", (2, 10)),
        ("bytes=2-999", (2, 10)),
        ("bytes=-3", (7, 10)),
        ("bytes=-999", (0, 10)),
        ("bytes=-", None),
        ("bytes=4-2", None),
        ("bytes=0-1,3-4", None),
        ("lines=0-1", None),
        ("bytes=x-1", None),
    ],
)
def test_range_is_read_as_rfc_9110_says(header, expected):
    assert parse_range(header, 10) == expected


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=10-12", "bytes=-0"])
def test_range_beyond_the_end_is_not_satisfiable(header):
    with pytest.raises(RangeNotSatisfiable):
        parse_range(header, 10)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("page.html", "text/plain; charset=utf-8"),
        ("code.js", "text/plain; charset=utf-8"),
        ("config.json", "application/json"),
        ("a.png", "image/png"),
        ("w.safetensors", "application/octet-stream"),
        ("a.tar.gz", "application/octet-stream"),
        ("a.xhtml", "application/octet-stream"),
    ],
)
def test_nothing_is_served_as_a_page(path, kind):
    assert content_type(path) == kind


def test_file_name_in_the_header_is_escaped():
    value = disposition('dir/é"\n.txt')
    assert value.isascii()
    assert "\n" not in value
    assert value.endswith("filename*=UTF-8''%C3%A9%22%0A.txt")
