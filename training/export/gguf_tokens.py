"""A tokenizer of `python -m training gpt` as llama.cpp reads it, or why it cannot.

- bytes is GPT-2's kind: its regular expression, its printable bytes, its merges.
- char is SentencePiece's kind with nothing to merge: one piece a character, and pieces of bytes for
  the characters outside. SentencePiece writes a space as ▁.

llama.cpp cuts texts for its WordPiece and Unigram differently from ours, which work on bytes.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hub_utils.errors import LabError

if TYPE_CHECKING:
    from gguf import GGUFWriter

SPACE = "▁"  # U+2581, how SentencePiece writes a space
ROLES = ("bos", "eos", "pad")


def write_tokens(writer: GGUFWriter, tokenizer: Any, *, vocab_size: int) -> None:
    """Pieces, merges and special tokens; ids without a piece are named as unused.

    Raises LabError for a tokenizer that llama.cpp would read differently.
    """
    parts = json.loads(tokenizer.backend_tokenizer.to_str())
    pieces = [f"[unused {number}]" for number in range(vocab_size)]
    for piece, number in tokenizer.get_vocab().items():
        pieces[number] = piece
    if _is_bytes(parts):
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre("gpt-2")
        writer.add_token_merges([" ".join(pair) for pair in parts["model"]["merges"]])
    elif _is_characters(parts):
        writer.add_tokenizer_model("llama")
        writer.add_tokenizer_pre("default")
        writer.add_add_space_prefix(False)
        writer.add_token_scores([0.0] * vocab_size)
        writer.add_unk_token_id(tokenizer.eos_token_id)
        pieces = _with_visible_spaces(pieces)
    else:
        raise LabError(
            f"llama.cpp cuts texts differently from this {parts['model']['type']} tokenizer.",
            hint="Train with --tokenizer bytes or --tokenizer char to export.",
        )
    writer.add_token_list(pieces)
    writer.add_token_types(_types(pieces, tokenizer, parts))
    _write_special(writer, tokenizer)


def _is_bytes(parts: dict[str, Any]) -> bool:
    """Whether it is byte-level BPE with GPT-2's own regular expression."""
    before = parts["pre_tokenizer"] or {}
    return _is_plain_bpe(parts) and (
        before.get("type") == "ByteLevel"
        and before["use_regex"]
        and not before["add_prefix_space"]
        and not parts["model"]["byte_fallback"]
    )


def _is_characters(parts: dict[str, Any]) -> bool:
    """Whether it has one token a character, and bytes for the rest."""
    model = parts["model"]
    return (
        _is_plain_bpe(parts)
        and parts["pre_tokenizer"] is None
        and bool(model["byte_fallback"])
        and not model["merges"]
    )


def _is_plain_bpe(parts: dict[str, Any]) -> bool:
    adds = (parts["post_processor"] or {}).get("special_tokens")
    model = parts["model"]
    return (
        model["type"] == "BPE"
        and not model["ignore_merges"]
        and not adds
        and parts["normalizer"] is None
    )


def _with_visible_spaces(pieces: list[str]) -> list[str]:
    if SPACE in pieces and " " in pieces:
        raise LabError(
            f"The text that this tokenizer comes from has both spaces and {SPACE}, which llama.cpp "
            "cannot tell apart.",
            hint=f"Replace {SPACE} in the text, or train with --tokenizer bytes.",
        )
    return [SPACE if piece == " " else piece for piece in pieces]


def _types(pieces: list[str], tokenizer: Any, parts: dict[str, Any]) -> list[int]:
    from gguf import TokenType

    known, special = set(tokenizer.get_vocab().values()), set(tokenizer.all_special_ids)
    spelled = bool(parts["model"]["byte_fallback"])

    def type_of(number: int, piece: str) -> TokenType:
        if number in special:
            return TokenType.CONTROL
        if number not in known:
            return TokenType.UNUSED
        return TokenType.BYTE if spelled and len(piece) > 1 else TokenType.NORMAL

    return [int(type_of(number, piece)) for number, piece in enumerate(pieces)]


def _write_special(writer: GGUFWriter, tokenizer: Any) -> None:
    for role in ROLES:
        number = getattr(tokenizer, f"{role}_token_id")
        if number is not None:
            getattr(writer, f"add_{role}_token_id")(number)
    writer.add_add_bos_token(False)  # as the tokenizer itself: a text is its own tokens
    writer.add_add_eos_token(False)
