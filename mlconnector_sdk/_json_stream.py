"""Reading a large JSON object piece by piece, so that an answer of megabytes never stands in memory as a whole.

Whole bodies of that size, read by several threads at once, also fragment the C heap until a process holds many times
what it uses.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Iterator
from typing import Any

__all__ = ["elements", "entries"]


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
        self._decode = json.JSONDecoder().raw_decode
        self._text = ""
        self._at = 0

    def next(self) -> str:
        """The next character that is no white space, without taking it."""
        while True:
            rest = self._text[self._at : self._at + 1]
            if rest and not rest.isspace():
                return rest
            if rest:
                self._at += 1
            elif not self._fetch():
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
            except ValueError:
                if not self._fetch():
                    raise
                continue
            # A number at the very end may go on in the next chunk.
            if end < len(self._text) or not self._fetch():
                self._at = end
                return value

    def _fetch(self) -> bool:
        """Read on; false at the end."""
        for chunk in self._chunks:
            self._text = self._text[self._at :] + self._utf8.decode(chunk)
            self._at = 0
            return True
        return False
