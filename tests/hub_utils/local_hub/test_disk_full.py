"""A disk that is full: 507 with a sentence, nothing half-written, and life goes on afterwards."""

import hashlib
import json
import resource
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from huggingface_hub import HfApi

from tests.conftest import HubServer, start_hub

from .conftest import put

LIMIT = 300_000
REPOSITORY = Path(__file__).parents[3]


def bounded_hub(root):
    """A Hub whose process may write no file above LIMIT bytes: the system refuses, as a full disk."""
    code = (
        "import resource, runpy, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({LIMIT}, {LIMIT}))\n"
        "runpy.run_module('hub_utils.local_hub', run_name='__main__', alter_sys=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, "--root", str(root), "--no-seed"],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    facts = json.loads(process.stdout.readline())
    return HubServer(facts["endpoint"], facts["token"], root, process)


@pytest.fixture(params=["the system refuses", "the bound is reached"])
def full(request, tmp_path):
    """A Hub with no room for more than LIMIT bytes."""
    root = tmp_path / "hub"
    if request.param == "the system refuses":
        server = bounded_hub(root)
    else:
        server = start_hub(root, "--no-seed", "--max-bytes", str(LIMIT))
    yield server
    server.stop()


def test_upload_that_does_not_fit_is_507_and_leaves_nothing(full):
    api = HfApi(endpoint=full.endpoint, token=full.token)
    api.create_repo("lab/m")
    headers = {"Authorization": f"Bearer {full.token}"}
    content = bytes(2 * LIMIT)
    item = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content)}
    ask = {"operation": "upload", "objects": [item]}
    batch = f"{full.endpoint}/lab/m.git/info/lfs/objects/batch"
    answer = httpx.post(batch, json=ask, headers=headers, timeout=30).json()
    refused = httpx.put(
        answer["objects"][0]["actions"]["upload"]["href"], content=content, timeout=30
    )
    assert refused.status_code == 507
    assert refused.headers["X-Error-Message"].endswith(".")
    assert [p for p in (full.root / "lfs").rglob("*") if p.is_file()] == []
    put(api, "lab/m", {"fits.safetensors": b"W" * 1000, "text.txt": b"still here"})
    assert sorted(api.list_repo_files("lab/m")) == [
        ".gitattributes",
        "fits.safetensors",
        "text.txt",
    ]


def test_commit_that_does_not_fit_is_507_and_changes_nothing(tmp_path):
    full = bounded_hub(tmp_path / "hub")
    try:
        api = HfApi(endpoint=full.endpoint, token=full.token)
        api.create_repo("lab/m")
        before = api.model_info("lab/m").sha
        noise = hashlib.shake_256(b"incompressible").hexdigest(LIMIT).encode()
        with pytest.raises(Exception, match=r"disk is full"):
            put(api, "lab/m", {"big.txt": noise})
        assert api.model_info("lab/m").sha == before
        assert not list(full.root.rglob(".tmp-*"))
        put(api, "lab/m", {"small.txt": b"fits"})
        assert api.file_exists("lab/m", "small.txt")
    finally:
        full.stop()


def test_index_that_cannot_grow_keeps_nobody_from_writing_or_reading(tmp_path):
    full = bounded_hub(tmp_path / "hub")
    try:
        api = HfApi(endpoint=full.endpoint, token=full.token)
        api.create_repo("lab/m")
        many = {f"d{i % 9}/a-rather-long-name-{i}.txt": b"%d" % i for i in range(1500)}
        oid = put(api, "lab/m", many).oid
        log = (full.root / "index.sqlite3-wal").stat().st_size
        assert log > 0.9 * LIMIT, "the index had room, so this shows nothing"
        assert len(api.list_repo_files("lab/m", revision="main")) == 1501
        assert api.list_repo_commits("lab/m")[0].commit_id == oid
        assert [m.id for m in api.list_models()] == ["lab/m"]
        expanded = list(api.list_repo_tree("lab/m", "d1", expand=True))
        assert {e.last_commit.oid for e in expanded} == {oid}
    finally:
        full.stop()
    roomy = start_hub(full.root, "--no-seed")
    try:
        api = HfApi(endpoint=roomy.endpoint, token=roomy.token)
        assert api.model_info("lab/m").sha == next(iter(api.list_models())).sha == oid
    finally:
        roomy.stop()


def test_this_process_has_no_such_bound():
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != LIMIT
