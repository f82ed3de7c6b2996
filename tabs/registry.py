"""The page's tabs, in order. A new tab is a module with `build` and a row here."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from hub_utils.errors import SettingsError
from hub_utils.names import RepoType

if TYPE_CHECKING:
    from tabs.services import Services


@dataclass(frozen=True)
class Tab:
    """One tab: its texts are `tab.<name>` and its layout is `build(services)` in `module`."""

    name: str
    module: str
    repo: str = ""  # the artefact it serves, by default, in the user's namespace
    type: RepoType = "model"  # of that repository
    recipe: str = ""  # `python -m training <recipe>` makes that artefact
    goes_on: bool = False  # its recipe has --from: it can be trained on from what is published
    bundle: str = ""  # `spaces/<bundle>` deploys it as a Space of its own
    slow: bool = False  # its recipe comes after the others, so that they are alive earlier

    @property
    def build(self) -> Callable[[Services], None]:
        """The function that lays the tab out; its module imports Gradio, so it is loaded on use."""
        function: Callable[[Services], None] = import_module(self.module).build
        return function


TABS: tuple[Tab, ...] = (
    Tab("classify", "tabs.classify", repo="reuters-classifier", recipe="bert", bundle="classifier"),
    Tab("generate", "tabs.generate", repo="fairy-tale-gpt", recipe="gpt", bundle="mini-gpt"),
    Tab(
        "search",
        "tabs.search",
        repo="newsgroups-index",
        type="dataset",
        recipe="index",
        bundle="search",
        slow=True,
    ),
    Tab("match", "tabs.match", repo="emoji-clip", recipe="clip", bundle="match"),
    Tab(
        "paint",
        "tabs.paint",
        repo="emoji-painter",
        recipe="diffusion",
        goes_on=True,
        bundle="paint",
    ),
    Tab("hub", "tabs.hub"),
    Tab("status", "tabs.status"),
)


def tab_named(name: str) -> Tab:
    """The row of that name."""
    return next(tab for tab in TABS if tab.name == name)


def shown(names: Sequence[str]) -> tuple[Tab, ...]:
    """The tabs of a page that has those names in LAB_TABS, in the registry's order; none: all.

    Raises SettingsError for a name that no tab has.
    """
    known = [tab.name for tab in TABS]
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            raise SettingsError(
                f"LAB_TABS has {name!r}, which is no tab.",
                hint=f"Did you mean {near[0]}?" if near else f"Use some of {', '.join(known)}.",
            )
    return tuple(tab for tab in TABS if not names or tab.name in names)
