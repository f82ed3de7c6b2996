"""On ZeroGPU a call runs in a forked process; here a decorator that forks stands for it."""

from __future__ import annotations

import importlib.util
import multiprocessing
import os

import pytest

from hub_utils.errors import LabError
from tests.conftest import ROOT
from tests.tabs.lab import LABELS, tiny_classifier


@pytest.fixture(scope="module")
def zero_gpu():
    """The module as the Space has it: on its own, beside app.py."""
    path = ROOT / "spaces" / "lab" / "zero_gpu.py"
    spec = importlib.util.spec_from_file_location("zero_gpu", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class ForkingGpu:
    """What `spaces.GPU` does, without a GPU: arguments and answers go through pipes."""

    def __init__(self) -> None:
        self.processes: list[int] = []
        self.seconds: list[int] = []

    def __call__(self, *, duration: int):
        self.seconds.append(duration)
        return lambda task: lambda *arguments: self._fork(task, arguments)

    def _fork(self, task, arguments):
        context = multiprocessing.get_context("fork")
        here, there = context.Pipe()
        process = context.Process(target=lambda: there.send((os.getpid(), task(*arguments))))
        process.start()
        pid, answer = here.recv()
        process.join()
        self.processes.append(pid)
        return answer


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_classifier(tmp_path_factory.mktemp("zero"))


def direct(*, duration: int):
    """`spaces.GPU` on any other hardware: the function itself."""
    return lambda task: task


def test_a_stand_in_answers_like_the_model(zero_gpu, folder):
    from training.bert.inference import load

    model, stand_in = load(folder), zero_gpu.opener(direct)(folder)
    texts = ["the oil price", "shares of the bank"]
    assert stand_in.classify(texts) == model.classify(texts)
    assert set(stand_in.classify(texts)[0]) == set(LABELS)
    assert stand_in.attribute(texts[0]) == model.attribute(texts[0])


def test_the_work_is_done_in_the_decorated_function(zero_gpu, folder, monkeypatch):
    """In the forked process; a stand-in model there, since torch's threads do not survive a fork."""

    class Model:
        def classify(self, texts):
            return [{"a": 1.0} for _ in texts]

    monkeypatch.setattr(zero_gpu, "_opened", lambda _: Model())
    gpu = ForkingGpu()
    stand_in = zero_gpu.opener(gpu)(folder)
    assert stand_in.classify(["x", "y"]) == [{"a": 1.0}, {"a": 1.0}]
    assert gpu.processes[0] != os.getpid()
    assert gpu.seconds == [zero_gpu.GPU_SECONDS]


def test_a_function_is_decorated_before_any_model_is_there(zero_gpu):
    """A ZeroGPU Space without one does not start."""
    gpu = ForkingGpu()
    zero_gpu.opener(gpu)
    assert gpu.seconds == [zero_gpu.GPU_SECONDS]


def test_our_errors_come_back_as_sentences(zero_gpu, folder):
    stand_in = zero_gpu.opener(direct)(folder)
    with pytest.raises(LabError, match="no label") as caught:
        stand_in.attribute("the oil price", "no such label")
    assert "crude" in caught.value.hint


def test_a_model_is_opened_once_a_process(zero_gpu, folder):
    zero_gpu._opened.cache_clear()
    stand_in = zero_gpu.opener(direct)(folder)
    stand_in.classify(["the oil"])
    stand_in.classify(["the bank"])
    assert zero_gpu._opened.cache_info().misses == 1
