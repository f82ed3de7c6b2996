"""`kill -9` at any moment: what was acknowledged is there, what was not is not half there."""

import base64
import hashlib
import json
import subprocess
import threading

import httpx

from tests.conftest import start_hub

from .conftest import until

WRITERS, KILLS = 6, 3
REPOS = ("lab/one", "lab/two")


class Writer(threading.Thread):
    """Commits small files, and uploads and commits large ones, until the Hub is gone."""

    def __init__(self, server, number, acknowledged):
        super().__init__(daemon=True)
        self.server, self.number, self.acknowledged = server, number, acknowledged

    def run(self):
        headers = {"Authorization": f"Bearer {self.server.token}"}
        with httpx.Client(base_url=self.server.endpoint, headers=headers, timeout=30) as client:
            try:
                for i in range(10_000):
                    self.write(client, i)
            except httpx.HTTPError:
                return

    def write(self, client, i):
        repo = REPOS[i % 2]
        path = f"{self.server.process.pid}/w{self.number}/f{i}"
        content = path.encode() * 50
        large = i % 3 == 0
        if large:
            self.upload(client, repo, content)
        answer = client.post(f"/api/models/{repo}/commit/main", content=body(path, content, large))
        answer.raise_for_status()
        self.acknowledged.append((repo, path, content, answer.json()["commitOid"]))

    def upload(self, client, repo, content):
        item = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content)}
        ask = {"operation": "upload", "objects": [item]}
        answer = client.post(f"/{repo}.git/info/lfs/objects/batch", json=ask).raise_for_status()
        href = answer.json()["objects"][0]["actions"]["upload"]["href"]
        httpx.put(href, content=content, timeout=30).raise_for_status()


def body(path, content, large):
    if large:
        value = {"path": path, "algo": "sha256", "oid": hashlib.sha256(content).hexdigest()}
        line = {"key": "lfsFile", "value": value | {"size": len(content)}}
    else:
        value = {"path": path, "content": base64.b64encode(content).decode()}
        line = {"key": "file", "value": value | {"encoding": "base64"}}
    header = {"key": "header", "value": {"summary": path}}
    return json.dumps(header).encode() + b"\n" + json.dumps(line).encode()


def write_until_killed(server, acknowledged, count):
    """Let all writers write; kill the Hub in the middle, once `count` more commits have landed."""
    goal = len(acknowledged) + count
    writers = [Writer(server, number, acknowledged) for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    until(lambda: len(acknowledged) >= goal, seconds=60)
    server.stop()  # SIGKILL
    for writer in writers:
        writer.join(timeout=30)


def test_killed_hub_keeps_every_acknowledged_commit(tmp_path):
    root, acknowledged = tmp_path / "hub", []
    server = start_hub(root, "--no-seed")
    headers = {"Authorization": f"Bearer {server.token}"}
    for repo in REPOS:
        create = {"name": repo.split("/")[1], "type": "model"}
        httpx.post(f"{server.endpoint}/api/repos/create", json=create, headers=headers, timeout=30)
    for count in (7, 20, 33)[:KILLS]:
        write_until_killed(server, acknowledged, count)
        server = start_hub(root, "--no-seed")
        check(server, acknowledged)
    server.stop()


def check(server, acknowledged):
    with httpx.Client(base_url=server.endpoint, timeout=60) as client:
        for repo in REPOS:
            history = [c["id"] for c in pages(client, f"/api/models/{repo}/commits/main")]
            mine = [item for item in acknowledged if item[0] == repo]
            assert {oid for *_, oid in mine} <= set(history)
            tree = f"/api/models/{repo}/tree/main?recursive=true&expand=true"
            entries = {e["path"]: e for e in pages(client, tree)}
            for _, path, content, oid in mine:
                assert client.get(f"/{repo}/resolve/main/{path}").content == content
                assert entries[path]["lastCommit"]["id"] == oid
            # Whatever else is visible is whole: a commit that landed but was not acknowledged.
            for path, entry in entries.items():
                if entry["type"] == "file":
                    assert len(client.get(f"/{repo}/resolve/main/{path}").content) == entry["size"]
    assert list((server.root / "lfs" / "incoming").iterdir()) == []
    for repo in REPOS:
        folder = server.root / "repos" / "models" / f"{repo}.git"
        done = subprocess.run(
            ["git", "-C", folder, "fsck", "--full"], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        assert not list(folder.rglob(".tmp-*"))


def pages(client, url):
    while url:
        answer = client.get(url).raise_for_status()
        yield from answer.json()
        url = answer.links.get("next", {}).get("url")
