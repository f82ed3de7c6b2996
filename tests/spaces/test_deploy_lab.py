"""The Space is what was deployed: it runs from its own files alone and serves what is published."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import yaml
from huggingface_hub import snapshot_download

from hub_utils.bundle import read_bundle
from hub_utils.cards import split_card
from hub_utils.space_stage import stage
from tests.conftest import ROOT
from tests.spaces.conftest import INDEX, SERVED, TALE
from tests.tabs.lab import LABELS

DEADLINE_S = 120


@pytest.fixture
def downloaded(hub, space, tmp_path) -> Path:
    """The Space's files in an empty folder."""
    folder = tmp_path / "space"
    snapshot_download(
        "lab/lab-space", repo_type="space", revision=space["revision"], local_dir=folder,
        endpoint=hub.endpoint, token=hub.token,
    )  # fmt: skip
    return folder


@pytest.fixture
def running(hub, deploy):
    """The id of a Space that the embedded Hub runs from its own files."""
    deploy("--name", "run-space", "--hardware", "cpu")
    hub.api.restart_space("lab/run-space")
    runtime = hub.api.wait_for_space("lab/run-space", timeout=DEADLINE_S, poll_interval=0.2)
    assert runtime.stage == "RUNNING", said(hub, build=True) + said(hub)
    yield "lab/run-space"
    hub.api.pause_space("lab/run-space")


def said(hub, **which) -> str:
    """A log of the Space that runs."""
    return "".join(hub.api.fetch_space_logs("lab/run-space", **which))


def test_the_hub_runs_the_deployed_space_without_the_repository(hub, running):
    from gradio_client import Client

    built = said(hub, build=True)
    assert "torch>=2.8,<2.15: satisfied by" in built
    assert "to be installed" not in built
    page = Client(hub.api.space_info(running).host, verbose=False)
    answer = page.predict("The oil price said the bank.", api_name="/classify")
    assert {item["label"] for item in find_confidences(answer)} == set(LABELS)
    written = page.submit("Once upon", 20, api_name="/generate").result()
    assert isinstance(written, str)
    assert written
    found = page.predict("the rocket", 3, "hybrid", api_name="/search")
    assert len(found) == 3
    assert "rocket" in found[0]["text"].lower()
    assert hub.api.pause_space(running).stage == "PAUSED"
    assert "LLM Core Lab is at" in said(hub)


def find_confidences(answer):
    """The label's confidences, wherever the endpoint puts them among its outputs."""
    parts = answer if isinstance(answer, (list, tuple)) else [answer]
    return next(
        part["confidences"] for part in parts if isinstance(part, dict) and "confidences" in part
    )


def test_the_space_has_what_it_needs_and_nothing_else(downloaded):
    there = {path.relative_to(downloaded).as_posix() for path in downloaded.rglob("*.py")}
    assert {"app.py", "zero_gpu.py", "tabs/page.py", "tabs/token_view.py"} <= there
    assert {
        f"training/{name}/inference.py" for name in ("bert", "clip", "diffusion", "gpt", "index")
    } <= there
    assert (downloaded / "tabs" / "token_view.js").is_file()
    assert not [
        name for name in there if name.startswith(("hub_utils/local_hub", "tests", "spaces"))
    ]
    assert (
        not {
            "training/bert/train.py",
            "training/clip/train.py",
            "training/diffusion/train.py",
            "training/gpt/train.py",
            "training/index/build.py",
            "training/index/publish.py",
            "hub_utils/deploy.py",
            "bundle.toml",
        }
        & there
    )


def test_whatever_the_space_imports_of_the_project_went_along(downloaded):
    """Also what is imported only on use. The embedded Hub and deploying stay behind on purpose."""
    there = {path.relative_to(downloaded).as_posix() for path in downloaded.rglob("*.py")}
    wanted = {name for path in there for name in project_imports(downloaded / path)}
    behind = {name for name in wanted if not {f"{name}.py", f"{name}/__init__.py"} & there}
    assert len(wanted) > 30
    assert {name for name in behind if not name.startswith("hub_utils/local_hub")} == set()


