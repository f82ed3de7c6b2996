"""On ZeroGPU a call runs in a forked process; here a decorator that forks stands for it."""

from __future__ import annotations

import importlib.util
import inspect
import multiprocessing
import os
from pathlib import Path

import pytest

from hub_utils.errors import LabError
from hub_utils.names import RepoId
from hub_utils.pull import Pulled
from tests.conftest import ROOT
from tests.tabs.lab import CONTEXT, LABELS, tiny_classifier, tiny_generator


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

        def decorate(task):
            if inspect.isgeneratorfunction(task):
                return lambda *arguments: self._items(task, arguments)
            return lambda *arguments: next(self._items(lambda *given: [task(*given)], arguments))

        return decorate

    def _items(self, task, arguments):
        def work():
            for item in task(*arguments):
                there.send((os.getpid(), item))
            there.send(None)

        context = multiprocessing.get_context("fork")
        here, there = context.Pipe()
        process = context.Process(target=work)
        process.start()
        while (came := here.recv()) is not None:
            self.processes.append(came[0])
            yield came[1]
        process.join()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_classifier(tmp_path_factory.mktemp("zero"))


@pytest.fixture(scope="module")
def tale(tmp_path_factory):
    return tiny_generator(tmp_path_factory.mktemp("zero-tale"))


def pulled(folder: Path) -> Pulled:
    """A folder as the slot hands it to an opener."""
    return Pulled(RepoId("lab", folder.name), folder, "0" * 40, away=False)


def direct(*, duration: int):
    """`spaces.GPU` on any other hardware: the function itself."""
    return lambda task: task


def test_a_stand_in_answers_like_the_model(zero_gpu, folder):
    from training.bert.inference import load

    model, stand_in = load(folder), zero_gpu.openers(direct)["classify"](pulled(folder))
    texts = ["the oil price", "shares of the bank"]
    assert stand_in.classify(texts) == model.classify(texts)
    assert set(stand_in.classify(texts)[0]) == set(LABELS)
    assert stand_in.attribute(texts[0]) == model.attribute(texts[0])


def test_the_work_is_done_in_the_decorated_function(zero_gpu, folder, monkeypatch):
    """In the forked process; a stand-in model there, since torch's threads do not survive a fork."""

    class Model:
        def classify(self, texts):
            return [{"a": 1.0} for _ in texts]

    monkeypatch.setattr(zero_gpu, "_opened", lambda *_: Model())
    gpu = ForkingGpu()
    stand_in = zero_gpu.openers(gpu)["classify"](pulled(folder))
    assert stand_in.classify(["x", "y"]) == [{"a": 1.0}, {"a": 1.0}]
    assert gpu.processes[0] != os.getpid()


def test_the_functions_are_decorated_before_any_model_is_there(zero_gpu):
    """A ZeroGPU Space without one does not start."""
    gpu = ForkingGpu()
    zero_gpu.openers(gpu)
    short, long = zero_gpu.GPU_SECONDS, zero_gpu.STREAM_SECONDS
    assert sorted(gpu.seconds) == [short, short, short, long]


def test_a_stand_in_streams_like_the_model(zero_gpu, tale):
    from training.gpt.inference import load

    model, stand_in = load(tale), zero_gpu.openers(direct)["generate"](pulled(tale))
    prompt, options = "Once upon a time " * 60, {"temperature": 0.8, "top_k": 9, "seed": 5}
    made, expected = stand_in.stream(prompt, 8, **options), model.stream(prompt, 8, **options)
    assert made.cut == expected.cut > 0
    assert [step.id for step in made] == [step.id for step in expected]
    assert stand_in.context == model.context == CONTEXT
    stopped = stand_in.stream("Once", 8)
    next(stopped)
    stopped.close()
    assert next(stopped, None) is None


def test_a_stream_comes_item_by_item_from_the_decorated_function(zero_gpu, tmp_path, monkeypatch):
    class Made(list):
        cut = 3

    class Model:
        def stream(self, prompt, count, **options):
            return Made([f"{prompt}-{number}-{options['seed']}" for number in range(count)])

    monkeypatch.setattr(zero_gpu, "_opened", lambda *_: Model())
    gpu = ForkingGpu()
    made = zero_gpu.openers(gpu)["generate"](pulled(tmp_path)).stream("a", 2, seed=1)
    assert (made.cut, list(made)) == (3, ["a-0-1", "a-1-1"])
    assert os.getpid() not in gpu.processes
    assert len(gpu.processes) == 3


