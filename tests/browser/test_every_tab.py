"""One app with all five tiny models: what holds for every tab, for people and for programs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tabs.elsewhere import USES
from tabs.i18n import say
from tabs.registry import TABS
from tests.browser.conftest import PHONE
from tests.tabs.lab import (
    ROOT,
    AppProcess,
    HubProcess,
    environment_for,
    publish,
    publish_index,
    tiny_classifier,
    tiny_clip,
    tiny_generator,
    tiny_painter,
)

OpenPage = Callable[..., Page]
ADDRESS = "http://127.0.0.1:7860"  # as docs/api.md writes it
API = (ROOT / "docs" / "api.md").read_text("utf-8")
TITLES = {tab.name: say(f"tab.{tab.name}", "en") for tab in TABS}
JAVASCRIPT_CLIENT = "@gradio/client@2.7.0"
DESKTOP = {"width": 1280, "height": 900}
# What docs/api.md promises. A name may be added; one that goes, goes as is said there.
PROMISED = {
    "/classify": ["text"],
    "/classify_batch": ["file"],
    "/generate": ["prompt", "max_new_tokens", "temperature", "top_k", "top_p", "seed"],
    "/search": ["query", "k", "mode"],
    "/match": ["image", "texts"],
    "/find_image": ["text", "k"],
    "/paint": ["prompt", "steps", "guidance", "seed"],
}


@pytest.fixture(scope="module")
def app(hub_process: HubProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppProcess]:
    """The app as `make demo` starts it, on a Hub where nothing is missing."""
    home = tmp_path_factory.mktemp("app")
    hub = hub_process.client(home / "publisher")
    publish(hub, tiny_classifier(home / "classifier"))
    publish(hub, tiny_generator(home / "generator"), "fairy-tale-gpt")
    publish_index(hub, home / "index")
    clip = tiny_clip(home / "clip", steps=4)
    name_text_tower(clip, "lab/tiny-text")
    publish(hub, home / "clip" / "text", "tiny-text")
    publish(hub, clip, "emoji-clip")
    publish(hub, tiny_painter(home / "painter"), "emoji-painter")
    process = AppProcess(home, environment_for(hub_process, home), ("--train-missing",)).start()
    yield process
    process.stop()


def name_text_tower(repository: Path, repo: str) -> None:
    """A CLIP whose text encoder came from a folder names that; let it name a repository."""
    path = repository / "open_clip_config.json"
    described = json.loads(path.read_text())
    described["model_cfg"]["text_cfg"] |= {"hf_model_name": repo, "hf_tokenizer_name": repo}
    path.write_text(json.dumps(described))


def get_json(url: str) -> dict:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.load(answer)


# For every reader: axe-core finds nothing serious


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_no_tab_has_a_serious_obstacle_for_a_screen_reader_or_weak_eyes(
    open_page: OpenPage, app: AppProcess, size: dict[str, int]
):
    page = open_page(f"{app.url}/?__theme=light", viewport=size)
    # A colour on its way from one theme to the other is neither's.
    page.add_style_tag(content="* { transition: none !important }")
    found = []
    for tab in TABS:
        open_tab(page, tab.name)
        found += obstacles(page, f"{tab.name}, light", {})
        with darkness(page):  # which changes colours only
            found += obstacles(page, f"{tab.name}, dark", {"runOnly": ["color-contrast"]})
    assert not found, "\n".join(found)


def obstacles(page: Page, where: str, options: dict) -> list[str]:
    """What axe-core finds serious or critical, each as a sentence."""
    result = Axe().run(page, options={"resultTypes": ["violations"], **options})
    return [
        f"{where}: {violation['help']}: {node['html'][:160]} {node['failureSummary']}"
        for violation in result.response["violations"]
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]


@contextmanager
def darkness(page: Page) -> Iterator[None]:
    page.evaluate("document.body.classList.add('dark')")
    yield
    page.evaluate("document.body.classList.remove('dark')")


def open_tab(page: Page, name: str) -> None:
    """Open a tab and wait until it shows what it serves."""
    page.get_by_role("tab", name=TITLES[name], exact=True).click()
    if name == "status":
        expect(page.locator("#status-facts")).to_contain_text("gradio")
        return
    what = f"#{name}-source" if name != "hub" else "#hub-published"
    expect(page.locator(what)).to_contain_text("lab/")


# For programs: docs/api.md


@dataclass(frozen=True)
class Block:
    """A code block of docs/api.md."""

    section: str
    language: str
    code: str


def blocks_of(text: str, *languages: str) -> list[Block]:
    found = []
    for part in re.split(r"^## ", text, flags=re.M):
        section = part.splitlines()[0] if part else ""
        for language, code in re.findall(r"^```(\w+)\n(.*?)^```$", part, flags=re.M | re.S):
            if language in languages:
                found.append(Block(section, language, code))
    return found


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the examples need, made as the page says."""
    folder = tmp_path_factory.mktemp("files")
    (made,) = (block for block in blocks_of(API, "bash") if block.section == "How it answers")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    subprocess.run(["bash", "-ec", made.code], cwd=folder, env={"PATH": path}, check=True)
    return folder


