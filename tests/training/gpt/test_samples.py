import numpy as np
import pytest
import torch

from tests.training.gpt.conftest import tale, tiny_model
from training.gpt.config import TrainConfig
from training.gpt.data import Source, Texts, corpus_of
from training.gpt.inference import TextGenerator
from training.gpt.native import to_stock
from training.gpt.samples import Sampling, _beginning, continuation, prompts_of, write_samples
from training.gpt.tokenizer import train_tokenizer


@pytest.fixture(scope="module")
def corpus():
    text = tale(12_000)
    texts = Texts((text[:9000],), (text[9000:],), Source("tale.txt"), "the end", False)
    return corpus_of(texts, TrainConfig(tokenizer="char", context=24))


def test_prompts_are_the_first_words_of_held_out_lines(corpus):
    lines = corpus.tokenizer.decode(corpus.held_out_ids.tolist()).split("\n")
    prompts = prompts_of(corpus.held_out_ids, corpus.tokenizer)
    assert len(prompts) == 3
    for prompt in prompts:
        line = next(line for line in lines if line.startswith(prompt))
        assert line == prompt or line[len(prompt)] == " "
        assert 10 <= len(prompt) <= 40


@pytest.mark.parametrize(
    ("text", "prompt"),
    [
        ("ired him to go. The king was glad of it and gave a feast", "The king was glad of it and gave a feast"),
        ("ired. ‘Who is there?’ said the wolf to the seven little kids.", "‘Who is there?’ said the wolf to the"),
        ("ired him first to perform another task than before", "him first to perform another task than"),
        ("里有一座城堡。从前有一个国王住在很大的森林里的城堡里面和他的女儿", "从前有一个国王住在很大的森林里的城堡里面和他的女儿"),
        ("short", "short"),
        ("", "\n"),
    ],
)  # fmt: skip
def test_without_lines_a_prompt_begins_with_a_sentence_or_at_least_a_word(text, prompt):
    assert _beginning(text) == prompt


def test_prompts_are_found_in_a_text_without_lines_or_spaces():
    text = "从前有一个国王住在森林里的城堡" * 40
    tokenizer = train_tokenizer("char", [text], vocab_size=0)
    ids = np.array(tokenizer(text)["input_ids"], dtype=np.uint16)
    assert [len(prompt) for prompt in prompts_of(ids, tokenizer)] == [12, 12, 12]


def test_the_same_run_writes_the_same_samples(corpus):
    model = tiny_model(vocab_size=len(corpus.tokenizer), context=24)
    first, second = (write_samples(model, corpus, tokens=30) for _ in range(2))
    assert first == second
    assert len({sample.text for sample in first}) == 3


@pytest.mark.parametrize("temperature", [0.0, 0.9])
def test_a_continuation_is_what_the_published_model_writes(corpus, temperature):
    """Past the end of the context too."""
    model = tiny_model(vocab_size=len(corpus.tokenizer), context=24)
    stock = to_stock(model, tokenizer=corpus.tokenizer)
    writer = TextGenerator(stock, corpus.tokenizer, repo="x", revision=None)
    ids, end = corpus.tokenizer("Once the wolf")["input_ids"], corpus.tokenizer.eos_token_id
    sampling = Sampling(temperature, top_k=20, seed=5)
    ours = continuation(model, ids, tokens=60, sampling=sampling, end=end)
    theirs = list(writer.generate(ids, 60, temperature=temperature, top_k=20, seed=5))
    assert ours == theirs[: len(ours)]
    assert theirs[len(ours) :] in ([], [end])
    assert len(ours) > 24 or theirs[-1] == end


def test_it_stops_where_the_text_ends(corpus):
    model = tiny_model(vocab_size=len(corpus.tokenizer), context=24)
    with torch.no_grad():  # one token is far likelier than all others
        model.norm.weight.fill_(0)
    assert continuation(model, [1, 2], tokens=5, sampling=Sampling(), end=0) == []
    assert len(continuation(model, [1, 2], tokens=5, sampling=Sampling(), end=3)) == 5
