"""Rows "Spaces" of HUB_PROTOCOL.md."""

import pytest
from huggingface_hub.errors import RepositoryNotFoundError

from .conftest import fresh_name, put


@pytest.fixture
def space(api):
    name = f"lab/{fresh_name('space')}"
    api.create_repo(
        name,
        repo_type="space",
        space_sdk="gradio",
        space_variables=[{"key": "REPO", "value": "lab/m", "description": "what to serve"}],
        space_secrets=[{"key": "HF_TOKEN", "value": "hf_very_secret"}],
    )
    return name


def test_space_is_created_with_its_sdk_variables_and_secrets(api, space):
    assert api.space_info(space).sdk == "gradio"
    variables = api.get_space_variables(space)
    assert (variables["REPO"].value, variables["REPO"].description) == ("lab/m", "what to serve")
    assert list(api.get_space_secrets(space)) == ["HF_TOKEN"]


def test_variables_are_added_changed_and_removed(api, space):
    api.add_space_variable(space, "A", "1")
    after = api.add_space_variable(space, "A", "2", description="two")
    assert (after["A"].value, after["A"].description) == ("2", "two")
    assert after["A"].updated_at is not None
    assert set(api.delete_space_variable(space, "A")) == {"REPO"}


def test_secrets_value_never_comes_back_and_is_not_on_disk(hub_server, api, raw, space):
    api.add_space_secret(space, "KEY", "s3cr3t-value", description="why")
    answer = raw.get(f"/api/spaces/{space}/secrets")
    assert set(answer.json()) == {"HF_TOKEN", "KEY"}
    assert api.get_space_secrets(space)["KEY"].description == "why"
    everything = answer.text + raw.get(f"/api/spaces/{space}").text
    assert "s3cr3t-value" not in everything
    for value in (b"s3cr3t-value", b"hf_very_secret"):
        assert not any(value in p.read_bytes() for p in hub_server.root.rglob("*.json"))
        assert not any(value in p.read_bytes() for p in hub_server.root.glob("index*"))
    api.delete_space_secret(space, "KEY")
    assert list(api.get_space_secrets(space)) == ["HF_TOKEN"]


def test_strangers_see_neither_variables_nor_secrets(anonymous, space):
    for kind in ("variables", "secrets"):
        assert anonymous.get(f"/api/spaces/{space}/{kind}").status_code == 401


def test_runtime_follows_the_files_and_the_owner(api, space):
    assert api.get_space_runtime(space).stage == "NO_APP_FILE"
    put(api, space, {"app.py": b"print()"}, repo_type="space")
    runtime = api.get_space_runtime(space)
    assert (runtime.stage, runtime.hardware, runtime.sleep_time) == ("STOPPED", "cpu-basic", None)
    assert api.pause_space(space).stage == "PAUSED"
    assert api.space_info(space).runtime.stage == "PAUSED"
    assert api.restart_space(space).stage != "PAUSED"
    assert api.pause_space(space).stage == "PAUSED"


def test_a_static_space_is_always_running(api):
    from huggingface_hub.errors import BadRequestError

    name = f"lab/{fresh_name('static')}"
    api.create_repo(name, repo_type="space", space_sdk="static")
    put(api, name, {"index.html": b"<p>Hi</p>"}, repo_type="space")
    assert api.get_space_runtime(name).stage == "RUNNING"
    with pytest.raises(BadRequestError):
        api.restart_space(name)


def test_hardware_and_sleep_time_are_kept(api, space):
    runtime = api.request_space_hardware(space, "t4-small", sleep_time=600)
    assert (runtime.requested_hardware, runtime.sleep_time) == ("t4-small", 600)
    assert api.set_space_sleep_time(space, 60).sleep_time == 60
    assert api.set_space_sleep_time(space, -1).sleep_time is None


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("variables", {"key": "no name", "value": "x"}),
        ("variables", {"key": "A", "value": 3}),
        ("secrets", {"value": "x"}),
        ("secrets", {"key": "A", "value": "x" * 65_000}),
        ("sleeptime", {"seconds": "soon"}),
        ("sleeptime", {"seconds": -5}),
        ("hardware", {"flavor": "Not A Machine!"}),
    ],
)
def test_broken_settings_are_refused(raw, space, path, body):
    assert raw.post(f"/api/spaces/{space}/{path}", json=body).status_code == 400


def test_models_have_no_space_settings(api, repo):
    with pytest.raises(RepositoryNotFoundError):
        api.get_space_runtime(repo)


def test_unknown_sdk_is_refused(raw):
    body = {"name": fresh_name(), "type": "space", "sdk": "magic"}
    answer = raw.post("/api/repos/create", json=body)
    assert (answer.status_code, "gradio" in answer.headers["X-Error-Message"]) == (400, True)


def test_available_hardware_is_listed(api):
    assert [h.name for h in api.list_spaces_hardware()] == ["cpu-basic"]
