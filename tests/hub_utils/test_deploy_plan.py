"""The plan is a pure function of what is wanted and what is there."""

import hashlib
import json

import pytest

from hub_utils.deploy import SpaceState, plan_deploy
from hub_utils.names import RepoId
from hub_utils.remote import RemoteFile
from hub_utils.space_order import NEVER, Order

REPO = RepoId("lab", "tiny", "space")
VARIABLES = {"LAB_NAMESPACE": "lab", "LAB_MODELS": "classify=tiny"}


@pytest.fixture
def staged(tmp_path):
    (tmp_path / "app.py").write_text("print()\n")
    (tmp_path / "big.safetensors").write_bytes(b"x" * 100)
    return tmp_path


def order(**changes):
    values = {"repo": REPO, "hardware": "zero", "flavor": "zero-a10g", "private": True}
    return Order(**{**values, "variables": VARIABLES, **changes})


def remote(content: bytes, *, lfs: bool = False) -> RemoteFile:
    oid = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    sha256 = hashlib.sha256(content).hexdigest() if lfs else None
    return RemoteFile(len(content), sha256, oid)


def state(**changes):
    values = {
        "exists": True,
        "files": {
            "app.py": remote(b"print()\n"),
            "big.safetensors": remote(b"x" * 100, lfs=True),
            ".gitattributes": remote(b"lfs"),
        },
        "variables": VARIABLES,
        "hardware": "zero-a10g",
    }
    return SpaceState(**{**values, **changes})


def test_a_new_space_gets_everything(staged):
    plan = plan_deploy(order(secrets=("HF_TOKEN",)), SpaceState(), staged)
    assert plan.create
    assert not plan.request_hardware  # it is created with it
    assert plan.upload == ("app.py", "big.safetensors")
    assert plan.set_variables == VARIABLES
    assert plan.set_secrets == ("HF_TOKEN",)


def test_the_same_again_is_nothing_to_do(staged):
    plan = plan_deploy(order(), state(), staged)
    assert (plan.create, plan.request_hardware) == (False, False)
    assert (plan.upload, plan.delete) == ((), ())
    assert (dict(plan.set_variables), plan.remove_variables, plan.set_secrets) == ({}, (), ())


def test_only_what_changed_goes_up_and_what_is_stale_goes_away(staged):
    files = {
        **state().files,
        "app.py": remote(b"print!!\n"),
        "big.safetensors": remote(b"y" * 100, lfs=True),
        "old.py": remote(b""),
    }
    plan = plan_deploy(order(), state(files=files), staged)
    assert plan.upload == ("app.py", "big.safetensors")
    assert plan.delete == ("old.py",)


def test_variables_that_no_longer_apply_are_removed_and_others_left(staged):
    there = {**VARIABLES, "LAB_REVISIONS": "tiny=v1", "MINE": "1", "LAB_NAMESPACE": "old"}
    plan = plan_deploy(order(), state(variables=there), staged)
    assert plan.set_variables == {"LAB_NAMESPACE": "lab"}
    assert plan.remove_variables == ("LAB_REVISIONS",)


def test_a_secret_that_is_there_is_not_set_again(staged):
    plan = plan_deploy(order(secrets=("HF_TOKEN",)), state(secrets=frozenset({"HF_TOKEN"})), staged)
    assert plan.set_secrets == ()


def test_other_hardware_is_requested(staged):
    assert plan_deploy(order(flavor="cpu-basic"), state(), staged).request_hardware


@pytest.mark.parametrize(
    ("wanted", "there", "set_it"),
    [
        (None, 300, False),
        (300, None, True),
        (300, 300, False),
        (NEVER, None, False),
        (NEVER, 9, True),
    ],
)
def test_a_time_until_sleep_is_set_where_it_differs(staged, wanted, there, set_it):
    plan = plan_deploy(order(sleep_seconds=wanted), state(sleep_seconds=there), staged)
    assert plan.set_sleep == set_it
    assert plan.as_dict()["set_sleep_seconds"] == (wanted if set_it else None)


def test_the_plan_is_json_and_names_what_the_space_will_wait_for(staged):
    plan = plan_deploy(order(missing=("lab/tiny-model",)), SpaceState(), staged)
    content = json.loads(json.dumps(plan.as_dict()))
    assert content["missing_models"] == ["lab/tiny-model"]
    assert content["hardware"] == "zero-a10g"
