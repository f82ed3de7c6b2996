import numpy as np
import pytest
import torch
from transformers import AutoTokenizer

from tests.training.conftest import make_examples
from training.bert import scoring
from training.bert.config import TrainConfig
from training.bert.data import tokenize
from training.bert.model import build, runner


@pytest.fixture(scope="module")
def tokens(encoder):
    tokenizer = AutoTokenizer.from_pretrained(encoder)
    return tokenize(make_examples(150, seed=2).texts, tokenizer, max_tokens=32)


@pytest.fixture(scope="module")
def network(encoder):
    torch.manual_seed(0)
    return runner(build(str(encoder), ("a", "b", "c"), TrainConfig())).eval()


def one_by_one(network, tokens):
    with torch.inference_mode():
        rows = [scoring.batch_of(tokens, np.array([row])) for row in range(len(tokens))]
        return torch.cat([network(batch) for batch in rows])


def test_many_texts_get_the_logits_of_each_alone_in_their_order(network, tokens):
    logits = scoring.logits_of(network, tokens, bfloat16=False)
    torch.testing.assert_close(logits, one_by_one(network, tokens), atol=1e-5, rtol=0)


def test_bfloat16_changes_no_label(network, tokens):
    exact = one_by_one(network, tokens)
    rounded = scoring.logits_of(network, tokens, bfloat16=True)
    assert torch.equal(rounded.argmax(1), exact.argmax(1))
    torch.testing.assert_close(rounded, exact, atol=0.05, rtol=0)


def test_kept_features_are_the_layers_output_in_the_tokens_order(network, tokens):
    kept = scoring.hidden_of(network, tokens, stop=2)
    with torch.inference_mode():
        whole = network.hidden(scoring.batch_of(tokens, np.arange(len(tokens))), stop=2)
    torch.testing.assert_close(kept.float(), whole, atol=0.02, rtol=0)


def test_progress_is_told_up_to_the_end(network, tokens):
    heard = []
    scoring.logits_of(network, tokens, report=heard.append)
    assert heard == sorted(heard)
    assert heard[-1] == len(tokens)


def test_threads_of_the_process_are_left_as_they_were(network, tokens):
    before = torch.get_num_threads()
    scoring.logits_of(network, tokens)
    assert torch.get_num_threads() == before
