"""JSON, read as far ends write it and written as bytes. The only importer of msgspec.

Against the standard library msgspec reads a page of an ERP in half the time and writes a member in an eighth. What it
refuses is read once more by the standard library, which says whether it is JSON at all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

import msgspec

__all__ = ["decoder", "json_bytes", "json_in", "json_of_type", "json_rows", "whole_characters"]

T = TypeVar("T")

_quick = msgspec.json.Decoder[Any]().decode
_quick_and_exact = msgspec.json.Decoder[Any](float_hook=Decimal).decode
_raw_rows = msgspec.json.Decoder(list[msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode

# Not before its later versions are msgspec's own errors also of Python's kind.
_REFUSED = (msgspec.MsgspecError, ValueError, InvalidOperation, RecursionError)

_ESCAPED_HALVES = re.compile(
    r"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<lone>\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)
_HALF = re.compile("[\ud800-\udfff]")
_LONGEST_WHOLE = 400
"""Digits; what is longer is no number of anything, and Python itself refuses some thousands."""


def json_in(body: bytes | str, *, decimals: bool = False) -> Any:
    r"""JSON of a far side; `decimals` keeps money exact.

    Halves of characters (`\ud83d` alone), which no address, file or database can hold, become U+FFFD. Numbers that none
    can be (of thousands of digits, or with an exponent beyond all bounds) come as their texts, so that whoever reads
    the record they are in sets that one aside.

    Raises:
        ValueError: it is no JSON, or nested deeper than anything real.
    """
    try:
        return _quick_and_exact(body) if decimals else _quick(body)
    except _REFUSED:
        return _patiently_read(body, decimals=decimals)


def json_rows(body: bytes, make: Callable[[Any], T], *, decimals: bool = False) -> list[T]:
    """What `make` makes of each element of a JSON array, read one by one.

    For rows of many small objects of which `make` keeps little: read all at once they would all be alive together, and
    the garbage collector would go through everything there is time and again.

    Raises:
        ValueError: it is no JSON array, or nested deeper than anything real.
    """
    read = _quick_and_exact if decimals else _quick
    try:
        return [make(read(row)) for row in _raw_rows(body)]
    except _REFUSED:
        rows = _patiently_read(body, decimals=decimals)
    if not isinstance(rows, list):
        raise ValueError("the JSON is no array")
    return list(map(make, rows))


def _patiently_read(body: bytes | str, *, decimals: bool) -> Any:
    text = body if isinstance(body, str) else body.decode(json.detect_encoding(body), "surrogatepass")
    if not text.isascii():
        text = _HALF.sub("\ufffd", text)
    if "\\u" in text:
        text = whole_characters(text)
    try:
        return json.loads(text, parse_float=Decimal if decimals else None)
    except (ValueError, InvalidOperation):
        # Either it is no JSON, which is told from here, or it has such a number; looking for those costs time.
        return json.loads(text, parse_float=_exact if decimals else None, parse_int=_whole)
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None


def json_of_type(body: bytes | bytearray | memoryview, kind: type[T]) -> T:
    """JSON of a known shape, an attrs class: what the class does not name is passed over, which costs next to nothing.

    Raises:
        ValueError: it is no JSON, or not of that shape.
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except _REFUSED:
        raise ValueError("it is no JSON of the expected shape") from None


def json_bytes(value: Any) -> bytes:
    """JSON as UTF-8, without blanks; equal values of equal order give equal bytes. Decimals become texts.

    Raises:
        ValueError: half of a character, which UTF-8 cannot hold.
        TypeError: a value that JSON has no form for.
    """
    return _encode(value)


def whole_characters(text: str) -> str:
    r"""JSON text whose escaped halves of characters are U+FFFD; pairs (`\ud83d\ude00`) stay."""
    return _ESCAPED_HALVES.sub(lambda found: r"\ufffd" if found["lone"] else found[0], text)


def _whole(text: str) -> int | str:
    return int(text) if len(text) <= _LONGEST_WHOLE else text


def _exact(text: str) -> Decimal | str:
    try:
        return Decimal(text)
    except InvalidOperation:
        return text


decoder = json.JSONDecoder(parse_int=_whole)
"""Reads single values as `json_in` does, halves of characters aside."""
