"""Requests that no official client sends, byte for byte."""

import contextlib
import http.client
from urllib.parse import urlsplit

import pytest

from .conftest import put


@pytest.fixture
def send(hub_server):
    """Send a request whose path nobody tidies up; gives (status, headers, body)."""

    def request(method, path, *, body=None, headers=None, token=True):
        connection = http.client.HTTPConnection(urlsplit(hub_server.endpoint).netloc, timeout=30)
        sent = {"Authorization": f"Bearer {hub_server.token}"} if token else {}
        connection.request(method, path, body=body, headers=sent | (headers or {}))
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, answer.headers, content

    return request


ESCAPES = [
    "../token", "..%2F..%2Ftoken", "%2e%2e/%2e%2e/token", "a/../../token", "%2Fetc%2Fpasswd",
    "//etc/passwd", ".git/config", "%2Egit/config", "..%5C..%5Ctoken", "a%00b", "a%0Ab", "%ff%fe",
    "hub.json", "....//token", "%252e%252e%252ftoken", "refs/heads/main", "objects",
]  # fmt: skip


@pytest.mark.parametrize("path", ESCAPES)
def test_no_path_leads_out_of_a_repository(send, hub_server, repo, path):
    for url in (
        f"/{repo}/resolve/main/{path}",
        f"/{repo}/raw/main/{path}",
        f"/{repo}/resolve/main/x/{path}",
    ):
        status, headers, content = send("GET", url)
        assert status in (400, 404), url
        assert hub_server.token.encode() not in content
        assert "\n" not in headers.get("X-Error-Message", "")


@pytest.mark.parametrize("path", ESCAPES)
def test_no_revision_leads_out_of_a_repository(send, repo, path):
    revision = path.replace("/", "%2F")
    for url in (f"/{repo}/resolve/{revision}/config.json", f"/api/models/{repo}/tree/{revision}",
                f"/api/models/{repo}/revision/{revision}", f"/api/models/{repo}/commits/{revision}"):  # fmt: skip
        if revision != "refs%2Fheads%2Fmain":
            assert send("GET", url)[0] in (400, 404), url


@pytest.mark.parametrize(
    "name", ["..", "%2e%2e", "..%2F..", "a%2F..%2Fb", "a%00", ".git", "a.git", "%5C"]
)
def test_no_name_leads_out_of_the_root(send, name):
    for url in (f"/api/models/lab/{name}", f"/api/models/{name}/x", f"/lab/{name}/resolve/main/token",
                f"/{name}/x/info/refs?service=git-upload-pack"):  # fmt: skip
        status, _, content = send("GET", url)
        assert status in (400, 404), url
        assert b"hf_" not in content


def test_tree_of_an_escaping_path_is_refused(send, repo):
    for path in ("..", "%2e%2e%2f", ".git", "a%00"):
        assert send("GET", f"/api/models/{repo}/tree/main/{path}")[0] in (400, 404)


def test_echoed_input_carries_no_control_characters_into_headers(send, repo):
    status, headers, _ = send("GET", f"/{repo}/resolve/main/a%0d%0aSet-Cookie:%20x=1%00%1b[31m")
    assert status == 400
    assert headers["Set-Cookie"] is None
    assert headers["X-Error-Message"].isprintable()


def test_bodies_above_the_limit_are_refused_without_being_read(send, repo):
    huge = {"Content-Length": str(10**12), "Connection": "close"}
    for path in (
        f"/api/models/{repo}/commit/main",
        f"/api/models/{repo}/preupload/main",
        "/api/repos/create",
    ):
        status, headers, _ = send("POST", path, headers=huge)
        assert (status, "above the" in headers["X-Error-Message"]) == (413, True)


def test_strangers_cannot_make_the_hub_hold_large_bodies(send, repo):
    large = {"Content-Length": str(5_000_000), "Connection": "close"}
    assert send("POST", f"/api/models/{repo}/commit/main", headers=large, token=False)[0] == 413


def test_body_without_a_length_is_cut_off_at_the_limit(send):
    sent = []

    def chunks():
        for _ in range(400):  # 400 MB, were they all taken
            sent.append(1)
            yield b"x" * 1_000_000

    headers = {"Transfer-Encoding": "chunked"}
    with contextlib.suppress(ConnectionError):  # the answer can be lost with the connection
        assert send("POST", "/api/repos/create", body=chunks(), headers=headers)[0] == 413
    assert len(sent) < 200
    assert send("GET", "/api/models")[0] == 200


@pytest.mark.parametrize("body", [b"[]", b"3", b"{", b"\xff", b"[" * 200_000, b'"x"', b"nul"])
def test_bodies_that_are_no_json_object_are_refused(send, repo, body):
    for method, path in (("POST", "/api/repos/create"), ("PUT", f"/api/models/{repo}/settings"),
                         ("POST", f"/api/models/{repo}/preupload/main"), ("DELETE", "/api/repos/delete"),
                         ("POST", f"/api/models/{repo}/branch/b"), ("POST", "/api/validate-yaml")):  # fmt: skip
        assert send(method, path, body=body)[0] == 400, path


@pytest.mark.parametrize(
    "header",
    ["Bearer", "Bearer ", "Basic", "Basic !!!", "Basic //79", "Digest x", "Bearer \xe9", "hf_x"],
)
def test_broken_credentials_are_wrong_credentials(send, header):
    status, headers, _ = send("GET", "/api/models", headers={"Authorization": header})
    assert status == 401
    assert headers["X-Error-Message"] == "Invalid credentials in Authorization header"


def test_cookie_of_the_pages_reads_but_never_writes(send, hub_server, api, private_repo):
    from hub_utils.local_hub.page_session import TOKEN_COOKIE, session_of

    cookie = {"Cookie": f"{TOKEN_COOKIE}={session_of(hub_server.token)}"}
    assert send("GET", f"/api/models/{private_repo}", headers=cookie, token=False)[0] == 200
    body = b'{"visibility": "public"}'
    url = f"/api/models/{private_repo}/settings"
    assert send("PUT", url, body=body, headers=cookie, token=False)[0] == 401
    assert api.model_info(private_repo).private


def test_private_repository_leaks_through_no_route(send, api, private_repo):
    head = api.model_info(private_repo).sha
    for url in (f"/api/models/{private_repo}", f"/api/models/{private_repo}/tree/main",
                f"/api/models/{private_repo}/commits/main", f"/api/models/{private_repo}/refs",
                f"/api/models/{private_repo}/revision/{head}", f"/{private_repo}/resolve/{head}/notes.txt",
                f"/{private_repo}/raw/main/notes.txt", f"/{private_repo}/info/refs?service=git-upload-pack",
                f"/api/models/{private_repo}/discussions", f"/api/models/{private_repo}/auth-check"):  # fmt: skip
        status, _, content = send("GET", url, token=False)
        assert status == 401, url
        assert b"for me" not in content
        assert head.encode() not in content
    assert send("POST", f"/{private_repo}/git-upload-pack", body=b"0000", token=False)[0] == 401
    body = b"paths=notes.txt"
    assert (
        send("POST", f"/api/models/{private_repo}/paths-info/main", body=body, token=False)[0]
        == 401
    )
    listed = send("GET", "/api/models?full=true&limit=1000", token=False)[2]
    assert private_repo.encode() not in listed


def test_commit_of_another_repository_is_no_revision_here(send, api, repo, private_repo):
    secret = put(api, private_repo, {"x.txt": b"secret"}).oid
    assert send("GET", f"/{repo}/resolve/{secret}/x.txt", token=False)[0] == 404
