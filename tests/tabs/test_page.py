"""The page as it is laid out: what programs may call, what a read-only page hides."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from hub_utils.connection import Hub
from hub_utils.errors import SettingsError
from hub_utils.settings import Settings
from tabs.i18n import TEXTS
from tabs.page import LabPage, build_page
from tabs.registry import TABS
from tabs.services import Services


def lay_out(home: Path, **settings: Any) -> LabPage:
    hub = Hub("http://127.0.0.1:1", None, namespace="lab", embedded=False)
    return build_page(Services(Settings(hub_root=home / "hub", **settings), hub))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabPage]:
    laid_out = lay_out(tmp_path_factory.mktemp("page"))
    yield laid_out
    laid_out.close()


def public(page: LabPage) -> dict[str, list[str]]:
    """Name of every public endpoint and the names of its parameters."""
    endpoints = page.get_api_info()["named_endpoints"]
    return {
        name: [parameter["parameter_name"] for parameter in endpoint["parameters"]]
        for name, endpoint in endpoints.items()
    }


def widget(page: LabPage, elem_id: str) -> Any:
    return next(b for b in page.blocks.values() if getattr(b, "elem_id", None) == elem_id)


def test_programs_may_call_these_and_nothing_else(page: LabPage):
    assert public(page) == {
        "/classify": ["text"],
        "/classify_batch": ["file"],
        "/match": ["image", "texts"],
        "/find_image": ["text", "k"],
        "/paint": ["prompt", "steps", "guidance", "seed"],
        "/search": ["query", "k", "mode"],
        "/generate": ["prompt", "max_new_tokens", "temperature", "top_k", "top_p", "seed"],
    }


def test_what_programs_call_has_no_state_on_which_an_mcp_tool_fails(page: LabPage):
    names = {name.strip("/") for name in public(page)}
    offered = [function for function in page.fns.values() if function.api_name in names]
    assert len(offered) == len(names)
    for function in offered:
        assert not any(isinstance(one, gr.State) for one in (*function.inputs, *function.outputs))


def test_every_other_event_is_private(page: LabPage):
    names = {name.strip("/") for name in public(page)}
    others = [f for f in page.fns.values() if f.api_name not in names]
    assert others
    assert {function.api_visibility for function in others} == {"private"}


def test_slow_events_have_limits_and_the_queue_an_end(page: LabPage):
    limits = {f.api_name: f.concurrency_limit for f in page.fns.values()}
    assert limits["classify"] == limits["find_image"] == 16  # which share passes
    assert limits["classify_batch"] == 1
    assert limits["generate"] == 4
    assert limits["search"] == 4
    assert limits["match"] == limits["paint"] == 2


def test_a_tab_that_is_slow_keeps_no_other_tabs_calls_waiting(page: LabPage):
    groups = {f.concurrency_id: f for f in page.fns.values() if f.api_visibility != "private"}
    tabs = {str(f.fn.__module__) for f in groups.values()}
    assert len(groups) == 7  # a file waits apart from a text, pictures apart from words for them
    assert tabs == {f"tabs.{tab.name}" for tab in TABS if tab.repo} | {"tabs.classify_file"}


def test_every_tab_of_the_registry_is_there_in_its_order(page: LabPage):
    names = [tab.name for tab in TABS]
    tabs = [b.id for b in page.blocks.values() if type(b).__name__ == "Tab"]
    assert [id for id in tabs if id in names] == names
    assert all(id.split("-")[0] in names for id in tabs)  # tabs inside a tab bear its name


def test_a_page_of_some_tabs_has_those_alone(tmp_path: Path):
    page = lay_out(tmp_path, tabs=("search", "classify"))
    assert public(page).keys() == {"/classify", "/classify_batch", "/search"}
    assert [tab.name for tab in page.services.tabs] == ["classify", "search"]
    page.close()


@pytest.mark.parametrize(("name", "near"), [("clasify", "classify"), ("xyz", "classify, generate")])
def test_a_tab_that_is_not_there_names_the_near_one(tmp_path: Path, name: str, near: str):
    with pytest.raises(SettingsError, match=f"LAB_TABS has '{name}'") as caught:
        lay_out(tmp_path, tabs=(name,))
    assert near in caught.value.hint


def test_every_static_text_is_in_the_table(page: LabPage):
    keys = {
        value.key
        for block in page.blocks.values()
        for value in (getattr(block, name, None) for name in ("label", "value", "placeholder"))
        if type(value).__name__ == "I18nData"
    }
    assert len(keys) > 10
    assert keys <= TEXTS.keys() | {"page.header"}


def test_every_input_has_a_label(page: LabPage):
    inputs = ("Textbox", "Dropdown", "Radio", "File", "Slider", "Number", "Checkbox")
    unlabelled = [
        block.elem_id
        for block in page.blocks.values()
        if type(block).__name__ in inputs and not getattr(block, "label", None)
    ]
    assert unlabelled == []


@pytest.mark.parametrize("read_only", [False, True])
def test_a_read_only_page_hides_what_changes_something(tmp_path: Path, read_only: bool):
    page = lay_out(tmp_path, read_only=read_only)
    changing = ("train-missing", "train-again", "train-on", "stop", "pin", "unpin")
    for elem_id in [*(f"hub-{name}" for name in changing), "mine-go"]:
        around = widget(page, elem_id)
        shown = True
        while around is not None:
            shown = shown and getattr(around, "visible", True) is not False
            around = around.parent
        assert shown != read_only, elem_id
    page.close()


def test_on_another_hub_the_page_says_how_to_deploy_instead(tmp_path: Path):
    far = Hub("https://hub.example", "t", namespace="ada", embedded=False)
    page = build_page(Services(Settings(hub_root=tmp_path / "hub"), far))
    assert widget(page, "spaces-note").value.key == "spaces.elsewhere_note"
    assert not widget(page, "spaces-go").parent.parent.visible
    page.close()
    here = lay_out(tmp_path)
    assert widget(here, "spaces-go").parent.parent.visible
    here.close()
