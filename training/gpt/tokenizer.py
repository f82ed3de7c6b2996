"""Tokenizers trained on the user's own text, any of which writes any text and reads it back.

    tokenizer = train_tokenizer("bytes", texts, vocab_size=2048)

- bytes, wordpiece, unigram work on the 256 bytes, each written as one printable character
  (GPT-2's ByteLevel), so nothing is ever unknown: an emoji is four bytes.
- char has one token for each character of the text, in the order of their code points. Other
  characters become tokens of their bytes, <0xF0> and so on, as in Llama. These stand behind the
  characters and only those that UTF-8 can need are there: 178 rows for an English text. A loss over
  characters is comparable with one over a vocabulary without them, for the text never uses them.

The one special token, <|endoftext|>, ends a text, starts one, and pads: as in GPT-2.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any

from hub_utils.errors import DataError, SettingsError
from training.gpt.config import TokenizerKind

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

END = "<|endoftext|>"
CONTINUES = "##"  # in front of a WordPiece token that goes on in the middle of a word
MIN_FREQUENCY = 2  # a token that occurs once teaches nothing
MAX_WORD = 64  # bytes; WordPiece's time grows with the square of a word's length


def train_tokenizer(
    kind: TokenizerKind, texts: Iterable[str], *, vocab_size: int
) -> PreTrainedTokenizerFast:
    """A tokenizer of `vocab_size` tokens made from `texts`; characters bring their own number.

    Raises SettingsError if the vocabulary is too small for every byte, DataError if the texts do
    not give that many tokens.
    """
    from transformers import PreTrainedTokenizerFast

    if kind == "char":
        tokenizer = _characters(texts)
    else:
        least, trained = TRAINERS[kind]
        _check_least(kind, vocab_size, least=least)
        tokenizer = trained(texts, vocab_size)
        _check_reached(tokenizer.get_vocab_size(), vocab_size)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=END,
        eos_token=END,
        pad_token=END,
        clean_up_tokenization_spaces=False,
    )


def _bytes(texts: Iterable[str], vocab_size: int) -> Tokenizer:
    """Byte-pair encoding: the most frequent pair becomes a token, again and again.

    Sennrich et al. 2016, https://arxiv.org/abs/1508.07909, on bytes as in GPT-2.
    """
    from tokenizers import models, trainers

    tokenizer = _byte_level(models.BPE())
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=MIN_FREQUENCY,
        special_tokens=[END],
        initial_alphabet=_alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def _unigram(texts: Iterable[str], vocab_size: int) -> Tokenizer:
    """A probability for each token; of all ways to cut a word the likeliest is taken.

    Kudo 2018, https://arxiv.org/abs/1804.10959.
    """
    from tokenizers import models, trainers

    tokenizer = _byte_level(models.Unigram())
    trainer = trainers.UnigramTrainer(
        vocab_size=vocab_size,
        special_tokens=[END],
        initial_alphabet=_alphabet(),
        show_progress=False,
    )
    seen: set[str] = set()

    def watched() -> Iterator[str]:
        for text in texts:
            seen.update(text)
            yield text

    tokenizer.train_from_iterator(watched(), trainer)
    return _in_order(tokenizer, vocab_size, seen="".join(seen))


def _in_order(tokenizer: Tokenizer, vocab_size: int, *, seen: str) -> Tokenizer:
    """Every byte, then the likeliest others, the same from run to run and no more than asked for.

    The trainer numbers its tokens, and scores the bytes that it never saw, in a changing order.
    """
    from tokenizers import models

    pieces = json.loads(tokenizer.to_str())["model"]["vocab"]
    # The last digits change too; a text without words leaves no scores at all.
    scores = {token: round(score or 0.0, 4) for token, score in pieces}
    needed = [END, *_alphabet()]
    written = tokenizer.pre_tokenizer.pre_tokenize_str(seen)
    known = set().union(*(word for word, _ in written))
    unseen = set(needed) - known
    lowest = min((scores[token] for token in scores.keys() - unseen), default=0.0)
    others = sorted(scores.keys() - set(needed), key=lambda token: (-scores[token], token))
    tokens = [*needed, *others[: vocab_size - len(needed)]]
    scored = [(token, lowest if token in unseen else scores[token]) for token in tokens]
    ordered = _byte_level(models.Unigram(scored))
    ordered.add_special_tokens([END])
    return ordered


def _wordpiece(texts: Iterable[str], vocab_size: int) -> Tokenizer:
    """Like byte pairs in training; in use, the longest token that fits is taken from the left.

    Schuster & Nakajima 2012, as in BERT. A `#` is a word of its own, so that the mark in front of
    a continued token cannot be confused with one in the text: so it reads back exactly.
    """
    from tokenizers import Regex, models, pre_tokenizers, trainers

    short = pre_tokenizers.Split(Regex(f"#|[^#]{{1,{MAX_WORD}}}"), "isolated")

    def empty(vocab: dict[str, int]) -> Tokenizer:
        model = models.WordPiece(
            vocab,
            unk_token=END,
            continuing_subword_prefix=CONTINUES,
            max_input_chars_per_word=MAX_WORD,
        )
        made = _byte_level(model)
        made.pre_tokenizer = pre_tokenizers.Sequence([made.pre_tokenizer, short])
        made.decoder = _continued_decoder()
        return made

    every_byte = [*_alphabet(), *(CONTINUES + byte for byte in _alphabet() if byte != "#")]
    learner = empty({})
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocab_size,
        min_frequency=MIN_FREQUENCY,
        # As special tokens they get their ids first: else ties are broken in an order that changes.
        special_tokens=[END, *every_byte],
        continuing_subword_prefix=CONTINUES,
        show_progress=False,
    )
    learner.train_from_iterator(texts, trainer)
    tokenizer = empty(learner.get_vocab())
    tokenizer.add_special_tokens([END])
    return tokenizer


TRAINERS: dict[str, tuple[int, Callable[[Iterable[str], int], Tokenizer]]] = {
    # kind: (the smallest vocabulary that has every byte, how it is trained)
    "bytes": (257, _bytes),
    "wordpiece": (512, _wordpiece),
    "unigram": (257, _unigram),
}


def _characters(texts: Iterable[str]) -> Tokenizer:
    from tokenizers import Tokenizer, decoders, models

    characters = sorted(set().union(*texts))
    if not characters:
        raise DataError("The text is empty: it has no characters.", hint="Give another --data.")
    tokens = [*characters, END, *_needed_bytes(characters)]
    vocab = {token: number for number, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocab, [], byte_fallback=True, unk_token=END))
    tokenizer.add_special_tokens([END])
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    return tokenizer


def _needed_bytes(characters: Iterable[str]) -> Iterator[str]:
    """Tokens of the bytes that characters outside `characters` are made of in UTF-8."""
    known = {ord(character) for character in characters}
    ascii_bytes = (byte for byte in range(0x80) if byte not in known)
    later, first = range(0x80, 0xC0), range(0xC2, 0xF5)
    return (f"<0x{byte:02X}>" for byte in chain(ascii_bytes, later, first))


def _byte_level(model: Any) -> Tokenizer:
    from tokenizers import Tokenizer, decoders, pre_tokenizers

    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _continued_decoder() -> Any:
    from tokenizers import Regex, decoders

    mark = decoders.Replace(Regex(f"^{CONTINUES}"), "")
    return decoders.Sequence([mark, decoders.ByteLevel()])


def _alphabet() -> list[str]:
    from tokenizers import pre_tokenizers

    return sorted(pre_tokenizers.ByteLevel.alphabet())


def _check_least(kind: str, vocab_size: int, *, least: int) -> None:
    if vocab_size < least:
        raise SettingsError(
            f"--vocab-size {vocab_size} is too small for --tokenizer {kind}: "
            f"{least} are needed to write any text.",
            hint=f"Use --vocab-size {least} or more, or --tokenizer char.",
        )


def _check_reached(reached: int, wanted: int) -> None:
    if reached < wanted:
        raise DataError(
            f"The text gives no more than {reached} tokens, but --vocab-size is {wanted}.",
            hint=f"Use --vocab-size {reached} or fewer, more text, or --tokenizer char.",
        )
