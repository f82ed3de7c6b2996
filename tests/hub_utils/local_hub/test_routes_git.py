"""Rows "Git" of HUB_PROTOCOL.md, with the git that is installed."""

import os
import subprocess

import pytest

from .conftest import fresh_name, put


def git(*arguments, cwd=None, check=True):
    environment = os.environ | {
        "GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_LFS_SKIP_SMUDGE": "1",
    }  # fmt: skip
    done = subprocess.run(
        ["git", *arguments], cwd=cwd, env=environment, capture_output=True, text=True
    )
    if check:
        assert done.returncode == 0, done.stderr
    return done


def url(hub_server, path, token=None):
    scheme, _, host = hub_server.endpoint.partition("://")
    return f"{scheme}://{f'user:{token}@' if token else ''}{host}/{path}"


@pytest.mark.parametrize("suffix", ["", ".git"])
def test_public_repository_is_cloned_with_its_history(hub_server, api, repo, tmp_path, suffix):
    put(api, repo, {"a.txt": b"1", "w.safetensors": b"W" * 900}, message="files")
    api.create_branch(repo, branch="feat/x")
    api.create_tag(repo, tag="v1", tag_message="one")
    git("clone", url(hub_server, repo + suffix), tmp_path / "clone")
    log = git("log", "--format=%s", cwd=tmp_path / "clone").stdout.split("\n")
    assert log[:2] == ["files", "initial commit"]
    assert (tmp_path / "clone" / "a.txt").read_bytes() == b"1"
    assert (tmp_path / "clone" / "w.safetensors").read_text().startswith("version https://git-lfs")
    assert "origin/feat/x" in git("branch", "-r", cwd=tmp_path / "clone").stdout
    assert git("tag", cwd=tmp_path / "clone").stdout.split() == ["v1"]
    git("fsck", "--strict", cwd=tmp_path / "clone")


def test_clone_catches_up_by_pull(hub_server, api, repo, tmp_path):
    git("clone", url(hub_server, repo), tmp_path / "clone")
    head = put(api, repo, {f"f{i}.txt": b"%d" % i for i in range(60)}).oid
    git("pull", cwd=tmp_path / "clone")
    assert git("rev-parse", "HEAD", cwd=tmp_path / "clone").stdout.strip() == head


def test_shallow_clone_has_one_commit(hub_server, api, repo, tmp_path):
    put(api, repo, {"a.txt": b"1"})
    git("clone", "--depth", "1", url(hub_server, repo), tmp_path / "clone")
    assert len(git("log", "--format=%h", cwd=tmp_path / "clone").stdout.split()) == 1


def test_data_sets_are_cloned_under_their_prefix(hub_server, api, tmp_path):
    name = f"lab/{fresh_name('data')}"
    api.create_repo(name, repo_type="dataset")
    git("clone", url(hub_server, f"datasets/{name}"), tmp_path / "clone")
    assert (tmp_path / "clone" / ".gitattributes").exists()


def test_private_repository_needs_the_token_as_password(hub_server, private_repo, tmp_path):
    refused = git("clone", url(hub_server, private_repo), tmp_path / "no", check=False)
    assert refused.returncode != 0
    wrong = git("clone", url(hub_server, private_repo, "hf_wrong"), tmp_path / "no", check=False)
    assert wrong.returncode != 0
    git("clone", url(hub_server, private_repo, hub_server.token), tmp_path / "yes")
    assert (tmp_path / "yes" / "notes.txt").read_bytes() == b"for me"


def test_refusal_asks_for_credentials_or_git_would_never_send_them(anonymous, private_repo):
    answer = anonymous.get(f"/{private_repo}/info/refs?service=git-upload-pack")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic")


def test_push_is_refused_with_what_works(hub_server, repo, tmp_path):
    git("clone", url(hub_server, repo, hub_server.token), tmp_path / "clone")
    (tmp_path / "clone" / "x.txt").write_text("x")
    git("add", ".", cwd=tmp_path / "clone")
    git("-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-m", "x", cwd=tmp_path / "clone")
    assert git("push", cwd=tmp_path / "clone", check=False).returncode != 0


def test_dumb_protocol_and_garbage_are_refused(raw, repo):
    assert raw.get(f"/{repo}/info/refs").status_code == 400
    assert raw.post(f"/{repo}/git-upload-pack", content=b"garbage").status_code == 400
    headers = {"Content-Encoding": "gzip"}
    answer = raw.post(f"/{repo}/git-upload-pack", content=b"no gzip", headers=headers)
    assert answer.status_code == 400
