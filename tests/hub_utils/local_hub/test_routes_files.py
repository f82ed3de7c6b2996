"""Rows "Files" of HUB_PROTOCOL.md: resolve, its headers, ranges, the clients' caches."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from huggingface_hub import get_hf_file_metadata, hf_hub_url, snapshot_download
from huggingface_hub.errors import RemoteEntryNotFoundError, RepositoryNotFoundError

from .conftest import fresh_name, put

SMALL, LARGE = b"0123456789", bytes(range(256)) * 20


@pytest.fixture(scope="module")
def files(api):
    """A repository's id with a small and a large file, and its head."""
    name = f"lab/{fresh_name('files')}"
    api.create_repo(name)
    head = put(api, name, {"small.txt": SMALL, "large.safetensors": LARGE}).oid
    return name, head


@pytest.fixture(params=["small.txt", "large.safetensors"])
def file(request):
    return request.param, SMALL if request.param == "small.txt" else LARGE


def etag_of(content, name):
    if name == "large.safetensors":
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def test_head_says_all_that_the_clients_ask(anonymous, files, file):
    repo, head = files
    name, content = file
    answer = anonymous.head(f"/{repo}/resolve/main/{name}")
    assert answer.status_code == 200
    assert answer.content == b""
    assert answer.headers["X-Repo-Commit"] == head
    assert answer.headers["ETag"] == f'"{etag_of(content, name)}"'
    assert answer.headers["Content-Length"] == str(len(content))
    assert answer.headers["Accept-Ranges"] == "bytes"
    linked = answer.headers.get("X-Linked-Etag"), answer.headers.get("X-Linked-Size")
    large = name == "large.safetensors"
    assert linked == ((answer.headers["ETag"], str(len(content))) if large else (None, None))


def test_whole_file_comes_back(anonymous, files, file):
    answer = anonymous.get(f"/{files[0]}/resolve/main/{file[0]}")
    assert (answer.status_code, answer.content) == (200, file[1])


@pytest.mark.parametrize(
    ("wanted", "part", "shown"),
    [
        ("bytes=0-3", slice(0, 4), "0-3"),
        ("bytes=4-", slice(4, None), "4-{last}"),
        ("bytes=-2", slice(-2, None), "{second_last}-{last}"),
        ("bytes=2-99999", slice(2, None), "2-{last}"),
    ],
)
def test_range_gives_just_those_bytes(anonymous, files, file, wanted, part, shown):
    name, content = file
    answer = anonymous.get(f"/{files[0]}/resolve/main/{name}", headers={"Range": wanted})
    assert (answer.status_code, answer.content) == (206, content[part])
    numbers = shown.format(last=len(content) - 1, second_last=len(content) - 2)
    assert answer.headers["Content-Range"] == f"bytes {numbers}/{len(content)}"
    assert answer.headers["Content-Length"] == str(len(content[part]))


def test_range_beyond_the_end_is_416(anonymous, files, file):
    name, content = file
    answer = anonymous.get(f"/{files[0]}/resolve/main/{name}", headers={"Range": "bytes=99999-"})
    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == f"bytes */{len(content)}"


def test_known_etag_is_not_sent_again(anonymous, files, file):
    url = f"/{files[0]}/resolve/main/{file[0]}"
    etag = anonymous.head(url).headers["ETag"]
    again = anonymous.get(url, headers={"If-None-Match": f'W/"x", {etag}'})
    assert (again.status_code, again.content) == (304, b"")
    other = anonymous.get(url, headers={"If-None-Match": '"other"'})
    assert other.status_code == 200


def test_range_of_another_version_gives_the_whole_file(anonymous, files, file):
    headers = {"Range": "bytes=0-1", "If-Range": '"older"'}
    answer = anonymous.get(f"/{files[0]}/resolve/main/{file[0]}", headers=headers)
    assert (answer.status_code, answer.content) == (200, file[1])


def test_metadata_as_the_client_reads_it(api, files, file):
    url = hf_hub_url(files[0], file[0], endpoint=api.endpoint)
    found = get_hf_file_metadata(url, token=api.token)
    assert (found.commit_hash, found.etag, found.size) == (
        files[1], etag_of(file[1], file[0]), len(file[1]),
    )  # fmt: skip


def test_missing_entry_says_where_it_looked_and_fills_the_clients_cache(
    api, anonymous, files, tmp_path
):
    answer = anonymous.head(f"/{files[0]}/resolve/main/none.json")
    assert answer.status_code == 404
    assert answer.headers["X-Error-Code"] == "EntryNotFound"
    assert answer.headers["X-Repo-Commit"] == files[1]
    with pytest.raises(RemoteEntryNotFoundError):
        api.hf_hub_download(files[0], "none.json", cache_dir=tmp_path)
    assert list(tmp_path.glob("*/.no_exist/*/none.json"))


