"""Handlers speak in sentences; what nobody expected is logged and told without detail."""

from __future__ import annotations

import logging

import gradio as gr
import pytest

from hub_utils.errors import DataError
from tabs.i18n import PageError
from tabs.widgets import reader, sentences


def chinese() -> gr.Request:
    return gr.Request(headers={"accept-language": "zh-CN"})


def failing(error: Exception):
    @sentences
    def handler(_request: gr.Request) -> None:
        raise error

    return handler


def test_a_handler_that_works_is_left_alone():
    assert sentences(lambda x: x + 1)(1) == 2


def test_an_expected_error_is_shown_in_the_readers_language():
    with pytest.raises(gr.Error) as raised:
        failing(PageError("batch.none"))(chinese())
    assert raised.value.message == "请先选择文件。"
    assert raised.value.title == "没有成功"


def test_words_of_an_error_cannot_become_markup():
    with pytest.raises(gr.Error) as raised:
        failing(DataError("no column <script>"))(None)
    assert raised.value.message == "no column &lt;script&gt;"


def test_an_unexpected_error_is_logged_and_its_detail_stays_there(
    caplog: pytest.LogCaptureFixture,
):
    with caplog.at_level(logging.ERROR), pytest.raises(gr.Error) as raised:
        failing(RuntimeError("secret detail"))(None)
    assert "secret detail" not in raised.value.message
    assert "nothing you typed is lost" in raised.value.message
    assert "secret detail" in caplog.text


def test_a_program_reads_english():
    assert reader(None) == "en"
    assert reader(chinese()) == "zh"