def project_imports(path: Path) -> set[str]:
    """Modules of the project that a file imports, anywhere in it, as paths."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    ours = ("tabs", "training", "hub_utils")
    paths = {name.replace(".", "/") for name in found if name.split(".")[0] in ours}
    return {path for path in paths if (ROOT / path).is_dir() or (ROOT / f"{path}.py").is_file()}


def test_the_card_configures_a_space_for_zerogpu(downloaded, model, tale, passages):
    from importlib import metadata

    content = yaml.safe_load(split_card((downloaded / "README.md").read_text("utf-8"))[0])
    assert content["sdk"] == "gradio"
    assert content["sdk_version"] == metadata.version("gradio")
    assert (content["python_version"], content["suggested_hardware"]) == ("3.12", "zero-a10g")
    assert content["models"] == [model, tale, "lab/no-clip", "lab/no-painter"]
    assert content["datasets"] == [passages]
    assert len(content["short_description"]) <= 60
    assert "torch==2.11.0" in (downloaded / "requirements.txt").read_text().splitlines()


def test_the_card_has_the_published_models_fetched_while_it_builds(hub, downloaded, model, tale):
    """Each with its files and the commit that is served; nothing of what is not published."""
    content = yaml.safe_load(split_card((downloaded / "README.md").read_text("utf-8"))[0])
    lines = [line.split(" ") for line in content["preload_from_hub"]]
    assert [(repo, commit) for repo, _, commit in lines] == [
        (repo, hub.api.model_info(repo).sha) for repo in (model, tale)
    ]
    files = lines[0][1].split(",")
    assert {"config.json", "model.safetensors", "README.md"} <= set(files)
    there = {item.rfilename for item in hub.api.model_info(model).siblings}
    assert set(files) == there - {".gitattributes"}


def test_the_space_has_its_variables_and_no_secret(hub, space):
    variables = {k: v.value for k, v in hub.api.get_space_variables("lab/lab-space").items()}
    assert variables == {
        "LAB_NAMESPACE": "lab",
        "LAB_MODELS": SERVED,
        "LAB_SEARCH_STORE": "exact",
        "LAB_READ_ONLY": "1",
    }
    assert hub.api.get_space_secrets("lab/lab-space") == {}
    assert hub.api.get_space_runtime("lab/lab-space").requested_hardware == "zero-a10g"


def test_deploying_again_makes_no_commit(deploy, space):
    again = deploy("--name", "lab-space")
    assert (again["changed"], again["revision"]) == (False, space["revision"])
    assert again["url"] == space["url"]


def test_a_dry_run_shows_the_plan_and_does_nothing(deploy, hub):
    plan = deploy("--name", "never-made", "--dry-run")
    assert plan["create"]
    assert "app.py" in plan["upload"]
    assert plan["set_variables"]["LAB_NAMESPACE"] == "lab"
    assert not hub.api.repo_exists("lab/never-made", repo_type="space")


def test_on_a_cpu_it_asks_for_a_cpu_and_its_torch(deploy, hub):
    done = deploy("--name", "cpu-space", "--hardware", "cpu")
    assert hub.api.get_space_runtime("lab/cpu-space").requested_hardware == "cpu-basic"
    lines = hub.api.hf_hub_download(
        "lab/cpu-space", "requirements.txt", repo_type="space", revision=done["revision"]
    )
    assert "torch>=2.8,<2.15" in Path(lines).read_text().splitlines()


@pytest.mark.parametrize("bundle", ["lab", "match"])
def test_what_a_cpu_space_installs_is_what_was_tested_here(bundle, tmp_path):
    """So that the embedded Hub can run it with the packages that are there."""
    from importlib import metadata

    from packaging.requirements import Requirement

    chosen = read_bundle(ROOT / "spaces" / bundle)
    stage(chosen, tmp_path, project=ROOT, hardware="cpu", decided={})
    lines = (tmp_path / "requirements.txt").read_text("utf-8").splitlines()
    wanted = [Requirement(text) for line in lines if (text := line.split("#")[0].strip())]
    assert {"torch", "torchvision", "open-clip-torch"} <= {item.name for item in wanted}
    unmet = [str(r) for r in wanted if not r.specifier.contains(metadata.version(r.name))]
    assert unmet == []


def test_other_hardware_is_requested_for_a_space_that_is_there(deploy, hub):
    deploy("--name", "moving-space")
    deploy("--name", "moving-space", "--hardware", "cpu")
    assert hub.api.get_space_runtime("lab/moving-space").requested_hardware == "cpu-basic"


def test_a_revision_that_no_longer_applies_is_taken_off(deploy, hub):
    deploy("--name", "pinned-space", LAB_REVISIONS="space-classifier=main")
    assert "LAB_REVISIONS" in hub.api.get_space_variables("lab/pinned-space")
    deploy("--name", "pinned-space")
    assert "LAB_REVISIONS" not in hub.api.get_space_variables("lab/pinned-space")


def test_a_private_model_needs_a_token_for_the_space_which_is_never_shown(deploy, hub, tmp_path):
    from tests.tabs.lab import tiny_classifier

    folder = tiny_classifier(tmp_path / "private")
    from hub_utils.push import push_folder

    push_folder(folder, hub.repo("private-classifier"), hub=hub, message="Train", private=True)
    models = {"LAB_MODELS": "classify=private-classifier"}
    refused = deploy("--name", "secret-space", code=2, **models)
    assert "lab/private-classifier, which is private" in refused["printed"]
    assert "LAB_SPACE_TOKEN" in refused["printed"]

    given = {**models, "LAB_SPACE_TOKEN": "hf_read_only_token"}
    plan = deploy("--name", "secret-space", "--dry-run", **given)
    done = deploy("--name", "secret-space", **given)
    assert plan["set_secrets"] == ["HF_TOKEN"]
    assert "hf_read_only_token" not in plan["printed"] + done["printed"]
    assert list(hub.api.get_space_secrets("lab/secret-space")) == ["HF_TOKEN"]
    assert not deploy("--name", "secret-space", "--dry-run", **given)["set_secrets"]


def test_frozen_serves_what_is_published_now(deploy, hub, model, tale, passages):
    served = ",".join(part for part in SERVED.split(",") if "=no-" not in part)
    frozen = deploy("--name", "frozen-space", "--frozen", bundle="classifier", LAB_MODELS=served)
    revisions = hub.api.get_space_variables("lab/frozen-space")["LAB_REVISIONS"].value
    assert revisions == f"{model}={hub.api.model_info(model).sha}"
    assert frozen["changed"]
    refused = deploy("--name", "frozen-lab", "--frozen", code=2)
    assert "lab/no-clip, lab/no-painter cannot be frozen" in refused["printed"]


def test_a_space_of_one_tab_is_deployed_with_that_tab_alone(deploy, hub, passages):
    plan = deploy("--dry-run", bundle="search")
    assert plan["space"] == "lab/lab-search"
    assert plan["set_variables"]["LAB_TABS"] == "search"
    assert plan["set_variables"]["LAB_MODELS"] == f"search={INDEX}"
    assert (plan["models"], plan["datasets"]) == ([], [passages])
    assert "training/index/inference.py" in plan["upload"]
    assert not [name for name in plan["upload"] if name.startswith("training/bert/")]


@pytest.mark.parametrize("bundle", ["classifier", "mini-gpt", "search", "match", "paint"])
def test_the_recipe_of_a_tab_goes_along_whole(bundle, tmp_path):
    """Whatever those files of training import is there, too; and the bundle is a short one."""
    folder = ROOT / "spaces" / bundle
    stage(
        read_bundle(folder), tmp_path, project=ROOT, hardware="zero",
        decided={"suggested_hardware": "zero-a10g"},
    )  # fmt: skip
    there = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.py")}
    recipe = {path for path in there if path.startswith(("training/", "hub_utils/"))}
    wanted = {name for path in recipe for name in project_imports(tmp_path / path)}
    behind = {name for name in wanted if not {f"{name}.py", f"{name}/__init__.py"} & there}
    assert {name for name in behind if not name.startswith("hub_utils/local_hub")} == set()
    assert len([path for path in recipe if path.endswith("/inference.py")]) == 1
    assert sum(len(path.read_text("utf-8").splitlines()) for path in folder.iterdir()) < 60


def test_a_time_until_sleep_is_set_once(deploy, hub):
    deploy("--name", "sleepy-space", "--sleep-time", "600", bundle="classifier")
    assert hub.api.get_space_runtime("lab/sleepy-space").sleep_time == 600
    again = deploy(
        "--name", "sleepy-space", "--sleep-time", "600", "--dry-run", bundle="classifier"
    )
    assert again["set_sleep_seconds"] is None
    refused = deploy("--name", "sleepy", "--hardware", "cpu", "--sleep-time", "9", code=2)
    assert "cpu-basic sleeps after 48 hours" in refused["printed"]


def test_a_model_that_is_not_published_is_named_and_waited_for(deploy):
    served = f"classify=not-yet,generate={TALE},search=nor-this,match={TALE},paint={TALE}"
    plan = deploy("--name", "early-space", "--dry-run", LAB_MODELS=served)
    assert plan["missing_models"] == ["lab/not-yet", "lab/nor-this"]
    assert plan["datasets"] == ["lab/nor-this"]


def test_the_entry_is_short_and_imports_zerogpu_before_torch():
    lines = (ROOT / "spaces" / "lab" / "app.py").read_text("utf-8").splitlines()
    assert len(lines) < 60
    code = "\n".join(lines)
    assert code.index("from spaces import GPU") < code.index("from hub_utils")
    assert "import torch" not in code