def test_folder_is_no_file(api, anonymous, repo):
    put(api, repo, {"d/f.txt": b"x"})
    answer = anonymous.get(f"/{repo}/resolve/main/d")
    assert (answer.status_code, answer.headers["X-Error-Code"]) == (404, "EntryNotFound")


def test_raw_gives_the_pointer_of_a_large_file(anonymous, files):
    answer = anonymous.get(f"/{files[0]}/raw/main/large.safetensors")
    assert answer.text.startswith("version https://git-lfs")
    assert anonymous.get(f"/{files[0]}/raw/main/small.txt").content == SMALL


@pytest.mark.parametrize("kind", ["dataset", "space"])
def test_other_kinds_have_their_prefix(api, anonymous, kind):
    name = f"lab/{fresh_name(kind)}"
    api.create_repo(name, repo_type=kind, **({"space_sdk": "static"} if kind == "space" else {}))
    put(api, name, {"a.txt": b"hi", "w.bin": b"W" * 300}, repo_type=kind)
    assert anonymous.get(f"/{kind}s/{name}/resolve/main/a.txt").content == b"hi"
    assert anonymous.get(f"/{name}/resolve/main/a.txt").status_code == 401
    local = snapshot_download(name, repo_type=kind, endpoint=api.endpoint, token=api.token)
    assert Path(local, "w.bin").read_bytes() == b"W" * 300


def test_private_files_are_for_the_owner(api, stranger, anonymous, private_repo, tmp_path):
    path = api.hf_hub_download(private_repo, "notes.txt")
    assert Path(path).read_bytes() == b"for me"
    with pytest.raises(RepositoryNotFoundError):
        stranger.hf_hub_download(private_repo, "notes.txt", cache_dir=tmp_path)
    for name in ("notes.txt", "weights.safetensors"):
        assert anonymous.get(f"/{private_repo}/resolve/main/{name}").status_code == 401


def test_any_revision_can_be_downloaded(api, repo, tmp_path):
    first = put(api, repo, {"a.txt": b"first"}).oid
    put(api, repo, {"a.txt": b"second"})
    api.create_branch(repo, branch="feat/x", revision=first)
    for revision, content in ((first, b"first"), ("main", b"second"), ("feat/x", b"first")):
        path = api.hf_hub_download(repo, "a.txt", revision=revision, cache_dir=tmp_path)
        assert Path(path).read_bytes() == content


def test_snapshot_is_taken_by_patterns(api, files, tmp_path):
    local = api.snapshot_download(files[0], allow_patterns="*.txt", local_dir=tmp_path)
    assert sorted(p.name for p in Path(local).iterdir() if p.is_file()) == ["small.txt"]


def test_page_in_a_repository_cannot_run_on_the_hub(api, anonymous, repo):
    put(api, repo, {"evil.html": b"<script>alert(1)</script>", "evil.svg": b"<svg onload='x'/>"})
    for name in ("evil.html", "evil.svg"):
        headers = anonymous.get(f"/{repo}/resolve/main/{name}").headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in headers["Content-Security-Policy"]
        assert "text/html" not in headers["Content-Type"]


def test_safetensors_header_is_read_by_ranges(api, repo, tmp_path):
    import numpy as np
    from safetensors.numpy import save_file

    save_file({"w": np.zeros((3, 4), np.float32)}, tmp_path / "model.safetensors")
    api.upload_file(
        path_or_fileobj=tmp_path / "model.safetensors",
        path_in_repo="model.safetensors",
        repo_id=repo,
    )
    found = api.get_safetensors_metadata(repo)
    assert found.parameter_count == {"F32": 12}
    info = api.model_info(repo).safetensors
    assert (info.parameters, info.total) == ({"F32": 12}, 12)


def test_readers_of_a_repository_that_is_deleted_meanwhile_are_told_it_is_gone(api, raw):
    name = f"lab/{fresh_name('fleeting')}"
    api.create_repo(name)
    put(api, name, {f"d{i}/f.txt": b"%d" % i for i in range(200)})
    with ThreadPoolExecutor(9) as pool:
        reads = [
            pool.submit(raw.get, f"/api/models/{name}/tree/main?recursive=true") for _ in range(40)
        ]
        pool.submit(api.delete_repo, name).result()
        statuses = {read.result().status_code for read in reads}
    assert statuses <= {200, 404}
    assert raw.get(f"/api/models/{name}").status_code == 404
