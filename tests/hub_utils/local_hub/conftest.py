"""The embedded Hub's own fixtures: an official client, a raw one, fresh names, a bare store."""

import itertools
import time

import httpx
import pytest

from hub_utils.local_hub.records import RepoKey
from hub_utils.local_hub.store import Store

_numbers = itertools.count(1)


def fresh_name(prefix="repo"):
    return f"{prefix}-{next(_numbers)}"


@pytest.fixture(scope="session")
def api(hub_server):
    """The official client, as the Hub's owner."""
    from huggingface_hub import HfApi

    return HfApi(endpoint=hub_server.endpoint, token=hub_server.token)


@pytest.fixture(scope="session")
def stranger(hub_server):
    """The official client, without a token."""
    from huggingface_hub import HfApi

    return HfApi(endpoint=hub_server.endpoint, token=False)


@pytest.fixture(scope="session")
def raw(hub_server):
    """Plain HTTP as the owner, for what the official client refuses to send."""
    headers = {"Authorization": f"Bearer {hub_server.token}"}
    with httpx.Client(base_url=hub_server.endpoint, headers=headers, timeout=60) as client:
        yield client


@pytest.fixture(scope="session")
def anonymous(hub_server):
    """Plain HTTP without a token."""
    with httpx.Client(base_url=hub_server.endpoint, timeout=60) as client:
        yield client


@pytest.fixture
def repo(api):
    """A new, empty, public model repository's id."""
    return api.create_repo(f"lab/{fresh_name('model')}").repo_id


@pytest.fixture
def private_repo(api):
    """A new private model repository's id, with one small and one large file."""
    name = f"lab/{fresh_name('private')}"
    api.create_repo(name, private=True)
    put(api, name, {"notes.txt": b"for me", "weights.safetensors": b"W" * 2000 + name.encode()})
    return name


@pytest.fixture
def store(tmp_path):
    """A store of its own, without a server."""
    opened = Store(tmp_path / "hub")
    yield opened
    opened.close()


@pytest.fixture
def key(store):
    """A new model repository in `store`."""
    made = RepoKey("model", "lab/sample")
    store.create_repo(made)
    return made


def put(api, repo_id, files, *, message="add", **options):
    """Commit files, path → bytes, through the official client."""
    from huggingface_hub import CommitOperationAdd

    operations = [CommitOperationAdd(path, content) for path, content in files.items()]
    return api.create_commit(repo_id, operations, commit_message=message, **options)


def until(condition, *, seconds=20):
    """Wait until a condition holds; fail when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.01)
