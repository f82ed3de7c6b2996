import pytest

from tests.training.gpt.stock_models import TEXT
from training.gpt.printing import Printer, StopWords, label
from training.gpt.tokenizer import train_tokenizer

TALES = "Es war einmal: „Wer?“ 你好，世界! 🐺 said the wolf.\n\nNaïve #hashtag -- 'tis fine ."
KINDS = {"bytes": 300, "wordpiece": 560, "unigram": 270, "char": 0}


@pytest.fixture(scope="module", params=KINDS)
def tokenizer(request):
    return train_tokenizer(request.param, [TEXT], vocab_size=KINDS[request.param])


def printed(printer, ids):
    pieces = [printer.push(token, last=n == len(ids)) for n, token in enumerate(ids, 1)]
    assert not any("\ufffd" in piece for piece in pieces)
    return "".join(pieces)


@pytest.mark.parametrize("cut", [0, 1, 5, 12])
def test_pieces_joined_are_the_text(tokenizer, cut):
    ids = tokenizer(TALES, add_special_tokens=False)["input_ids"]
    before = tokenizer.decode(ids[:cut]).rstrip("\ufffd")
    assert before + printed(Printer(tokenizer, ids[:cut]), ids[cut:]) == TALES


def test_a_character_is_printed_when_it_is_whole(tokenizer):
    ids = tokenizer("ß🐻", add_special_tokens=False)["input_ids"]
    printer = Printer(tokenizer, [])
    pieces = [printer.push(token) for token in ids]
    assert "".join(pieces) == "ß🐻"
    assert pieces[-1] == "🐻"
    assert set(pieces) <= {"", "ß", "🐻"}


def test_bytes_that_become_no_character_are_left_out(tokenizer):
    bear = tokenizer("🐻", add_special_tokens=False)["input_ids"]
    word = tokenizer("wolf", add_special_tokens=False)["input_ids"]
    assert printed(Printer(tokenizer, []), [bear[0], *word]) == "wolf"
    assert printed(Printer(tokenizer, []), [*word, bear[0]]) == "wolf"


def test_an_incomplete_end_of_the_prompt_is_completed(tokenizer):
    bear = tokenizer("🐻", add_special_tokens=False)["input_ids"]
    assert printed(Printer(tokenizer, bear[:1]), bear[1:]) == "🐻"


def test_special_tokens_print_nothing(tokenizer):
    end = tokenizer.eos_token_id
    ids = tokenizer("the wolf", add_special_tokens=False)["input_ids"]
    assert printed(Printer(tokenizer, []), [*ids[:2], end, *ids[2:]]) == "the wolf"
    assert label(tokenizer, ids[0], end) == tokenizer.eos_token


def test_labels_show_spaces_and_bytes(tokenizer):
    bear = tokenizer("🐻", add_special_tokens=False)["input_ids"]
    assert label(tokenizer, None, bear[0]).startswith("<0xF0>")
    wolf = tokenizer("a wolf", add_special_tokens=False)["input_ids"]
    labels = [
        label(tokenizer, before, token) for before, token in zip([None, *wolf], wolf, strict=False)
    ]
    assert "".join(labels) == "a wolf"


def test_a_stop_word_over_several_pieces_is_held_back():
    words = StopWords(["The end", "STOP"])
    assert [words.push(piece) for piece in ("so. T", "he ", "en", "ds")] == ["so. ", "", "", ""]
    assert words.found


def test_what_only_looked_like_a_stop_word_is_printed():
    words = StopWords(["The end"])
    assert "".join(words.push(piece) for piece in ("Th", "e e", "agle")) == "The eagle"
    assert words.push(" The", last=True) == " The"
    assert not words.found


def test_the_first_stop_word_counts():
    words = StopWords(["b", "a"])
    assert words.push("xxab") == "xx"
