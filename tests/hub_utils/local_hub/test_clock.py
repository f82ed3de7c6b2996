"""A clock that jumps, by years or back: links work, order stays, nothing ends early."""

import hashlib
from datetime import datetime, timezone

import httpx
import pytest
from huggingface_hub import HfApi

from tests.conftest import start_hub
from tests.faults import Clock

from .conftest import put

YEAR_S = 365 * 24 * 3600.0


@pytest.fixture
def clock(tmp_path, monkeypatch):
    """The clock of the Hub that this test starts."""
    moved = Clock(tmp_path / "clock")
    for name, value in moved.environment.items():
        monkeypatch.setenv(name, value)
    return moved


@pytest.fixture
def server(clock, tmp_path):
    own = start_hub(tmp_path / "hub", "--no-seed")
    yield own
    own.stop()


@pytest.fixture
def api(server):
    return HfApi(endpoint=server.endpoint, token=server.token)


@pytest.mark.parametrize("jump", [YEAR_S, -YEAR_S], ids=["forward", "back"])
def test_an_upload_goes_through_while_the_clock_jumps(clock, server, api, jump):
    api.create_repo("lab/m")
    content = b"W" * 1000
    item = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content)}
    answer = httpx.post(
        f"{server.endpoint}/lab/m.git/info/lfs/objects/batch",
        json={"operation": "upload", "objects": [item]},
        headers={"Authorization": f"Bearer {server.token}"},
    ).json()
    clock.move(jump)
    link = answer["objects"][0]["actions"]["upload"]["href"]
    assert httpx.put(link, content=content).status_code == 200


def test_commits_keep_their_order_when_the_clock_is_set_back(clock, server, api):
    clock.move(YEAR_S)
    api.create_repo("lab/m")
    put(api, "lab/m", {"old.txt": b"1", "both.txt": b"1"})
    clock.move(-YEAR_S)
    newest = put(api, "lab/m", {"both.txt": b"2"}).oid
    commits = api.list_repo_commits("lab/m")
    assert commits[0].commit_id == newest == api.model_info("lab/m").sha
    now = datetime.now(timezone.utc)
    assert commits[0].created_at < now < commits[1].created_at  # the clock did jump
    last = {item.path: item.last_commit.oid for item in api.list_repo_tree("lab/m", expand=True)}
    assert (last["both.txt"], last["old.txt"]) == (newest, commits[1].commit_id)
    page = httpx.get(f"{server.endpoint}/lab/m/commits/main")
    assert page.status_code == 200
