"""Tags: fixed ones, templates filled from a record, and functions of it. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from string import Formatter
from typing import Any, TypeAlias

import attrs

from ..errors import ConfigurationError, MappingError
from ..models import Address, MergeField, Party
from ._fields import ATTRIBUTES, guarded
from ._normalize import cut_utf8, merge_value

__all__ = ["TAG_LENGTH", "TagSource", "clean_tag", "distinct_tags", "tag_getter"]

TagSource: TypeAlias = str | Callable[[Any], str | Iterable[str] | None]
"""A fixed tag, a template over the record (`"region:{raw[SalesTerritory]}"`), or a function of the record."""

TAG_LENGTH = 100
"""Characters of a tag at the most; Mailchimp does not publish its own limit."""

_PARTS_OF_AN_ADDRESS = frozenset(field.name for field in attrs.fields(Address))
_PLACE = re.compile(r"(?P<name>\w+)(?P<steps>(?:\.\w+|\[[^\[\]]+\])*)")
_STEP = re.compile(r"\.(\w+)|\[([^\[\]]+)\]")
_TEXT = MergeField(tag="TAG")


def clean_tag(text: str) -> str:
    """The tag without control characters and needless blanks, cut to `TAG_LENGTH` characters.

    Example:
        >>> clean_tag("  region:  West ")
        'region: West'
    """
    if not (text.isascii() and text.isprintable()):
        text = "".join(" " if unicodedata.category(letter) == "Cc" else letter for letter in text)
    text = " ".join(text.split())
    if len(text) <= TAG_LENGTH:
        return text
    return cut_utf8(text, len(text[:TAG_LENGTH].encode("utf-8", "replace"))).rstrip()


def distinct_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Each tag once, as it is spelled first: Mailchimp tells tags apart without regard to case."""
    found: dict[str, str] = {}
    for tag in tags:
        found.setdefault(tag.lower(), tag)
    return tuple(found.values())


def tag_getter(source: TagSource) -> Callable[[Party], tuple[str, ...]]:
    """What makes tags of a record; a template that misses a value makes none.

    Raises:
        ConfigurationError: a template that cannot be read, or that names a field no record has.
    """
    if callable(source):
        function = source
        return lambda party: guarded(lambda record: _tags_in(function(record)), party, "tags")
    pieces = _pieces_of(source)
    if not any(isinstance(piece, _Place) for piece in pieces):
        fixed = (clean_tag("".join(map(str, pieces))),)
        if fixed == ("",):
            raise ConfigurationError("tags: a tag must not be blank")
        return lambda party: fixed
    return lambda party: _filled(source, pieces, party)


def _tags_in(value: str | Iterable[str] | None) -> tuple[str, ...]:
    """What a function gave."""
    if value is None:
        return ()
    texts = (value,) if isinstance(value, str) else tuple(value)
    return tuple(tag for text in texts if (tag := clean_tag(text)))


@attrs.frozen
class _Place:
    """A place in a template: a field of the record, and the steps from there into it."""

    text: str
    field: str
    steps: tuple[str, ...]

    def value(self, party: Party) -> Any:
        value = getattr(party, self.field, None)
        for step in self.steps:
            value = _inside(value, step)
        return value


def _inside(value: Any, step: str) -> Any:
    if isinstance(value, Address):
        return getattr(value, step)
    if isinstance(value, Mapping):
        return value.get(step)
    if isinstance(value, Sequence) and not isinstance(value, str) and step.isdecimal():
        return value[int(step)] if int(step) < len(value) else None
    return None


def _pieces_of(template: str) -> list[str | _Place]:
    pieces: list[str | _Place] = []
    try:
        parsed = list(Formatter().parse(template))
    except ValueError as error:
        raise ConfigurationError(f"tags: template {template!r}: {error}; write {{{{ for a brace") from None
    for text, place, form, conversion in parsed:
        pieces.append(text)
        if place is None:
            continue
        if form or conversion:
            raise ConfigurationError(f"tags: template {template!r}: {{{place}}} is filled as it is: use a function")
        pieces.append(_place_in(template, place))
    return pieces


def _place_in(template: str, text: str) -> _Place:
    """The place, if a record can have what it names: nothing but fields and what is in them can be reached."""
    match = _PLACE.fullmatch(text)
    if match is None or match["name"] not in ATTRIBUTES | {"raw"}:
        known = ", ".join(sorted(ATTRIBUTES))
        raise ConfigurationError(
            f"tags: template {template!r}: no record field {text!r}; there are: {known}, and raw[…] for the ERP's own"
        )
    name, steps = match["name"], _STEP.findall(match["steps"])
    inside = tuple(attribute or item for attribute, item in steps)
    if name == "address":
        fits = len(inside) == 1 and inside[0] in _PARTS_OF_AN_ADDRESS
        allowed = ", ".join(f"address.{part}" for part in sorted(_PARTS_OF_AN_ADDRESS))
    elif name == "raw":
        # Items of a row may be called anything; an attribute that begins so is Python's own.
        fits = bool(inside) and not any(attribute.startswith("_") for attribute, _ in steps)
        allowed = "raw[Name] or raw[Name][Inner], with a field of the row as the ERP sends it"
    else:
        fits, allowed = not inside, name
    if not fits:
        raise ConfigurationError(f"tags: template {template!r}: {text!r} cannot exist; write {allowed}")
    return _Place(text, name, inside)


def _filled(template: str, pieces: Sequence[str | _Place], party: Party) -> tuple[str, ...]:
    texts = []
    for piece in pieces:
        text = piece if isinstance(piece, str) else _text_of(piece.value(party), piece, template)
        if isinstance(piece, _Place) and not text.strip():
            return ()
        texts.append(text)
    tag = clean_tag("".join(texts))
    return (tag,) if tag else ()


def _text_of(value: Any, place: _Place, template: str) -> str:
    try:
        return str(merge_value(value, _TEXT))
    except MappingError:
        raise MappingError(
            f"tag template {template!r}: {place.text} is of type {type(value).__name__}, which is no text",
            reason="tag_type",
        ) from None
