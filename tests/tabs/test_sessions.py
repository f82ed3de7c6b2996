"""A session keeps what its States hold and nothing of what Gradio would keep for a link."""

from __future__ import annotations

import time

import gradio as gr
import pytest

from tabs.sessions import LabSession, LabSessions


@pytest.fixture
def page() -> gr.Blocks:
    with gr.Blocks(analytics_enabled=False) as page:
        kept, given, shown = gr.State([]), gr.Textbox(), gr.Textbox(visible=False)

        def add(text: str, before: list[str]):
            now = [*before, text]
            return now, gr.update(value=", ".join(now), visible=True)

        given.submit(add, [given, kept], [kept, shown], api_name="add")
    page.launch(prevent_thread_lock=True, quiet=True, ssr_mode=False, state_session_capacity=2)
    page.app.state_holder = LabSessions(page)
    yield page
    page.close()


def test_sessions_remember_apart_and_the_one_used_longest_ago_is_forgotten(page: gr.Blocks):
    from gradio_client import Client

    ada, bo, cy = (Client(page.local_url, verbose=False) for _ in range(3))

    def say(client: Client, text: str) -> str:
        return client.predict(text, api_name="/add")["value"]

    assert [say(ada, "a"), say(bo, "b"), say(ada, "c")] == ["a", "b", "a, c"]
    assert say(cy, "x") == "x"  # the third of two
    assert say(ada, "d") == "a, c, d"
    assert say(bo, "e") == "e"
    for client in (ada, bo, cy):
        client.close()
    sessions = page.app.state_holder.session_data
    assert len(sessions) == 2
    assert {type(session) for session in sessions.values()} == {LabSession}
    assert not any(session.config_values for session in sessions.values())


def test_what_a_session_keeps_does_not_hang_on_the_clock(page: gr.Blocks, monkeypatch):
    """A reader who left may come back for an hour: an hour of the machine, not of its clock."""
    session = page.app.state_holder["ada"]
    (state,) = (key for key, block in page.blocks.items() if isinstance(block, gr.State))
    session[state] = ["a"]
    session.is_closed = True
    assert [expired for _, _, expired in session.state_components] == [False]
    kept = session.STATE_TTL_WHEN_CLOSED
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + kept + 60)
    assert [expired for _, _, expired in session.state_components] == [True]
    page.app.state_holder.delete_all_expired_state()
    assert session.state_data == {}


def test_a_value_that_was_only_read_needs_no_clean_up(page: gr.Blocks):
    session = page.app.state_holder["ada"]
    (state,) = (key for key, block in page.blocks.items() if isinstance(block, gr.State))
    assert session[state] == []
    page.app.state_holder.delete_state("ada")
    assert session[state] == []
