import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from transformers import AutoModelForCausalLM

from hub_utils.errors import LabError, UnsafeWeightsError
from hub_utils.push import push_folder
from tests.training.gpt.stock_models import CONTEXT, save_stock_model
from training.gpt.engine import plain_engine
from training.gpt.generation import Window, continued
from training.gpt.inference import load
from training.gpt.sampling import Sampling

KINDS = ("llama", "mixtral", "gpt2")
PROMPT = "Once upon a time"
NEW = 24


@pytest.fixture(scope="module", params=KINDS)
def folder(request, tmp_path_factory):
    return save_stock_model(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def writer(folder):
    made = load(folder)
    made.prepare()
    return made


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    made = load(save_stock_model("llama", tmp_path_factory.mktemp("only-llama")))
    made.prepare()
    return made


def greedy_by_transformers(folder, ids, count):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    prompt = torch.tensor([ids])
    made = model.generate(
        prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=count, do_sample=False
    )
    return made[0, len(ids) :].tolist()


def test_greedy_tokens_are_transformers(writer, folder):
    ids = writer.encode(PROMPT)
    assert list(writer.generate(ids, NEW)) == greedy_by_transformers(folder, ids, NEW)


def test_logits_are_transformers(writer, folder):
    ids = writer.encode("The wolf said, who is there?")
    cache = writer.engine.network.new_cache(slots=1, length=len(ids))
    ours = writer.engine.network.read(cache, ids, slot=0, start=0, all=True)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    with torch.inference_mode():
        torch.testing.assert_close(ours, model(torch.tensor([ids])).logits[0], atol=1e-4, rtol=0)


@pytest.mark.parametrize("options", [{}, {"temperature": 0.9, "top_p": 0.95, "seed": 5}])
def test_cached_is_uncached_even_beyond_the_context(writer, options):
    ids = writer.encode(PROMPT)
    cached = list(writer.generate(ids, 2 * CONTEXT, **options))
    assert cached == list(writer.generate(ids, 2 * CONTEXT, use_cache=False, **options))


@pytest.mark.parametrize("options", [{}, {"temperature": 1.0, "top_k": 50, "seed": 7}])
def test_a_batch_is_each_text_alone(writer, options):
    prompts = [writer.encode(text) for text in (PROMPT, "Der König", "wolf " * 30, "a")]
    seed = options.pop("seed", 0)
    together = writer.generate_batch(prompts, CONTEXT + 5, seed=seed, **options)
    alone = [
        list(writer.generate(ids, CONTEXT + 5, seed=seed + row, **options))
        for row, ids in enumerate(prompts)
    ]
    assert together == alone


def test_plain_torch_makes_the_same_tokens_as_what_replaces_it(writer, folder):
    ids = writer.encode(PROMPT)
    compiled = list(writer.generate(ids, NEW))
    weights = writer.weights
    plain = continued(
        plain_engine(weights), Window(ids, weights.context), Sampling(), count=NEW, use_cache=True
    )
    assert [token for token, _ in plain] == compiled


def test_rounded_weights_are_close(folder, writer):
    rounded = load(folder, precision="bfloat16").prepare().network
    ids = writer.encode(PROMPT)
    ours, exact = (
        net.read(net.new_cache(slots=1, length=len(ids)), ids, slot=0, start=0, all=True)
        for net in (rounded, writer.engine.network)
    )
    assert (ours - exact).norm() < 0.02 * exact.norm()


def test_a_seed_gives_its_text_again_and_none_a_new_one(llama):
    ids = llama.encode(PROMPT)
    options = {"temperature": 1.0, "top_k": 40}
    first = list(llama.generate(ids, NEW, seed=1, **options))
    assert first == list(llama.generate(ids, NEW, seed=1, **options))
    assert first != list(llama.generate(ids, NEW, seed=2, **options))
    assert len({tuple(llama.generate(ids, NEW, **options)) for _ in range(4)}) > 1


def test_many_threads_get_their_own_texts(llama):
    ids = llama.encode(PROMPT)

    def made(seed):
        return list(llama.generate(ids, NEW, temperature=1.0, seed=seed))

    expected = [made(seed) for seed in range(12)]
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(made, range(12))) == expected


def test_two_texts_can_be_made_in_turns(llama):
    ids = llama.encode(PROMPT)
    one, two = (llama.generate(ids, NEW, temperature=1.0, seed=seed) for seed in (1, 2))
    pairs = list(zip(one, two, strict=True))
    assert [a for a, _ in pairs] == list(llama.generate(ids, NEW, temperature=1.0, seed=1))
    assert [b for _, b in pairs] == list(llama.generate(ids, NEW, temperature=1.0, seed=2))


def test_closing_ends_it(llama):
    tokens = llama.generate(llama.encode(PROMPT), 1000)
    next(tokens)
    tokens.close()
    assert list(tokens) == []


