"""What every tab's layout uses: translated texts, and handlers that speak in sentences."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable, Iterator
from html import escape
from typing import Any

import gradio as gr
from gradio.i18n import I18nData

from hub_utils.errors import LabError
from tabs.i18n import say, sentence
from tabs.language import Language, language_of
from tabs.telemetry import ended

log = logging.getLogger(__name__)
PRIVATE: dict[str, Any] = {"api_visibility": "private"}  # events that are not part of the API
QUIET: dict[str, Any] = {**PRIVATE, "queue": False, "show_progress": "hidden"}  # a timer's events


def picture_file(**options: Any) -> Any:
    """A `gr.Image` that hands its file's path over unopened: whoever gets it opens it in bounds.

    Set on the instance: Gradio writes a stub file beside the source of every subclass.
    """
    image = gr.Image(type="filepath", image_mode=None, **options)
    opening = image.preprocess

    def path(payload: Any) -> Any:
        return payload.path if payload and payload.path else opening(payload)

    image.preprocess = path
    return image


def text(key: str) -> I18nData:
    """A text that the browser fills in, in its language."""
    return I18nData(key)


def reader(request: gr.Request | None) -> Language:
    """The language of whoever sent this request; English for a program."""
    return language_of(dict(request.headers)) if request is not None else "en"


def sentences(handler: Callable[..., Any]) -> Callable[..., Any]:
    """Turn what `handler` raises into a sentence on the page; nothing typed is lost."""

    @functools.wraps(handler)
    def plain(*args: Any, **kwargs: Any) -> Any:
        try:
            return handler(*args, **kwargs)
        except Exception as error:
            raise _shown(error, args) from None

    @functools.wraps(handler)
    def streaming(*args: Any, **kwargs: Any) -> Iterator[Any]:
        try:
            yield from handler(*args, **kwargs)
        except Exception as error:
            raise _shown(error, args) from None

    return streaming if inspect.isgeneratorfunction(handler) else plain


def offer(
    handler: Callable[..., Any], inputs: Any, outputs: Any, *, name: str, **limits: Any
) -> None:
    """Let programs call `handler` as an endpoint and as an MCP tool, both called `name`.

    The components say what goes in and out. No State may be among them: Gradio's MCP server
    answers a tool that has one with an error.
    """
    offered = sentences(handler)
    offered.__name__ = name
    gr.Button(visible=False).click(offered, inputs, outputs, api_name=name, **limits)


def counted_as(name: str, handler: Callable[..., Any]) -> Callable[..., Any]:
    """Have an event of the page counted as the endpoint that does the same for programs."""
    handler.__dict__["counted_as"] = f"/{name}"
    return handler


def _shown(error: Exception, args: tuple[Any, ...]) -> Exception:
    language = reader(next((a for a in args if isinstance(a, gr.Request)), None))
    if isinstance(error, LabError):
        ended("refused")
        said = sentence(error, language)
    else:
        ended("failed")
        log.error("a handler failed", exc_info=error)
        said = say("page.error", language)
    title = say("page.error_title", language)
    return gr.Error(escape(said), title=title, print_exception=False)  # type: ignore[no-any-return]


def on_tab_open(**event: Any) -> None:
    """Run an event when the tab that is being laid out is opened."""
    from gradio.context import Context

    assert isinstance(Context.block, gr.Tab)  # noqa: S101 - a tab is laid out inside a gr.Tab
    Context.block.select(**event)


def on_page_load(**event: Any) -> None:
    """Run an event when a browser opens the page."""
    from gradio.context import Context

    assert Context.root_block is not None  # noqa: S101 - a tab is always laid out inside a page
    Context.root_block.load(**event)
