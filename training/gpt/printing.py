"""From tokens to printable text as it grows: half a character is held back until it is whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_BEFORE = 8  # tokens of the prompt that decide, for example, whether a space comes first


class Printer:
    """Turns tokens into text, a printable piece at a time.

    Pieces joined are the decoded text. Bytes that never become a character are left out.
    """

    def __init__(self, tokenizer: Any, prompt: Sequence[int]) -> None:
        self._decode = decoder(tokenizer)
        self._ids = list(prompt[-_BEFORE:])
        self._shown = 0  # where the tokens begin that give the piece its surroundings
        self._done = len(self._ids)  # what is printed already

    def push(self, token: int, *, last: bool = False) -> str:
        """The text that `token` adds; empty while a character is incomplete."""
        self._ids.append(token)
        text = self._decode(self._ids[self._shown :])
        if text.endswith(REPLACEMENT) and not last:
            return ""
        before = self._decode(self._ids[self._shown : self._done]).rstrip(REPLACEMENT)
        piece = _added(before, text)
        if piece:  # a special token prints nothing: keep what stands before it in sight
            self._shown = self._done
        self._done = len(self._ids)
        return piece.replace(REPLACEMENT, "")


class StopWords:
    """Finds stop words in growing text and holds back what may be the beginning of one."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = [word for word in words if word]
        self._held = ""
        self.found = False

    def push(self, text: str, *, last: bool = False) -> str:
        """What can be printed now. Sets `found`, after which nothing more is printed."""
        text = self._held + text
        places = [place for word in self._words if (place := text.find(word)) >= 0]
        if places:
            self.found, self._held = True, ""
            return text[: min(places)]
        keep = 0 if last else self._beginning_at_end(text)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def _beginning_at_end(self, text: str) -> int:
        """Length of the longest end of `text` that begins a stop word."""
        longest = max(map(len, self._words), default=1) - 1
        return next(
            (
                size
                for size in range(min(longest, len(text)), 0, -1)
                if any(word.startswith(text[-size:]) for word in self._words)
            ),
            0,
        )


def decoder(tokenizer: Any) -> Any:
    """A function from ids to text, without special tokens, that changes no spaces."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        return lambda ids: backend.decode(ids, skip_special_tokens=True)
    return lambda ids: tokenizer.decode(
        ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
    )


def label(tokenizer: Any, before: int | None, token: int) -> str:
    """What a token would add, for showing it beside others; bytes as <0xE4>, specials by name."""
    if token in tokenizer.all_special_ids:
        return str(tokenizer.convert_ids_to_tokens(token))
    decode = decoder(tokenizer)
    lead = [] if before is None else [before]
    start = decode(lead)
    text = str(decode([*lead, token]))
    piece = _added(start, text)
    if piece and REPLACEMENT not in piece:
        return piece
    return _as_bytes(str(tokenizer.convert_ids_to_tokens(token)))


def _added(before: str, text: str) -> str:
    """What `text` has after the part that it shares with `before`."""
    if text.startswith(before):
        return text[len(before) :]
    pairs = enumerate(zip(before, text, strict=False))
    return text[next((n for n, (a, b) in pairs if a != b), min(len(before), len(text))) :]


def _as_bytes(token: str) -> str:
    """<0xE4><0xBD> for a token whose characters stand for bytes, as in GPT-2; else the token."""
    numbers = {character: number for number, character in enumerate(_byte_characters())}
    characters = token.removeprefix("##")
    if not characters or any(character not in numbers for character in characters):
        return token
    if token.startswith("<0x"):  # already written so: Llama's byte tokens
        return token
    return "".join(f"<0x{numbers[character]:02X}>" for character in characters)


def _byte_characters() -> list[str]:
    """The printable character that stands for each byte in byte-level tokenizers."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = (chr(number) for number in range(0x100, 0x200))
    return [chr(byte) if byte in printable else next(others) for byte in range(256)]