@pytest.mark.parametrize(
    "block", blocks_of(API, "python"), ids=lambda block: block.section.replace(" ", "-")
)
def test_the_python_examples_run_as_they_stand(
    block: Block, app: AppProcess, files: Path, monkeypatch, capsys
):
    monkeypatch.chdir(files)
    code = compile(block.code.replace(ADDRESS, app.url), block.section, "exec")
    with ThreadPoolExecutor(1) as pool:  # this thread's event loop is the browser's
        pool.submit(exec, code, {"__name__": "__main__"}).result()
    assert capsys.readouterr().out.strip()


@pytest.mark.parametrize("name", PROMISED)
def test_the_shell_examples_run_as_they_stand(name: str, app: AppProcess, files: Path):
    two_steps, by_mcp = (b for b in blocks_of(API, "bash") if f"/{b.section}" == name)
    told = in_shell(two_steps, app, files)
    assert "event: complete" in told
    assert json.loads(told.strip().splitlines()[-1].removeprefix("data: "))
    told = in_shell(by_mcp, app, files)
    (line,) = (line for line in told.splitlines() if line.startswith("data: "))
    result = json.loads(line.removeprefix("data: "))["result"]
    assert not result["isError"], result
    assert result["content"]


def in_shell(block: Block, app: AppProcess, folder: Path) -> str:
    done = subprocess.run(
        ["bash", "-ec", block.code.replace(ADDRESS, app.url)],
        cwd=folder, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def node_folder(files: Path) -> Path:
    """The folder with the examples' files, and the client that JavaScript needs in it."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("node or npm is not installed, so the JavaScript examples cannot run")
    install = [npm, "install", "--no-audit", "--no-fund", "--fetch-retries=0", JAVASCRIPT_CLIENT]
    done = subprocess.run(install, cwd=files, capture_output=True, text=True, timeout=120)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[0]
        pytest.skip(f"npm could not install {JAVASCRIPT_CLIENT} ({reason})")
    return files


@pytest.mark.slow
@pytest.mark.parametrize("name", PROMISED)
def test_the_javascript_examples_run_as_they_stand_and_end(
    name: str, app: AppProcess, node_folder: Path
):
    """Slow because it installs a package that is not this project's."""
    (block,) = (b for b in blocks_of(API, "javascript") if f"/{b.section}" == name)
    (node_folder / "example.mjs").write_text(block.code.replace(ADDRESS, app.url), "utf-8")
    done = subprocess.run(
        ["node", "example.mjs"], cwd=node_folder, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert not done.stderr


@pytest.mark.parametrize("name", PROMISED)
def test_every_language_is_shown_for_every_endpoint(name: str):
    told = blocks_of(API, "python", "bash", "javascript")
    languages = [block.language for block in told if f"/{block.section}" == name]
    assert languages == ["python", "bash", "javascript", "bash"]
    (script,) = (b for b in blocks_of(API, "javascript") if f"/{b.section}" == name)
    assert f'("{name}", {{' in script.code


def test_the_page_keeps_what_is_promised(app: AppProcess):
    offered = get_json(f"{app.url}/gradio_api/info")["named_endpoints"]
    for name, parameters in PROMISED.items():
        given = [one["parameter_name"] for one in offered[name]["parameters"]]
        assert given[: len(parameters)] == parameters
        added = offered[name]["parameters"][len(parameters) :]
        assert all(one["parameter_has_default"] for one in added)
    tools = {tool["name"] for tool in get_json(f"{app.url}/gradio_api/mcp/schema")}
    assert tools == {name.strip("/") for name in offered}


def test_a_generator_of_clients_finds_every_endpoint(app: AppProcess):
    described = get_json(f"{app.url}/gradio_api/openapi.json")
    assert described["openapi"].startswith("3.")
    assert {f"/gradio_api/call/v2{name}" for name in PROMISED} <= described["paths"].keys()


# For other people's code: the lines at the foot of each tab


@pytest.fixture(scope="module")
def shown(browser, app: AppProcess) -> dict[str, tuple[str, str]]:
    """(shell, Python) that each tab shows."""
    context = browser.new_context(locale="en-US")
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.goto(app.url)
    found = {name: lines_of(page, name) for name in USES}
    context.close()
    return found


def lines_of(page: Page, tab: str) -> tuple[str, str]:
    open_tab(page, tab)
    part = page.locator(f"#{tab}-elsewhere")
    part.get_by_role("button", name="Use it elsewhere").click()
    expect(page.locator(f"#{tab}-elsewhere-python")).to_contain_text("import", timeout=60_000)
    shell, code = (
        "\n".join(page.locator(f"#{tab}-elsewhere-{kind} .cm-line").all_inner_texts())
        for kind in ("shell", "python")
    )
    return shell, code


STRANGER = """
import sys
from importlib.util import find_spec
assert not find_spec("training") and not find_spec("hub_utils")
for path in sys.argv[1:]:
    print("#", path)
    exec(compile(open(path).read(), path, "exec"), {"__name__": "__main__"})
"""


def test_what_every_tab_shows_runs_where_this_project_is_not(
    shown: dict[str, tuple[str, str]], hub_process: HubProcess, tmp_path: Path
):
    hub = hub_process.client(tmp_path / "cache")
    repos = {"classify": "reuters-classifier", "generate": "fairy-tale-gpt"}
    repos |= {"match": "emoji-clip", "paint": "emoji-painter"}
    newest = {tab: hub.api.model_info(f"lab/{name}").sha for tab, name in repos.items()}
    newest["search"] = hub.api.dataset_info("lab/newsgroups-index").sha
    for tab, (shell, code) in shown.items():
        assert f'revision="{newest[tab]}"' in code
        assert shell.startswith(f"pip install {USES[tab].packages}\n")
        assert f"export HF_ENDPOINT={hub_process.endpoint} HF_HUB_DISABLE_XET=1" in shell
        (tmp_path / f"{tab}.py").write_text(code, "utf-8")
    done = subprocess.run(
        [sys.executable, "-I", "-W", "ignore", "-c", STRANGER, *(f"{tab}.py" for tab in USES)],
        cwd=tmp_path,
        env={
            "HF_ENDPOINT": hub_process.endpoint,
            "HF_HUB_DISABLE_XET": "1",
            "HOME": str(tmp_path),
            "PATH": os.environ["PATH"],
        },
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answers = dict(re.findall(r"^# (\w+)\.py\n(.*?)(?=^# |\Z)", done.stdout, flags=re.M | re.S))
    assert answers.keys() == USES.keys()
    assert all(answer.strip() for answer in answers.values()), done.stdout
    assert "'label': " in answers["classify"]
    assert answers["generate"].startswith("Once upon a time")
    assert len(re.findall(r"^[\d.]+ \S+#\d+ ", answers["search"], flags=re.M)) == 10
    assert answers["match"].startswith("tensor(")
    assert re.match(r"\(\d+, \d+\)", answers["paint"])


def test_a_start_with_everything_published_trained_nothing(app: AppProcess):
    assert not (app.home / "runs").exists()
