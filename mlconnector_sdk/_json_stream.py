"""Reading a large JSON object piece by piece, so that an answer of megabytes never stands in memory as a whole.

Whole bodies of that size, read by several threads at once, also fragment the C heap until a process holds many times
what it uses.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from typing import Any

from ._json import decoder, whole_characters

__all__ = ["elements", "entries"]

_VISIBLE = re.compile(r"\S")


def entries(chunks: Iterable[bytes]) -> Iterator[tuple[str, Any]]:
    """The entries of one JSON object as (key, value); of an entry that is an array, each element as (key, element).

    Raises:
        ValueError: the text is no JSON object, or is cut off; entries yielded before that were there.

    Example:
        >>> list(entries([b'{"a": [{"b"', b': 1}, 2], "n": ', b'3}']))
        [('a', {'b': 1}), ('a', 2), ('n', 3)]
    """
    text = _Text(chunks)
    text.take("{")
    if text.next() == "}":
        return
    while True:
        key = text.value()
        text.take(":")
        if text.next() == "[":
            for element in _elements(text):
                yield key, element
        else:
            yield key, text.value()
        if text.take(",}") == "}":
            return


def elements(chunks: Iterable[bytes]) -> Iterator[Any]:
    """The elements of one JSON array.

    Raises:
        ValueError: the text is no JSON array, or is cut off; elements yielded before that were there.

    Example:
        >>> list(elements([b'[{"a"', b': 1}, 2', b"]"]))
        [{'a': 1}, 2]
    """
    yield from _elements(_Text(chunks))


def _elements(text: _Text) -> Iterator[Any]:
    text.take("[")
    if text.next() == "]":
        text.take("]")
        return
    while True:
        yield text.value()
        if text.take(",]") == "]":
            return


class _Text:
    """Decoded text with a reading position; only what is still needed is kept."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._decode = decoder.raw_decode
        self._text = ""
        self._at = 0

    def next(self) -> str:
        """The next character that is no white space, without taking it."""
        while True:
            found = _VISIBLE.search(self._text, self._at)
            if found is not None:
                self._at = found.start()
                return found[0]
            self._at = len(self._text)
            if not self._fetch():
                raise ValueError("the JSON text is cut off")

    def take(self, wanted: str) -> str:
        """The next character, which must be one of those wanted."""
        found = self.next()
        if found not in wanted:
            raise ValueError(f"not the JSON text it should be: expected one of {wanted!r}")
        self._at += 1
        return found

    def value(self) -> Any:
        """The next JSON value, whole."""
        self.next()
        while True:
            try:
                value, end = self._decode(self._text, self._at)
            except RecursionError:
                raise ValueError("the JSON is nested too deeply") from None
            except ValueError:
                # Twice as much each time, or a long value would be looked through once for every chunk of it.
                if not self._fetch(len(self._text) - self._at):
                    raise
                continue
            # A number at the very end may go on in the next chunk.
            if end < len(self._text) or not self._fetch():
                if self._text.find("\\u", self._at, end) >= 0:
                    value = self._decode(whole_characters(self._text[self._at : end]))[0]
                self._at = end
                return value

    def _fetch(self, least: int = 1) -> bool:
        """Read on, by so many characters if there are as many; false at the end."""
        pieces = [self._text[self._at :]]
        missing = least
        for chunk in self._chunks:
            pieces.append(self._utf8.decode(chunk))
            missing -= len(pieces[-1])
            if missing <= 0:
                break
        self._text = "".join(pieces)
        self._at = 0
        return len(pieces) > 1
