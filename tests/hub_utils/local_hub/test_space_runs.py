"""The embedded Hub runs a Space: small Gradio-less apps, since only the port matters here."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.conftest import start_hub

from .conftest import fresh_name, put, until
from .tiny_space import APP, CARD, FILES, is_alive


@pytest.fixture
def space(api):
    """A Space with an app that answers; paused afterwards."""
    name = f"lab/{fresh_name('run')}"
    api.create_repo(
        name,
        repo_type="space",
        space_sdk="gradio",
        space_variables=[{"key": "WORD", "value": "open"}],
        space_secrets=[{"key": "SECRET_WORD", "value": "do-not-show-me"}],
    )
    put(api, name, FILES, repo_type="space")
    yield name
    if api.repo_exists(name, repo_type="space"):
        api.pause_space(name)


def running(api, space):
    """Wait until a Space runs; its address."""
    runtime = api.wait_for_space(space, timeout=60, poll_interval=0.05)
    assert runtime.stage == "RUNNING", (runtime.raw, list(api.fetch_space_logs(space, build=True)))
    return api.space_info(space).host


def log(api, space, **options):
    return "".join(api.fetch_space_logs(space, **options))


def test_a_space_runs_when_it_is_restarted_and_ends_when_it_is_paused(api, space):
    assert api.get_space_runtime(space).stage == "STOPPED"
    assert api.restart_space(space).stage in ("BUILDING", "APP_STARTING")
    url = running(api, space)
    known = httpx.get(url).json()
    assert api.pause_space(space).stage == "PAUSED"
    assert not is_alive(known["pid"])
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)
    assert "hello from one" in log(api, space)


def test_it_knows_what_it_was_given_and_nothing_of_the_hub(api, hub_server, space):
    api.restart_space(space)
    known = httpx.get(running(api, space)).json()
    environment = known["env"]
    assert (environment["WORD"], environment["SECRET_WORD"]) == ("open", "do-not-show-me")
    assert (environment["SPACE_ID"], environment["HF_ENDPOINT"]) == (space, hub_server.endpoint)
    assert hub_server.token not in json.dumps(known)
    assert "HF_TOKEN" not in environment
    folder = hub_server.root / "spaces" / space
    assert Path(known["cwd"]) == folder / "app"
    assert Path(environment["HF_HOME"]).is_relative_to(folder / "home")
    assert known["path"][0] == str(folder / "app")
    project = str(Path(__file__).parents[3])
    assert project not in known["path"]
    assert project not in environment.get("PYTHONPATH", "")


def test_the_logs_say_what_was_built_and_mask_secrets(api, hub_server, space):
    put(api, space, {"requirements.txt": b"httpx>=0.20 # why\nnone>9; python_version < '3'\n"},
        repo_type="space")  # fmt: skip
    api.restart_space(space)
    running(api, space)
    built = log(api, space, build=True)
    assert f"httpx>=0.20: satisfied by {httpx.__version__}\n" in built
    assert "not for this machine" in built
    api.pause_space(space)
    said = log(api, space)
    assert "hello from one and ••••••" in said
    kept = [p for p in (hub_server.root / "spaces" / space).rglob("*") if p.is_file()]
    assert kept
    assert not [path for path in kept if b"do-not-show-me" in path.read_bytes()]


def test_logs_are_the_owners_only(anonymous, raw, space):
    assert anonymous.get(f"/api/spaces/{space}/logs/run").status_code == 401
    assert raw.get(f"/api/spaces/{space}/logs/other").status_code == 404
    assert raw.get(f"/api/spaces/{space}/logs/run").text == ""


def test_a_commit_to_a_running_space_builds_it_anew(api, space):
    api.restart_space(space)
    before = httpx.get(running(api, space)).json()["pid"]
    put(api, space, {"word.txt": b"two"}, repo_type="space")
    url = running(api, space)
    assert httpx.get(url).json()["pid"] != before
    assert not is_alive(before)
    assert api.get_space_runtime(space).raw["sha"] == api.space_info(space).sha
    api.add_space_variable(space, "WORD", "changed")
    assert httpx.get(running(api, space)).json()["env"]["WORD"] == "changed"
    api.pause_space(space)
    put(api, space, {"word.txt": b"three"}, repo_type="space")
    assert api.get_space_runtime(space).stage == "PAUSED"


def test_an_app_that_ends_is_a_runtime_error(api, space):
    api.restart_space(space)
    httpx.get(running(api, space) + "/end")
    until(lambda: api.get_space_runtime(space).stage == "RUNTIME_ERROR")
    assert api.get_space_runtime(space).raw["errorMessage"] == "The app ended with exit code 3."


def test_an_app_that_is_killed_is_a_runtime_error_and_a_restart_brings_it_back(api, space):
    api.restart_space(space)
    killed = httpx.get(running(api, space)).json()["pid"]
    os.kill(killed, signal.SIGKILL)
    until(lambda: api.get_space_runtime(space).stage == "RUNTIME_ERROR")
    assert "killed" in api.get_space_runtime(space).raw["errorMessage"]
    api.restart_space(space)
    assert httpx.get(running(api, space)).json()["pid"] != killed


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"README.md": CARD}, "There is no main.py"),
        ({"README.md": b"---\nsdk: docker\n---\n"}, "sdk: gradio, not 'docker'"),
        ({**FILES, "requirements.txt": b"./not-there.whl\n"}, "could not install ./not-there.whl"),
        ({"README.md": b"---\nsdk: gradio\napp_file: ../x.py\n---\n"}, "is no valid path"),
    ],
)
def test_what_cannot_be_built_says_why(api, files, says):
    name = f"lab/{fresh_name('broken')}"
    api.create_repo(name, repo_type="space", space_sdk="gradio")
    put(api, name, files, repo_type="space")
    api.restart_space(name)
    runtime = api.wait_for_space(name, timeout=60, poll_interval=0.05)
    assert runtime.stage == "BUILD_ERROR"
    assert says in runtime.raw["errorMessage"]
    assert says in log(api, name, build=True)


@pytest.mark.slow
def test_what_is_missing_is_installed_for_this_space_only(api, space, tmp_path):
    files = {
        "tiny_words-1.0-py3-none-any.whl": wheel(tmp_path),
        "main.py": b"import tiny_words" + APP,
    }
    put(api, space, {**files, "requirements.txt": b"./tiny_words-1.0-py3-none-any.whl\n"},
        repo_type="space")  # fmt: skip
    api.restart_space(space)
    running(api, space)
    found = subprocess.run([sys.executable, "-c", "import tiny_words"], capture_output=True)
    assert found.returncode != 0


def test_a_deleted_space_leaves_no_process_and_no_folder(api, hub_server, space):
    api.restart_space(space)
    pid = httpx.get(running(api, space)).json()["pid"]
    api.delete_repo(space, repo_type="space")
    assert not is_alive(pid)
    assert not (hub_server.root / "spaces" / space).exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_process_outlives_the_hub(tmp_path, number):
    from huggingface_hub import HfApi

    server = start_hub(tmp_path, "--no-seed")
    api = HfApi(endpoint=server.endpoint, token=server.token)
    api.create_repo("lab/left", repo_type="space", space_sdk="gradio")
    put(api, "lab/left", FILES, repo_type="space")
    api.restart_space("lab/left")
    pid = httpx.get(running(api, "lab/left")).json()["pid"]
    server.process.send_signal(number)
    server.process.wait(30)
    until(lambda: not is_alive(pid))


def wheel(folder):
    """The bytes of a wheel with one module and no requirements."""
    import zipfile

    path, info = folder / "tiny.whl", "tiny_words-1.0.dist-info"
    files = {
        "tiny_words.py": "WORD = 'tiny'\n",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: tiny-words\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path.read_bytes()
