import pytest
from transformers import AutoTokenizer, LlamaConfig

from hub_utils.errors import DataError, SettingsError
from training.gpt.tokenizer import END, train_tokenizer

STORY = [
    "Once upon a time there was a king who had twelve daughters, each one more beautiful.\n",
    '"They slept," said the king, "in one hall; their beds stood side by side!"\n',
    "Nobody could find out how it came to pass, or where they had been; nobody.\n",
] * 60
SIZES = {"bytes": 370, "wordpiece": 620, "unigram": 280, "char": 0}
STRANGE = [
    "",
    " ",
    "plain words",
    "  two  spaces\t\ttabs\r\nand\n\nlines ",
    "😀 👩‍👩‍👧‍👦 🏳️‍🌈",
    "日本語と中文，ελληνικά, العربية",
    "# a ##b ###c d# ##",
    "<0x41><0xF0> ▁ Ġ Ċ",
    "e\u0301 é \u200b \ufeff \ufffd \u2028",
    "\x00\x01\x7f",
    "don't , . ! ?  'quoted' [x] i 'm",
    "x" * 3000,
    f"one{END}two",
]
every_kind = pytest.mark.parametrize("kind", SIZES)


@pytest.fixture(scope="module")
def tokenizers():
    return {kind: train_tokenizer(kind, STORY, vocab_size=size) for kind, size in SIZES.items()}


@every_kind
@pytest.mark.parametrize("text", STRANGE, ids=range(len(STRANGE)))
def test_any_text_reads_back_exactly(kind, text, tokenizers):
    tokenizer = tokenizers[kind]
    assert tokenizer.decode(tokenizer.encode(text)) == text


@every_kind
def test_every_character_of_unicode_reads_back(kind, tokenizers):
    text = "".join(map(chr, [*range(0xD800), *range(0xE000, 0x11000), 0x1F600, 0x10FFFF]))
    ids = tokenizers[kind].encode(text)
    assert tokenizers[kind].decode(ids) == text
    assert max(ids) < len(tokenizers[kind])


@every_kind
def test_vocabulary_has_the_size_that_was_asked_for(kind, tokenizers):
    tokenizer = tokenizers[kind]
    ids = tokenizer.get_vocab().values()
    assert sorted(ids) == list(range(len(tokenizer)))  # no holes: every id is a row
    if kind != "char":
        assert len(tokenizer) == SIZES[kind]


@pytest.mark.parametrize("kind", ["bytes", "wordpiece", "unigram"])
def test_words_of_the_text_become_fewer_tokens_than_characters(kind, tokenizers):
    ids = tokenizers[kind].encode(STORY[0])
    assert len(ids) < 0.9 * len(STORY[0])
    assert len(tokenizers["char"].encode(STORY[0])) == len(STORY[0])


@every_kind
def test_one_special_token_begins_ends_and_pads(kind, tokenizers):
    tokenizer = tokenizers[kind]
    assert tokenizer.bos_token == tokenizer.eos_token == tokenizer.pad_token == END
    assert tokenizer.all_special_tokens == [END]
    assert tokenizer.encode(f"a{END}")[-1] == tokenizer.eos_token_id
    assert tokenizer.eos_token_id not in tokenizer.encode("a")  # none is added by itself


@every_kind
def test_auto_tokenizer_opens_it_beside_a_stock_model(kind, tokenizers, tmp_path):
    tokenizers[kind].save_pretrained(tmp_path)
    LlamaConfig().save_pretrained(tmp_path)  # AutoTokenizer looks at the model's type too
    opened = AutoTokenizer.from_pretrained(tmp_path)
    for text in STRANGE:
        ids = tokenizers[kind].encode(text)
        assert opened.encode(text) == ids
        assert opened.decode(ids) == text


@every_kind
def test_same_text_gives_the_same_tokenizer(kind, tokenizers):
    again = train_tokenizer(kind, iter(STORY), vocab_size=SIZES[kind])
    assert again.get_vocab() == tokenizers[kind].get_vocab()
    assert again.encode("".join(STRANGE)) == tokenizers[kind].encode("".join(STRANGE))


def test_characters_come_first_in_the_order_of_their_code_points():
    tokenizer = train_tokenizer("char", ["hello ", "wörld\n"], vocab_size=0)
    known = sorted(set("hello wörld\n"))
    assert tokenizer.convert_ids_to_tokens(range(len(known) + 1)) == [*known, END]
    assert tokenizer.encode("olé") == [
        known.index("o"),
        known.index("l"),
        *tokenizer.convert_tokens_to_ids(["<0xC3>", "<0xA9>"]),
    ]


def test_characters_bring_only_the_bytes_that_others_can_need():
    tokenizer = train_tokenizer("char", ["".join(map(chr, range(128)))], vocab_size=0)
    assert len(tokenizer) == 128 + 1 + 64 + 51  # continuations and first bytes of UTF-8


@pytest.mark.parametrize(("kind", "least"), [("bytes", 257), ("wordpiece", 512), ("unigram", 257)])
def test_vocabulary_without_room_for_every_byte_is_refused(kind, least):
    with pytest.raises(SettingsError, match=f"--vocab-size {least - 1} is too small") as caught:
        train_tokenizer(kind, STORY, vocab_size=least - 1)
    assert f"{least} or more" in caught.value.hint
    smallest = train_tokenizer(kind, STORY, vocab_size=least)
    assert smallest.decode(smallest.encode("any ☃ text")) == "any ☃ text"


@pytest.mark.parametrize("kind", ["bytes", "wordpiece", "unigram"])
def test_vocabulary_that_the_text_does_not_fill_is_refused_with_what_it_gives(kind):
    with pytest.raises(DataError, match=r"no more than \d+ tokens, but --vocab-size is 5000") as it:
        train_tokenizer(kind, ["A short text, a short text."], vocab_size=5000)
    reached = int(it.value.hint.split()[2])
    assert (
        len(train_tokenizer(kind, ["A short text, a short text."], vocab_size=reached)) == reached
    )


def test_text_without_characters_is_refused():
    with pytest.raises(DataError, match="text is empty"):
        train_tokenizer("char", ["", ""], vocab_size=0)


@pytest.mark.parametrize("kind", ["bytes", "wordpiece", "unigram"])
def test_empty_text_gives_no_more_than_the_bytes(kind):
    with pytest.raises(DataError, match="no more than"):
        train_tokenizer(kind, [""], vocab_size=600)
