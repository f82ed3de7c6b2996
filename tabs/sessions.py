"""What the page remembers of each session, without what only Gradio's deep links need.

Gradio keeps the configuration of every component for every session, to make a link of it on demand.
For this page that is 400 kB and 50 ms of the event loop, longer than most answers take, and a
program's every call is a session.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from copy import copy
from typing import Any

import gradio as gr
from gradio.state_holder import SessionState, StateHolder


class LabSession(SessionState):  # type: ignore[misc]
    """The values of a session's States, and components that were changed for it."""

    def __init__(self, page: gr.Blocks) -> None:
        """Nothing yet."""
        self.blocks_config = copy(page.default_config)
        self.config_values: dict[int, Any] = {}  # stays empty
        self.state_data: dict[int, Any] = {}
        self._state_ttl: dict[int, Any] = {}
        self.is_closed = False
        self.STATE_TTL_WHEN_CLOSED = 3600

    def __setitem__(self, key: int, value: Any) -> None:
        block = self.blocks_config.blocks.get(key)
        if isinstance(block, gr.State):
            self._state_ttl[key] = (block.time_to_live, time.monotonic())
            self.state_data[key] = value
        else:
            self.blocks_config.blocks[key] = value

    @property
    def state_components(self) -> Iterator[tuple[gr.State, Any, bool]]:
        """(State, its value, whether it may go); Gradio's own goes by a clock that may jump."""
        now = time.monotonic()
        for key, value in list(self.state_data.items()):
            if key not in self._state_ttl:  # only read so far: what the page began with
                continue
            kept_s, since = self._state_ttl[key]
            if self.is_closed:
                kept_s = self.STATE_TTL_WHEN_CLOSED
            yield self.blocks_config.blocks[key], value, now - since > kept_s

    def _update_config(self, key: int) -> None:
        """Nothing to renew."""

    def _update_value_in_config(self, key: int, value: Any) -> None:
        """No answer is kept."""


class LabSessions(StateHolder):  # type: ignore[misc]
    """Every session that was used lately."""

    def __init__(self, page: gr.Blocks) -> None:
        """As many as the page was launched for."""
        super().__init__()
        self.set_blocks(page)

    def __getitem__(self, session: str) -> SessionState:
        if session not in self.session_data:
            self.session_data[session] = LabSession(self.blocks)
        return super().__getitem__(session)
