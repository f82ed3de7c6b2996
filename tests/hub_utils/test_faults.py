"""What goes wrong while publishing leaves the last revision as it was, and is said in a sentence."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from hub_utils.errors import HubUnavailableError, UploadError
from hub_utils.pull import pull, resolve
from hub_utils.push import push_folder
from tests.conftest import HubServer, start_hub

MEGABYTE = 1_000_000


@pytest.fixture
def big(make_folder):
    """Makes a folder with `megabytes` of weights that do not compress."""

    def make(name: str, megabytes: int):
        folder = make_folder(name)
        numbers = np.random.default_rng(0).random(megabytes * MEGABYTE // 8)
        save_file({"w": numbers}, folder / "model.safetensors")
        return folder

    return make


@pytest.fixture
def small_disk(tmp_path) -> Iterator[HubServer]:
    """A Hub with room for four megabytes of large files."""
    server = start_hub(tmp_path / "small", "--no-seed", "--max-bytes", str(4 * MEGABYTE))
    yield server
    server.stop()


def client(hub, server, tmp_path):
    return replace(hub, endpoint=server.endpoint, token=server.token, cache=tmp_path / "cache")


def test_a_full_disk_is_a_sentence_and_the_old_revision_stays(
    hub, small_disk, repo, folder, big, tmp_path
):
    own = client(hub, small_disk, tmp_path)
    first = push_folder(folder, repo, hub=own, message="Fits")
    with pytest.raises(UploadError, match="disk is full") as caught:
        push_folder(big("big", 8), repo, hub=own, message="Does not fit")
    assert "untouched" in caught.value.hint
    assert resolve(repo, hub=own) == first.revision
    pulled = pull(repo, hub=own)
    assert (pulled.folder / "model.safetensors").read_bytes() == (
        folder / "model.safetensors"
    ).read_bytes()


def test_after_a_full_disk_a_smaller_upload_goes_through(
    hub, small_disk, repo, big, make_folder, tmp_path
):
    own = client(hub, small_disk, tmp_path)
    with pytest.raises(UploadError):
        push_folder(big("big", 8), repo, hub=own, message="Does not fit")
    assert push_folder(make_folder("again"), repo, hub=own, message="Fits").changed


def kill_in_upload(server: HubServer, *, megabytes: int) -> threading.Thread:
    """Kill the Hub once that much of an upload has arrived."""
    enough = stored_bytes(server.root) + megabytes * MEGABYTE

    def watch() -> None:
        while stored_bytes(server.root) < enough:
            pass
        server.stop()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize("megabytes", [1, 16, 31])
def test_a_hub_killed_in_an_upload_and_started_again_gets_all_of_it(
    hub, repo, folder, big, tmp_path, megabytes
):
    root = tmp_path / "killed"
    server = start_hub(root, "--no-seed")
    own = client(hub, server, tmp_path)
    first = push_folder(folder, repo, hub=own, message="One")
    killer = kill_in_upload(server, megabytes=megabytes)
    revived: list[HubServer] = []

    def revive() -> None:
        killer.join()
        port = int(server.endpoint.rsplit(":", 1)[1])
        revived.append(start_hub(root, "--no-seed", port=port))

    reviver = threading.Thread(target=revive)
    reviver.start()
    second = big("big", 32)
    try:
        pushed = publish_until_it_is_there(second, repo, own)
        reviver.join()
        assert pushed.revision != first.revision
        weights = pull(repo, hub=own).folder / "model.safetensors"
        assert weights.read_bytes() == (second / "model.safetensors").read_bytes()
    finally:
        reviver.join()
        revived[0].stop()


def publish_until_it_is_there(folder, repo, hub, *, tries=3):
    """What a user does: publish again when it did not go through."""
    try:
        return push_folder(folder, repo, hub=hub, message="Two")
    except (HubUnavailableError, UploadError):
        if tries == 1:
            raise
        return publish_until_it_is_there(folder, repo, hub, tries=tries - 1)


@pytest.mark.slow
def test_a_hub_that_stays_away_in_an_upload_keeps_the_old_revision(
    hub, repo, folder, big, tmp_path
):
    """Slow because the official client tries again for half a minute before it gives up."""
    root = tmp_path / "killed"
    server = start_hub(root, "--no-seed")
    own = client(hub, server, tmp_path)
    first = push_folder(folder, repo, hub=own, message="One")
    killer = kill_in_upload(server, megabytes=4)
    with pytest.raises((HubUnavailableError, UploadError)):
        push_folder(big("big", 32), repo, hub=own, message="Two")
    killer.join()
    server = start_hub(root, "--no-seed")
    try:
        assert resolve(repo, hub=client(hub, server, tmp_path)) == first.revision
    finally:
        server.stop()


def stored_bytes(root) -> int:
    """All bytes below the Hub's folder, unfinished uploads included."""
    return sum(size_of(path) for path in root.rglob("*"))


def size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0  # renamed while we looked


def test_a_card_that_was_tampered_with_is_replaced_by_the_next_push(hub, repo, folder):
    from huggingface_hub import CommitOperationAdd

    push_folder(folder, repo, hub=hub, message="Publish")
    evil = b"---\nlicense: mit\n---\n\n<script>alert(1)</script>\n"
    hub.api.create_commit(
        str(repo), [CommitOperationAdd("README.md", evil)], commit_message="Tampered"
    )
    assert push_folder(folder, repo, hub=hub, message="Publish again").changed
    card = Path(hub.api.hf_hub_download(str(repo), "README.md"))
    assert "<script>" not in card.read_text("utf-8")
