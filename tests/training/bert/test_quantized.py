import pytest
import torch
from transformers import AutoTokenizer

from tests.training.conftest import make_examples
from training.bert.config import TrainConfig
from training.bert.data import tokenize
from training.bert.inference import load
from training.bert.model import build, runner
from training.bert.quantized import Int8Linear, halved, quantized
from training.bert.scoring import UNSURE_INT8, logits_of


def test_rounded_products_are_near_the_exact_ones():
    torch.manual_seed(0)
    linear, x = torch.nn.Linear(64, 32), torch.randn(50, 64)
    with torch.inference_mode():
        error = (Int8Linear(linear)(x) - linear(x)).abs().max()
    assert error < 0.1


def test_labels_are_those_of_float32_though_the_products_are_rounded(finished):
    classifier = load(finished[0] / "repository")
    examples = make_examples(200, seed=31)
    tokens = tokenize(examples.texts, classifier._tokenizer, max_tokens=64)
    exact = logits_of(classifier._network, tokens, bfloat16=False)
    twin = quantized(classifier._network)
    alone = logits_of(twin, tokens, bfloat16=False)
    served = logits_of(classifier._network, tokens, rounded=twin)
    assert not torch.equal(alone, exact)
    assert torch.equal(served.argmax(1), exact.argmax(1))
    best = alone.topk(2).values
    unsure = best[:, 0] - best[:, 1] < UNSURE_INT8
    torch.testing.assert_close(served[unsure], exact[unsure], atol=1e-4, rtol=0)  # other batches


def test_labels_of_the_copy_in_bfloat16_are_those_of_float32(finished):
    classifier = load(finished[0] / "repository")
    examples = make_examples(200, seed=31)
    tokens = tokenize(examples.texts, classifier._tokenizer, max_tokens=64)
    exact = logits_of(classifier._network, tokens, bfloat16=False)
    twin = halved(classifier._network)
    served = logits_of(classifier._network, tokens, rounded=twin)
    assert torch.equal(served.argmax(1), exact.argmax(1))
    assert not torch.equal(logits_of(twin, tokens, bfloat16=False), exact)
    assert torch.equal(logits_of(classifier._network, tokens, bfloat16=False), exact)


def test_the_copy_leaves_the_model_as_it_was_and_shares_its_embeddings(encoder):
    torch.manual_seed(0)
    network = runner(build(str(encoder), ("a", "b"), TrainConfig())).eval()
    tokens = tokenize(["oil and corn"], AutoTokenizer.from_pretrained(encoder), max_tokens=16)
    before = logits_of(network, tokens, bfloat16=False)
    twin = quantized(network)
    assert torch.equal(logits_of(network, tokens, bfloat16=False), before)
    words = "model.bert.embeddings.word_embeddings.weight"
    assert twin.get_parameter(words) is network.get_parameter(words)
    assert isinstance(twin.layers[0].intermediate.dense, Int8Linear)
    assert isinstance(twin.layers[-1].intermediate.dense, torch.nn.Linear)


@pytest.mark.parametrize("kind", ["distilbert"])
def test_encoders_of_another_shape_are_not_rounded(kind, request):
    folder = request.getfixturevalue(kind)
    assert quantized(runner(build(str(folder), ("a", "b"), TrainConfig()))) is None


def test_a_narrow_model_is_served_in_float32(finished):
    assert load(finished[0] / "repository")._rounded is None
