"""Vendor XML read as events: no document types, no entities, no network, no tree of a large answer.

Rows are built while the parser runs. The standard library's expat does it, so that reading XML loads no further
library.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeAlias
from xml.parsers import expat

import attrs

from ..errors import ContractError, UnavailableError

__all__ = ["Table", "as_utf8", "escaped", "table_in", "tree_in", "without_forbidden"]

Tree: TypeAlias = dict[str, Any]
"""An element as a dict: texts, dicts, and lists where a name came several times."""

_PROLOG = re.compile(rb"^\s*<\?xml[^>]*\?>")
_FORBIDDEN = bytes(code for code in range(0x20) if code not in b"\t\n\r")
_REFERENCE = re.compile(rb"&#(?:([0-9]+)|[xX]([0-9a-fA-F]+));")
_HALF = re.compile("[\ud800-\udfff]")
_FORBIDDEN_TEXT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_CUT_OFF = frozenset({
    expat.errors.codes[expat.errors.XML_ERROR_NO_ELEMENTS],
    expat.errors.codes[expat.errors.XML_ERROR_UNCLOSED_TOKEN],
    expat.errors.codes[expat.errors.XML_ERROR_PARTIAL_CHAR],
    expat.errors.codes[expat.errors.XML_ERROR_UNCLOSED_CDATA_SECTION],
})  # fmt: skip


def escaped(text: str) -> str:
    """Text for the inside of an element; characters that XML has no form for are dropped."""
    return _FORBIDDEN_TEXT.sub("", text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def without_forbidden(body: bytes) -> bytes:
    """A document without the characters that XML forbids, and which some servers send all the same.

    One of them in one customer's name would make the whole answer unreadable. Control characters are left out; what
    stands for no character at all, such as half of one (`&#xD83D;`), becomes U+FFFD as it does in JSON.
    """
    body = body.translate(None, _FORBIDDEN)
    return _REFERENCE.sub(_permitted, body) if b"&#" in body else body


def _permitted(reference: re.Match[bytes]) -> bytes:
    digits = reference[1] or reference[2]
    # The largest code has seven digits, and a long number takes long to read.
    code = int(digits, 10 if reference[1] else 16) if len(digits.lstrip(b"0")) <= 7 else -1
    if 0 <= code < 0x20:
        return reference[0] if code in b"\t\n\r" else b""
    if 0x20 <= code <= 0x10FFFF and not _FORBIDDEN_TEXT.match(chr(code)):
        return reference[0]
    return b"\xef\xbf\xbd"


def as_utf8(body: bytes, *, fallback: str = "cp1252") -> bytes:
    """A document as UTF-8 without its prolog, which may lie about the encoding.

    Halves of characters, each written as if it were one, become U+FFFD; what else is no valid UTF-8 is taken for
    `fallback`.
    """
    body = without_forbidden(_PROLOG.sub(b"", body, count=1))
    if body.isascii():
        return body
    try:
        body.decode()
    except UnicodeDecodeError:
        try:
            return _HALF.sub("\ufffd", body.decode(errors="surrogatepass")).encode()
        except UnicodeDecodeError:
            return body.decode(fallback, "replace").encode()
    return body


@attrs.define(kw_only=True)
class Table:
    """What a flat list says: the name of its root, its rows, and error numbers found anywhere."""

    root: str = ""
    rows: list[dict[str, str]] = attrs.field(factory=list, repr=False)
    errors: list[str] = attrs.field(factory=list)


def table_in(body: bytes, *, row: str = "Row", errors: frozenset[str] = frozenset()) -> Table:
    """The `row` elements right below the root, each as a dict of its children's texts.

    Args:
        errors: names, in lower case, of elements that tell of errors; their texts are collected.

    Raises:
        UnavailableError: the document is cut off.
        ContractError: it is no XML, or declares a document type.
    """
    table = Table()
    rows = table.rows
    texts: list[str] = []
    current: dict[str, str] | None = None
    depth = 0

    def opened(name: str, _: dict[str, str]) -> None:
        nonlocal depth, current
        depth += 1
        if depth == 2 and name == row:
            current = {}
        elif depth == 1:
            table.root = name
        texts.clear()

    def closed(name: str) -> None:
        nonlocal depth, current
        if depth == 3 and current is not None:
            current.setdefault(name, "".join(texts))
        elif depth == 2 and current is not None:
            rows.append(current)
            current = None
        if name.lower() in errors:
            table.errors.append("".join(texts).strip())
        depth -= 1

    _parse(body, opened, closed, texts.append)
    return table


def tree_in(body: bytes) -> Tree:
    """A small document whole: `{root: {…}}`. Prefixes of names are cut off.

    Raises:
        UnavailableError, ContractError: as `table_in`.
    """
    stack: list[Tree] = [{}]
    texts: list[str] = []

    def opened(_: str, __: dict[str, str]) -> None:
        stack.append({})
        texts.clear()

    def closed(name: str) -> None:
        element: Tree | str = stack.pop() or "".join(texts).strip()
        texts.clear()
        parent, name = stack[-1], name.rpartition(":")[2]
        known = parent.get(name)
        if known is None:
            parent[name] = element
        elif isinstance(known, list):
            known.append(element)
        else:
            parent[name] = [known, element]

    _parse(body, opened, closed, texts.append)
    return stack[0]


def _parse(
    body: bytes,
    opened: Callable[[str, dict[str, str]], None],
    closed: Callable[[str], None],
    text: Callable[[str], object],
) -> None:
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.StartElementHandler = opened
    parser.EndElementHandler = closed
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = _refuse_document_type
    try:
        parser.Parse(as_utf8(body), True)
    except expat.ExpatError as error:
        if error.code in _CUT_OFF:
            raise UnavailableError("the answer was cut off", reason="cut_off") from None
        raise ContractError("the answer is no XML", reason="not_xml") from None


def _refuse_document_type(*_: object) -> None:
    raise ContractError("the answer declares a document type, which no answer has", reason="document_type")
