"""Large files: the batch, signed links, verification, and whose objects they are."""

import hashlib
import json

import httpx
import pytest

from .conftest import fresh_name, put, until


def describe(content):
    return {"oid": hashlib.sha256(content).hexdigest(), "size": len(content)}


def ask(client, repo, *objects, operation="upload"):
    body = {"operation": operation, "objects": list(objects), "hash_algo": "sha256"}
    answer = client.post(f"/{repo}.git/info/lfs/objects/batch", json=body)
    answer.raise_for_status()
    assert answer.json()["transfer"] == "basic"
    return answer.json()["objects"]


def upload(client, repo, content):
    actions = ask(client, repo, describe(content))[0]["actions"]
    httpx.put(actions["upload"]["href"], content=content).raise_for_status()
    return actions


def commit_lfs(client, repo, path, content_or_object):
    item = content_or_object if isinstance(content_or_object, dict) else describe(content_or_object)
    value = {"path": path, "algo": "sha256", "oid": item["oid"], "size": item["size"]}
    lines = [{"key": "header", "value": {"summary": "s"}}, {"key": "lfsFile", "value": value}]
    content = b"\n".join(json.dumps(line).encode() for line in lines)
    return client.post(f"/api/models/{repo}/commit/main", content=content)


def stored(hub_server, oid):
    return hub_server.root / "lfs" / "objects" / oid[:2] / oid[2:4] / oid


@pytest.fixture
def content():
    return fresh_name("content").encode() * 500


def test_upload_verify_commit_and_download(raw, repo, content):
    actions = upload(raw, repo, content)
    verified = httpx.post(actions["verify"]["href"], json=describe(content), headers=raw.headers)
    assert verified.status_code == 200
    assert commit_lfs(raw, repo, "w.bin", content).status_code == 200
    assert raw.get(f"/{repo}/resolve/main/w.bin").content == content


def test_what_this_repository_has_is_not_asked_for_again(raw, repo, content):
    upload(raw, repo, content)
    assert "actions" not in ask(raw, repo, describe(content))[0]


def test_batch_never_tells_what_another_repository_has(raw, api, repo, content):
    other = api.create_repo(f"lab/{fresh_name('other')}", private=True).repo_id
    upload(raw, other, content)
    known, unknown = ask(raw, repo, describe(content), describe(b"nowhere"))
    assert set(known["actions"]) == set(unknown["actions"]) == {"upload", "verify"}


def test_hash_of_another_repositorys_object_gives_no_access(raw, api, repo, content):
    other = api.create_repo(f"lab/{fresh_name('other')}", private=True).repo_id
    upload(raw, other, content)
    commit_lfs(raw, other, "w.bin", content).raise_for_status()
    refused = commit_lfs(raw, repo, "stolen.bin", content)
    assert refused.status_code == 400
    assert "was not uploaded" in refused.headers["X-Error-Message"]
    assert ask(raw, repo, describe(content), operation="download")[0]["error"]["code"] == 404
    verify = raw.post(f"/{repo}.git/info/lfs/objects/verify", json=describe(content))
    assert verify.status_code == 404


def test_uploading_the_bytes_oneself_is_proof_enough(raw, api, repo, content):
    other = api.create_repo(f"lab/{fresh_name('other')}", private=True).repo_id
    upload(raw, other, content)
    upload(raw, repo, content)
    assert commit_lfs(raw, repo, "mine.bin", content).status_code == 200


@pytest.mark.parametrize("change", ["bytes", "short", "long"])
def test_upload_that_is_not_what_was_announced_leaves_nothing(
    hub_server, raw, repo, content, change
):
    wrong = {"bytes": b"X" + content[1:], "short": content[:-1], "long": content + b"X"}[change]
    item = describe(content)
    answer = httpx.put(ask(raw, repo, item)[0]["actions"]["upload"]["href"], content=wrong)
    assert answer.status_code == 422
    assert answer.headers["X-Error-Message"]
    assert not stored(hub_server, item["oid"]).exists()
    assert list((hub_server.root / "lfs" / "incoming").iterdir()) == []
    assert commit_lfs(raw, repo, "w.bin", item).status_code == 400


