"""The texts of Xtrem's `filter` and `orderBy`: JSON, or the vendor's relaxed form with bare keys and single quotes."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any, NoReturn

__all__ = ["TextError", "read_relaxed"]

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<mark>[{}\[\]:,])
      | (?P<text>"(?:[^"\\\x00-\x1f]|\\.)*"|'(?:[^'\\\x00-\x1f]|\\.)*')
      | (?P<number>[-+]?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?)(?![\w.])
      | (?P<word>[A-Za-z_$][\w$]*)
    )""",
    re.VERBOSE,
)
_WORDS = {"true": True, "false": False, "null": None}
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))")


class TextError(ValueError):
    """The text is neither JSON nor its relaxed form."""


def read_relaxed(text: str) -> Any:
    """The value of a filter's or an order's text; fractions are Decimals.

    Raises:
        TextError: something is not as it should be; the message names the place.
    """
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=_no_constant)
    except ValueError:
        pass  # what is no JSON may be of the relaxed form
    reader = _Reader(text)
    value = reader.value(depth=0)
    reader.end()
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0

    def fail(self) -> NoReturn:
        found = self.text[self.position :].lstrip()[:1] or "end of text"
        raise TextError(f"Unexpected {found} at position {self.position}")

    def take(self) -> tuple[str, str]:
        match = _TOKEN.match(self.text, self.position)
        if match is None or match.lastgroup is None:
            self.fail()
        self.position = match.end()
        return match.lastgroup, match[match.lastgroup]

    def peek(self) -> str:
        return self.text[self.position :].lstrip()[:1]

    def end(self) -> None:
        if self.text[self.position :].strip():
            self.fail()

    def value(self, depth: int) -> Any:
        if depth > 32:
            self.fail()
        kind, text = self.take()
        if kind == "text":
            return _plain(text)
        if kind == "number":
            return Decimal(text) if re.search(r"[.eE]", text) else int(text)
        if kind == "word" and text in _WORDS:
            return _WORDS[text]
        if text == "{":
            return self.members(depth)
        if text == "[":
            return self.items(depth)
        self.position -= len(text)
        return self.fail()

    def members(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while self.more("}", first=not found):
            kind, text = self.take()
            if kind not in {"text", "word"}:
                self.position -= len(text)
                self.fail()
            self.expect(":")
            found[_plain(text) if kind == "text" else text] = self.value(depth + 1)
        return found

    def items(self, depth: int) -> list[Any]:
        found: list[Any] = []
        while self.more("]", first=not found):
            found.append(self.value(depth + 1))
        return found

    def more(self, closing: str, *, first: bool) -> bool:
        """Whether another member follows; takes the comma before it, or the closing mark."""
        if self.peek() == closing:
            self.take()
            return False
        if not first:
            self.expect(",")
        return True

    def expect(self, mark: str) -> None:
        if self.peek() != mark:
            self.fail()
        self.take()


def _plain(quoted: str) -> str:
    return _ESCAPE.sub(
        lambda match: chr(int(match[1], 16)) if match[1] else _ESCAPES.get(match[2], match[2]), quoted[1:-1]
    )