def test_our_errors_come_back_as_sentences(zero_gpu, folder):
    stand_in = zero_gpu.openers(direct)["classify"](pulled(folder))
    with pytest.raises(LabError, match="no label") as caught:
        stand_in.attribute("the oil price", "no such label")
    assert "crude" in caught.value.hint


def test_an_error_before_the_first_token_is_a_sentence_too(zero_gpu, tale):
    with pytest.raises(LabError, match="temperature must be 0 or above"):
        zero_gpu.openers(direct)["generate"](pulled(tale)).stream("Once", 3, temperature=-1.0)


@pytest.fixture(scope="module")
def painter(tmp_path_factory):
    """An untrained painter: what it paints is noise, but always the same."""
    import torch

    from tests.training.clip.conftest import make_text_encoder
    from tests.training.diffusion.conftest import TINY
    from training.diffusion import model

    folder = tmp_path_factory.mktemp("zero-painter")
    encoder, tokenizer = model.load_text(make_text_encoder(folder / "text"))
    torch.manual_seed(0)
    pictures = torch.rand(16, 3, TINY.image_size, TINY.image_size)
    components = model.components_of(
        pictures, patch=TINY.patch, count=TINY.latent_channels, evened=0.5
    )
    pipeline = model.assembled(
        autoencoder=model.build_autoencoder(TINY, components),
        denoiser=model.build_denoiser(TINY, text_width=encoder.config.hidden_size),
        encoder=encoder,
        tokenizer=tokenizer,
    )
    pipeline.save_pretrained(folder / "painter")
    return folder / "painter"


def test_a_painter_paints_on_the_gpu_what_it_paints_here(zero_gpu, painter):
    from training.diffusion.inference import load

    model, stand_in = load(painter), zero_gpu.openers(direct)["paint"](pulled(painter))
    assert (stand_in.steps, stand_in.size) == (model.steps, model.size)
    expected = list(model.paint("red circle", seed=3, steps=2))
    made = list(stand_in.paint("red circle", seed=3, steps=2))
    assert [stage.images[0].tobytes() for stage in made] == [
        stage.images[0].tobytes() for stage in expected
    ]
    between = stand_in.interpolate("red circle", "blue square", 2, seed=3, steps=2)
    alike = model.interpolate("red circle", "blue square", 2, seed=3, steps=2)
    assert [image.tobytes() for image in between] == [image.tobytes() for image in alike]
    with pytest.raises(LabError, match="prompt is empty"):
        next(stand_in.paint(" "))


def test_pictures_come_from_the_decorated_function_step_by_step(zero_gpu, painter, monkeypatch):
    class Model:
        def paint(self, prompt, **options):
            return (f"{prompt}-{number}-{options['seed']}" for number in range(2))

    gpu = ForkingGpu()
    stand_in = zero_gpu.openers(gpu)["paint"](pulled(painter))
    monkeypatch.setattr(zero_gpu, "_opened", lambda *_: Model())
    assert list(stand_in.paint("a", seed=1)) == ["a-0-1", "a-1-1"]
    assert os.getpid() not in gpu.processes


def test_what_is_opened_in_the_pages_process_is_opened_on_the_cpu_by_name(
    zero_gpu, painter, monkeypatch
):
    """There torch says that there is a GPU; there is none outside a decorated function."""
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert zero_gpu.openers(direct)["paint"](pulled(painter)).pipeline.device.type == "cpu"
    asked = {}
    for tab, recipe in (("search", "index"), ("match", "clip")):
        module = importlib.import_module(f"training.{recipe}.inference")
        monkeypatch.setattr(module, "_open", lambda _, tab=tab, **how: asked.update({tab: how}))
        zero_gpu.openers(direct)[tab](pulled(painter))
    assert {tab: how["device"] for tab, how in asked.items()} == {"search": "cpu", "match": "cpu"}


def test_a_model_is_opened_once_a_process(zero_gpu, folder):
    zero_gpu._opened.cache_clear()
    stand_in = zero_gpu.openers(direct)["classify"](pulled(folder))
    stand_in.classify(["the oil"])
    stand_in.classify(["the bank"])
    assert zero_gpu._opened.cache_info().misses == 1