def test_upload_that_breaks_off_leaves_nothing(hub_server, raw, repo, content):
    import socket
    from urllib.parse import urlsplit

    item = describe(content)
    href = urlsplit(ask(raw, repo, item)[0]["actions"]["upload"]["href"])
    head = f"PUT {href.path}?{href.query} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(content)}\r\n\r\n"
    with socket.create_connection((href.hostname, href.port)) as connection:
        connection.sendall(head.encode() + content[:100])
    incoming = hub_server.root / "lfs" / "incoming"
    until(lambda: not list(incoming.iterdir()))
    assert not stored(hub_server, item["oid"]).exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda href: href.replace("size=", "size=1"),
        lambda href: href.replace("expires=", "expires=9"),
        lambda href: href.replace("signature=", "signature=0"),
        lambda href: href.split("?")[0],
        lambda href: href.replace("/models/lab/", "/models/team/"),
        lambda href: href.replace("/models/", "/datasets/"),
        lambda href: href.split("?")[0][:-1] + "0?" + href.split("?")[1],
    ],
    ids=["size", "expiry", "signature", "unsigned", "repository", "type", "object"],
)
def test_link_that_was_changed_opens_nothing(hub_server, raw, repo, content, change):
    item = describe(content)
    href = ask(raw, repo, item)[0]["actions"]["upload"]["href"]
    if change(href) == href:
        pytest.fail("the change changed nothing")
    assert httpx.put(change(href), content=content).status_code == 403
    assert not stored(hub_server, item["oid"]).exists()


def test_upload_link_is_no_download_link(raw, repo, content):
    upload(raw, repo, content)
    href = ask(raw, repo, describe(b"another"))[0]["actions"]["upload"]["href"]
    assert httpx.get(href.replace("/lfs/upload/", "/lfs/download/")).status_code == 403


def test_git_lfs_can_download_by_signed_link(raw, anonymous, repo, content):
    upload(raw, repo, content)
    commit_lfs(raw, repo, "w.bin", content).raise_for_status()
    answer = ask(anonymous, repo, describe(content), operation="download")[0]
    assert httpx.get(answer["actions"]["download"]["href"]).content == content


def test_private_objects_are_not_offered_to_strangers(anonymous, private_repo):
    body = {"operation": "download", "objects": [{"oid": "0" * 64, "size": 1}]}
    answer = anonymous.post(f"/{private_repo}.git/info/lfs/objects/batch", json=body)
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        {"operation": "upload"},
        {"operation": "steal", "objects": []},
        {"operation": "upload", "objects": [{"oid": "../../x", "size": 1}]},
        {"operation": "upload", "objects": [{"oid": "A" * 64, "size": 1}]},
        {"operation": "upload", "objects": [{"oid": "a" * 64, "size": -1}]},
        {"operation": "upload", "objects": ["x"]},
        {"operation": "upload", "objects": [], "hash_algo": "md5"},
    ],
)
def test_broken_batches_are_refused(raw, repo, body):
    assert raw.post(f"/{repo}.git/info/lfs/objects/batch", json=body).status_code == 400


def test_xet_is_refused_with_the_way_past_it(raw, repo):
    for kind in ("write", "read"):
        answer = raw.get(f"/api/models/{repo}/xet-{kind}-token/main")
        assert answer.status_code == 400
        assert "HF_HUB_DISABLE_XET=1" in answer.headers["X-Error-Message"]


def test_object_can_be_shared_by_somebody_who_may_read_it(raw, api, repo, content):
    target = api.create_repo(f"lab/{fresh_name('target')}").repo_id
    upload(raw, repo, content)
    files = [{"sha256": describe(content)["oid"]}, {"sha256": "0" * 64}]
    body = {"target": {"type": "model", "name": target}, "files": files}
    answer = raw.post(f"/api/models/{repo}/lfs-files/duplicate", json=body).json()
    assert [f["sha256"] for f in answer["failed"]] == ["0" * 64]
    assert commit_lfs(raw, target, "w.bin", content).status_code == 200


def test_object_goes_with_the_last_repository_that_uses_it(hub_server, api, content):
    names = [f"lab/{fresh_name('shared')}" for _ in range(2)]
    for name in names:
        api.create_repo(name)
        put(api, name, {"w.safetensors": content})
    path = stored(hub_server, describe(content)["oid"])
    api.delete_repo(names[0])
    assert path.exists()
    api.delete_repo(names[1])
    assert not path.exists()
