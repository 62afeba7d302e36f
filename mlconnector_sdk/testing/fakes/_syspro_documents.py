"""The XML of e.net: reading a request strictly, and the frame that every answer has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias
from xml.etree import ElementTree as ET

from ._syspro_sessions import EnetError

__all__ = ["Element", "children", "document", "read", "text_of"]

Element: TypeAlias = ET.Element

_FRAME = (
    "<{root} Language='05' Language2='EN' CssStyle='' DecFormat='1' DateFormat='01' Role='01' Version='{version}' "
    "OperatorPrimaryRole='   '{spaces}>\n"
)
PROLOG = '<?xml version="1.0" encoding="Windows-1252"?>\n'


def document(root: str, version: str, parts: Iterable[str], *, spaces: str = "") -> str:
    """A whole answer; a newline and a blank follow its root."""
    opening = _FRAME.format(root=root, version=version, spaces=spaces)
    return "".join([PROLOG, opening, *parts, f"</{root}>\n "])


def read(text: str, root: str) -> Element:
    """The request document.

    Raises:
        EnetError: no XML, a document type, or another root.
    """
    if "<!DOCTYPE" in text:
        raise EnetError("XmlIn may not declare a document type")
    try:
        found = ET.fromstring(text.strip())  # noqa: S314 - loopback only, and no document type
    except ET.ParseError as error:
        raise EnetError(f"XmlIn is not well-formed: {error}") from None
    if found.tag != root:
        raise EnetError(f"XmlIn has the root {found.tag}, {root} was expected")
    return found


def children(parent: Element, sequence: Sequence[str], *, many: Sequence[str] = ()) -> dict[str, list[Element]]:
    """Children by name; they must come in the order of the schema, and only `many` may repeat.

    Raises:
        EnetError: an element that the schema does not know at that place.
    """
    found: dict[str, list[Element]] = {}
    place = 0
    for child in parent:
        if child.tag not in sequence:
            raise EnetError(f"Element {child.tag} is not valid in {parent.tag}")
        at = sequence.index(child.tag)
        if at < place or (child.tag in found and child.tag not in many):
            raise EnetError(f"Element {child.tag} is not expected at this place in {parent.tag}")
        place = at
        found.setdefault(child.tag, []).append(child)
    return found


def text_of(found: Mapping[str, list[Element]], name: str, *, required: bool = True) -> str:
    """The text of an element.

    Raises:
        EnetError: it is required and not there.
    """
    if name not in found:
        if required:
            raise EnetError(f"Element {name} is missing")
        return ""
    return found[name][0].text or ""