def test_a_long_prompt_is_cut_from_the_left_and_says_so(llama):
    ids = llama.encode("The wolf said " * 40)
    tokens = llama.generate(ids, NEW)
    assert tokens.cut == len(ids) - CONTEXT
    assert list(tokens) == list(llama.generate(ids[-CONTEXT:], NEW))
    assert llama.generate(ids[-CONTEXT:], NEW).cut == 0
    assert llama.stream("The wolf said " * 40, 1).cut == tokens.cut


def test_streamed_texts_joined_are_the_decoded_tokens(writer):
    steps = list(writer.stream(PROMPT, CONTEXT, temperature=1.0, seed=11))
    whole = writer.tokenizer.decode([step.id for step in steps], skip_special_tokens=True)
    assert "".join(step.text for step in steps) == whole.replace("\ufffd", "")
    assert all("\ufffd" not in step.text for step in steps)
    assert all(step.tokens_per_second > 0 for step in steps)


def test_streamed_tokens_are_the_generated_ones(llama):
    ids = llama.encode(PROMPT)
    steps = llama.stream(PROMPT, NEW, temperature=0.8, seed=3)
    assert [s.id for s in steps] == list(llama.generate(ids, NEW, temperature=0.8, seed=3))


def test_candidates_are_the_models_likeliest_tokens(llama):
    ids = llama.encode(PROMPT)
    (step,) = llama.stream(PROMPT, 1, temperature=1.5, top_k=3, seed=0)
    cache = llama.engine.network.new_cache(slots=1, length=len(ids))
    logits = llama.engine.network.read(cache, ids, slot=0, start=0, all=False)[0]
    probabilities = [probability for _, probability in step.candidates]
    assert len(probabilities) == 10
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) <= 1
    assert probabilities == pytest.approx(logits.softmax(-1).topk(10).values.tolist())
    assert step.probability == pytest.approx(float(logits.softmax(-1)[step.id]))


def test_a_stop_word_ends_the_text_and_is_not_printed(llama):
    whole = "".join(step.text for step in llama.stream(PROMPT, 40, temperature=1.0, seed=2))
    word = whole[len(whole) // 2 :][:3]
    steps = list(llama.stream(PROMPT, 40, temperature=1.0, seed=2, stop=[word, "never"]))
    assert "".join(step.text for step in steps) == whole[: whole.index(word)]
    ids = list(
        llama.generate(llama.encode(PROMPT), 40, temperature=1.0, seed=2, stop=[word, "never"])
    )
    assert ids == [step.id for step in steps]
    batch = llama.generate_batch(
        [llama.encode(PROMPT)], 40, temperature=1.0, seed=2, stop=[word, "never"]
    )
    assert batch == [ids]


def test_a_token_that_ends_texts_is_the_last_one(llama):
    ids = llama.encode(PROMPT)
    free = list(llama.generate(ids, NEW))
    end = free[5]
    llama.weights.__dict__["ends"] = frozenset([end])
    try:
        assert list(llama.generate(ids, NEW)) == free[: free.index(end) + 1]
        assert llama.generate_batch([ids], NEW) == [free[: free.index(end) + 1]]
    finally:
        llama.weights.__dict__["ends"] = frozenset([299])


def test_no_new_tokens_are_none(llama):
    assert list(llama.generate([1], 0)) == []
    assert llama.generate_batch([], 5) == []


@pytest.mark.parametrize(
    ("ids", "count", "words"),
    [([1], -1, "not be negative"), ([300], 1, "Token 300"), ([-1], 1, "Token -1")],
)
def test_what_cannot_be_continued_is_a_sentence(llama, ids, count, words):
    with pytest.raises(LabError, match=words):
        llama.generate(ids, count)


def test_an_empty_prompt_starts_with_the_models_first_token(llama):
    assert list(llama.generate([], 5)) == list(llama.generate([0], 5))


def test_a_published_model_is_loaded_by_its_name(hub, tmp_path):
    folder = save_stock_model("llama", tmp_path / "tale")
    pushed = push_folder(folder, hub.repo("tiny-tale"), hub=hub, message="A tale")
    writer = load("lab/tiny-tale")
    assert (writer.repo, writer.revision) == ("lab/tiny-tale", pushed.revision)
    assert list(writer.generate([1], 3)) == list(load(folder).generate([1], 3))


def test_weights_that_are_only_a_pickle_are_refused(tmp_path):
    folder = save_stock_model("llama", tmp_path / "bad")
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x02}q\x00.")
    with pytest.raises(UnsafeWeightsError, match=r"pytorch_model\.bin"):
        load(folder)
    shutil.rmtree(folder)


def test_a_folder_that_is_no_model_is_a_sentence(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(LabError, match="cannot be opened"):
        load(tmp_path)


def test_a_model_of_another_shape_is_a_sentence(tmp_path):
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

    from tests.training.gpt.stock_models import tokenizer

    config = GPTNeoXConfig(
        vocab_size=300, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=16,
    )  # fmt: skip
    GPTNeoXForCausalLM(config).save_pretrained(tmp_path)
    tokenizer().save_pretrained(tmp_path)
    with pytest.raises(LabError, match="'gpt_neox' cannot be decoded"):
        load(tmp_path)
